"""Matrices with missing entries, which every solver accepts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eva_env.solving import matrices
from eva_env.solving.alpha_rank import alpha_rank, alpha_rank_profiles
from eva_env.solving.averaging import nash_averaging, task_averaging
from eva_env.solving.double_oracle import double_oracle
from eva_env.solving.learning import fictitious_play, hedge, regret_matching_plus
from eva_env.solving.max_entropy import max_entropy_nash
from eva_env.solving.regularised import RegularisedGame, magnetic_mirror_descent
from eva_env.solving.replicator import replicator, replicator_pair, trajectory
from eva_env.solving.zero_sum import (
    best_responses,
    lower_bound,
    nash,
    nash_conv,
    upper_bound,
)
from tests.support.matrices import NAN, SHAPES, mixed

RAGGED = np.array([[1.0, NAN, 4.0], [NAN, NAN, 5.0], [3.0, 9.0, 0.0], [2.0, NAN, 6.0]])
"""Column 1 lacks 3 of 4 entries and is dropped first, then row 1, which lacks 1 of 2."""
ROWS, COLUMNS = [0, 2, 3], [0, 2]
FULL = RAGGED[np.ix_(ROWS, COLUMNS)]


def kept(payoffs, **settings):
    return [indices.tolist() for indices in matrices.complete(payoffs, **settings)]


def test_the_strategy_with_the_largest_missing_share_is_dropped_first():
    assert kept(RAGGED) == [ROWS, COLUMNS]
    assert kept(np.ones((2, 3))) == [[0, 1], [0, 1, 2]]
    assert kept([[1, None], [2, 3]]) == [[1], [0, 1]]
    # A row lacks 2 of 3, a column 1 of 1: counts instead of shares would leave nothing.
    assert kept([[NAN, NAN, 1.0]]) == [[0], [2]]


def test_ties_drop_from_the_longer_side_then_rows_then_the_last():
    assert kept([[1, 2, 3], [4, NAN, 6], [7, 8, 9]]) == [[0, 2], [0, 1, 2]]
    assert kept([[NAN, 2], [3, NAN]]) == [[0], [1]]
    assert kept([[NAN, NAN], [NAN, NAN], [1, 2]]) == [[2], [0, 1]]


def test_a_symmetric_game_drops_a_strategy_of_both_players():
    assert kept([[0, 1, NAN], [1, 0, 1], [1, 1, 0]], symmetric=True) == [[0, 1], [0, 1]]
    assert kept([[NAN, 1, 2], [1, 0, 1], [1, 1, 0]], symmetric=True) == [[1, 2], [1, 2]]
    alone = np.full((4, 4), NAN)
    alone[1, 1], alone[[0, 2, 3], [2, 3, 0]] = 0, 1
    assert kept(alone, symmetric=True) == [[1], [1]]


@given(hnp.arrays(np.float64, SHAPES, elements=st.sampled_from([NAN, 1.0])))
def test_what_remains_is_complete_and_not_empty(payoffs):
    if np.isnan(payoffs).all():
        with pytest.raises(ValueError, match="all payoffs are missing"):
            matrices.complete(payoffs)
    else:
        rows, columns = matrices.complete(payoffs)
        left = payoffs[np.ix_(rows, columns)]
        assert left.size
        assert not np.isnan(left).any()


def test_invalid_matrices_are_refused():
    for payoffs, message in (
        ([1.0, 2.0], r"matrix \(R, C\), got shape \(2,\)"),
        (np.ones((0, 2)), r"got shape \(0, 2\)"),
        ([[1.0, np.inf]], r"finite, got inf at \(0, 1\)"),
        ([[NAN, NAN]], "all payoffs are missing"),
    ):
        for solve in (nash, fictitious_play, max_entropy_nash, double_oracle, task_averaging):
            with pytest.raises(ValueError, match=message):
                solve(payoffs)
    with pytest.raises(ValueError, match="as many columns as rows"):
        alpha_rank(np.ones((2, 3)))
    with pytest.raises(ValueError, match="on the diagonal are missing"):
        replicator([[NAN, 1], [1, NAN]], [0.5, 0.5])


@pytest.mark.parametrize(
    "solve",
    [
        nash,
        max_entropy_nash,
        lambda payoffs: fictitious_play(payoffs, 100),
        lambda payoffs: hedge(payoffs, 100),
        lambda payoffs: regret_matching_plus(payoffs, 100),
        lambda payoffs: magnetic_mirror_descent(RegularisedGame(payoffs, 0.5, 0.4), 100),
        lambda payoffs: double_oracle(payoffs).equilibrium,
    ],
)
def test_a_solver_plays_the_complete_part_and_returns_nan_for_the_rest(solve):
    solution, expected = solve(RAGGED), solve(FULL)
    assert solution.value == expected.value
    np.testing.assert_array_equal(solution.row, np.insert(expected.row, 1, NAN))
    np.testing.assert_array_equal(solution.column, np.insert(expected.column, 1, NAN))
    assert nash_conv(RAGGED, solution.row, solution.column) == pytest.approx(
        nash_conv(FULL, expected.row, expected.column)
    )


def test_measures_of_a_pair_are_those_on_the_complete_part():
    row, column = mixed(0, 3, 2)
    wide = np.insert(row, 1, NAN), np.insert(column, 1, 0.0)
    assert nash_conv(RAGGED, *wide) == nash_conv(FULL, row, column) > 0
    assert upper_bound(RAGGED, wide[1]) == upper_bound(FULL, column)
    assert lower_bound(RAGGED, wide[0]) == lower_bound(FULL, row)
    best = best_responses(RAGGED, *wide)
    assert not best[0][1]
    assert not best[1][1]
    full = best_responses(FULL, row, column)
    assert [x[i].tolist() for x, i in zip(best, (ROWS, COLUMNS), strict=True)] == [
        x.tolist() for x in full
    ]
    game = RegularisedGame(RAGGED, 0.5, 0.4, np.array([0.1, 0.6, 0.2, 0.1]))
    plain = RegularisedGame(FULL, 0.5, 0.4, np.array([0.25, 0.5, 0.25]))
    assert game.nash_conv(*wide) == plain.nash_conv(row, column)
    np.testing.assert_array_equal(
        game.responses(*wide)[0], np.insert(plain.responses(row, column)[0], 1, NAN)
    )


def test_a_strategy_that_is_dropped_cannot_be_played():
    column = [0.5, 0, 0.5]
    with pytest.raises(ValueError, match=r"strategies \[1\], which are played, are missing"):
        nash_conv(RAGGED, [0.5, 0.5, 0, 0], column)
    for row in ([1, 1, 0, 0], [NAN, 0, 1, 0], [-1, 0, 1, 1]):
        with pytest.raises(ValueError, match="probabilities that sum to 1"):
            nash_conv(RAGGED, row, column)
    with pytest.raises(ValueError, match=r"shape \(4,\), got \(3,\)"):
        nash_conv(RAGGED, column, column)


def test_rankings_of_the_complete_part():
    wins = np.array(
        [[0, 0.8, NAN, 0.7], [0.2, 0, 0.5, 0.6], [NAN, 0.5, 0, NAN], [0.3, 0.4, NAN, 0]]
    )
    three = np.delete(np.delete(wins, 2, 0), 2, 1)
    np.testing.assert_array_equal(alpha_rank(wins), np.insert(alpha_rank(three), 2, NAN))
    sevens, average = wins - wins.T, nash_averaging(three - three.T)
    solution = nash_averaging(sevens)
    np.testing.assert_array_equal(solution.skills, np.insert(average.skills, 2, NAN))
    np.testing.assert_array_equal(
        solution.probabilities, np.insert(average.probabilities, 2, NAN)
    )
    pairs = alpha_rank_profiles(RAGGED)
    np.testing.assert_array_equal(pairs[np.ix_(ROWS, COLUMNS)], alpha_rank_profiles(FULL))
    assert np.isnan(pairs[1]).all()
    assert np.isnan(pairs[:, 1]).all()
    tasks, complete = task_averaging(RAGGED), task_averaging(FULL)
    np.testing.assert_array_equal(tasks.skills, np.insert(complete.skills, 1, NAN))
    np.testing.assert_array_equal(tasks.difficulties, np.insert(complete.difficulties, 1, NAN))


def test_dynamics_of_the_complete_part():
    wins = np.array([[1, NAN, 2], [3, 1, NAN], [0, 1, 1.0]])
    part, state = np.array([[1, 2], [0, 1.0]]), np.array([0.4, 0.6])
    wide = np.array([0.4, NAN, 0.6])
    np.testing.assert_array_equal(
        replicator(wins, wide), np.insert(replicator(part, state), 1, NAN)
    )
    np.testing.assert_array_equal(
        trajectory(wins, wide, [0, 1, 2]),
        np.insert(trajectory(part, state, [0, 1, 2]), 1, NAN, 1),
    )
    row, column = mixed(1, 3, 2)
    velocity = replicator_pair(RAGGED, np.insert(row, 1, 0), np.insert(column, 1, NAN))
    expected = replicator_pair(FULL, row, column)
    np.testing.assert_array_equal(velocity[0], np.insert(expected[0], 1, NAN))
    np.testing.assert_array_equal(velocity[1], np.insert(expected[1], 1, NAN))
