"""Nash equilibria of zero-sum games against closed forms, properties, and nashpy."""

import nashpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eva_env.solving.zero_sum import (
    best_responses,
    exploitability,
    lower_bound,
    nash,
    nash_conv,
    upper_bound,
)
from tests.support.matrices import (
    PAYOFFS,
    PENNIES,
    ROCK_PAPER_SCISSORS,
    TRANSITIVE,
    mixed,
    regret_game,
)


def diagonal(*rewards):
    """Return the regret if y = x is the only right response to prompt x."""
    return np.array(rewards)[:, None] * (1 - np.eye(len(rewards)))


@pytest.mark.parametrize(
    ("payoffs", "value", "row", "column"),
    [
        (1 - np.eye(2), 0.5, [0.5, 0.5], [0.5, 0.5]),  # T14, matching pennies as regret
        (diagonal(2, 3, 4), 24 / 13, [6 / 13, 4 / 13, 3 / 13], [1 / 13, 5 / 13, 7 / 13]),  # T15
        (diagonal(1, 2, 3), 1.2, [0, 0.6, 0.4], [0, 0.4, 0.6]),  # T15
        ([[0.0, 0.3], [0.0, 0.9], [0, 0.1]], 0, None, [1, 0]),  # T16, one column always best
        (
            [[0.0, 0.0], [0.0, 1.0]],
            0,
            None,
            [1, 0],
        ),  # T25, minimax regret of [[.1, .1], [1, 0]]
        (PENNIES, 0, [0.5, 0.5], [0.5, 0.5]),
        (ROCK_PAPER_SCISSORS, 0, [1 / 3] * 3, [1 / 3] * 3),
        (TRANSITIVE, 0, [1, 0, 0], [1, 0, 0]),
        ([[2.0, 1.0], [0.0, 3.0]], 1.5, [0.75, 0.25], [0.5, 0.5]),  # row and column differ
        ([[3.0, 2.0, 5.0]], 2, [1], [0, 1, 0]),
        ([[3.0], [2.0], [5.0]], 5, [0, 0, 1], [1]),
        (np.full((3, 2), -7.0), -7, None, None),
    ],
)
def test_games_that_are_solved_by_hand(payoffs, value, row, column):
    equilibrium = nash(payoffs)
    assert equilibrium.value == pytest.approx(value, abs=1e-12)
    assert nash_conv(payoffs, equilibrium.row, equilibrium.column) == pytest.approx(
        0, abs=1e-12
    )
    for strategy, expected in ((equilibrium.row, row), (equilibrium.column, column)):
        if expected is not None:
            np.testing.assert_allclose(strategy, expected, atol=1e-12)


@pytest.mark.parametrize("support", [2, 3])
def test_the_value_of_a_diagonal_game_is_that_of_its_best_support(support):
    """T15: (k - 1) / sum over the top k of 1 / a."""
    rewards = np.array([1, 2, 3.0] if support == 2 else [2, 3, 4.0])
    top = np.sort(rewards)[::-1]
    values = [(k - 1) / (1 / top[:k]).sum() for k in (1, 2, 3)]
    assert np.argmax(values) == support - 1
    assert nash(diagonal(*rewards)).value == pytest.approx(max(values), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1.0, 1e9, 1e300])
def test_scale_and_shift_do_not_harm_precision(scale):
    rng = np.random.default_rng(0)
    payoffs = rng.random((7, 9))
    plain, scaled = nash(payoffs), nash(payoffs * scale)
    assert scaled.value == pytest.approx(plain.value * scale, rel=1e-12)
    np.testing.assert_allclose(scaled.row, plain.row, atol=1e-12)
    shifted = nash(payoffs + 1e6)
    np.testing.assert_allclose(shifted.column, plain.column, atol=1e-8)
    assert shifted.value == pytest.approx(1e6 + plain.value, abs=1e-9)


def test_the_range_may_be_wider_than_any_float():
    equilibrium = nash([[1.7e308, -1.7e308], [-1.7e308, 1.7e308]])
    np.testing.assert_allclose([*equilibrium.row, *equilibrium.column], 0.5, atol=1e-12)
    assert abs(equilibrium.value) < 1e296


@pytest.mark.filterwarnings("ignore:\\s*An even number")  # rounding hides some supports from it
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (5, 5), (3, 5), (5, 2)])
def test_nashpy_finds_the_same(seed, shape):
    """A random game has one equilibrium; only vertex enumeration is sound for R != C there."""
    payoffs = np.random.default_rng(seed).normal(size=shape)
    game, equilibrium = nashpy.Game(payoffs), nash(payoffs)
    expected = list(game.vertex_enumeration())
    if shape[0] == shape[1]:
        expected += [*game.support_enumeration(), game.lemke_howson(initial_dropped_label=0)]
    assert len(expected) >= (2 if shape[0] == shape[1] else 1)
    for row, column in expected:
        np.testing.assert_allclose(equilibrium.row, row, atol=1e-9)
        np.testing.assert_allclose(equilibrium.column, column, atol=1e-9)
        assert equilibrium.value == pytest.approx(row @ payoffs @ column, abs=1e-9)


@given(PAYOFFS)
@settings(deadline=None)
def test_at_equilibrium_nobody_gains(payoffs):
    equilibrium = nash(payoffs)
    for strategy, size in (
        (equilibrium.row, len(payoffs)),
        (equilibrium.column, len(payoffs.T)),
    ):
        assert strategy.shape == (size,)
        assert strategy.min() >= 0
        assert strategy.sum() == pytest.approx(1, abs=1e-12)
    assert nash_conv(payoffs, equilibrium.row, equilibrium.column) == pytest.approx(0, abs=1e-8)
    assert lower_bound(payoffs, equilibrium.row) == pytest.approx(equilibrium.value, abs=1e-8)
    assert upper_bound(payoffs, equilibrium.column) == pytest.approx(
        equilibrium.value, abs=1e-8
    )


@given(PAYOFFS, st.floats(-5, 5), st.integers(0, 99))
@settings(deadline=None)
def test_the_value_follows_the_game(payoffs, shift, seed):
    """The players swap, a constant is added, strategies are reordered and copied."""
    value, rng = nash(payoffs).value, np.random.default_rng(seed)
    assert nash(-payoffs.T).value == pytest.approx(-value, abs=1e-8)
    assert nash(payoffs + shift).value == pytest.approx(value + shift, abs=1e-8)
    shuffled = rng.permutation(rng.permutation(payoffs), axis=1)
    assert nash(shuffled).value == pytest.approx(value, abs=1e-8)
    copied = np.r_[payoffs, payoffs[:1]]
    assert nash(np.c_[copied, copied[:, -1]]).value == pytest.approx(value, abs=1e-8)


@given(PAYOFFS, st.integers(0, 99))
@settings(deadline=None)
def test_any_pair_bounds_the_value(payoffs, seed):
    row, column = mixed(seed, *payoffs.shape)
    lower, upper = lower_bound(payoffs, row), upper_bound(payoffs, column)
    assert lower - 1e-8 <= nash(payoffs).value <= upper + 1e-8
    assert nash_conv(payoffs, row, column) == pytest.approx(upper - lower, abs=1e-9)


def test_nash_conv_by_hand():
    """Row always heads against a fair coin: only the column player gains, by 1."""
    assert nash_conv(PENNIES, [1, 0], [0.5, 0.5]) == 1
    assert nash_conv(PENNIES, [0.75, 0.25], [1, 0]) == 0.5 + 1
    assert exploitability(PENNIES, [0.75, 0.25], [1, 0]) == 0.75
    uniform = np.full(3, 1 / 3)
    assert nash_conv(ROCK_PAPER_SCISSORS, uniform, uniform) == pytest.approx(0, abs=1e-15)
    dilemma = np.array([[3.0, 0.0], [5.0, 1.0]])
    assert nash_conv(dilemma, [1, 0], [1, 0], dilemma.T) == 4
    assert nash_conv(dilemma, [0, 1], [0, 1], dilemma.T) == 0
    with pytest.raises(ValueError, match=r"the same shape, got \(2, 2\), \(2, 3\)"):
        nash_conv(PENNIES, [1, 0], [1, 0], np.ones((2, 3)))


def test_best_responses_include_all_ties():
    payoffs = np.array([[1.0, 0, 1], [0, 1, 1], [0, 0, 0]])
    rows, columns = best_responses(payoffs, [1, 0, 0], [0.5, 0.5, 0])
    assert rows.tolist() == [True, True, False]
    assert columns.tolist() == [False, True, False]
    payoffs = regret_game(0)
    equilibrium = nash(payoffs)
    rows, columns = best_responses(payoffs, equilibrium.row, equilibrium.column)
    assert rows[equilibrium.row > 0].all()
    assert columns[equilibrium.column > 0].all()
    assert not rows.all()


@pytest.mark.parametrize("seed", range(3))
def test_a_payoff_that_no_response_changes_has_no_effect_on_incentives(seed):
    """T27: payoffs u_S = -u_C + c(x) are strategically those of the zero-sum game."""
    payoffs = regret_game(seed)
    offset = np.random.default_rng(seed).normal(size=(len(payoffs), 1)) * 3
    for row, column in (mixed(seed, *payoffs.shape), (nash(payoffs).row, nash(payoffs).column)):
        zero_sum = nash_conv(payoffs, row, column)
        assert nash_conv(payoffs, row, column, offset - payoffs) == pytest.approx(
            zero_sum, abs=1e-12
        )
    by_response = np.random.default_rng(seed).normal(size=(1, payoffs.shape[1]))
    assert abs(nash_conv(payoffs, row, column, by_response - payoffs) - zero_sum) > 1e-3
