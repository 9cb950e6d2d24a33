"""Win rates between players' responses: by hand, by brute force over pairs, and T28."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eva_env.statistics.win_rates import PlayerResponses, win_matrix, wins

REWARDS = hnp.arrays(np.float64, (3, 4), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
MASSES = hnp.arrays(np.float64, (3, 4), elements=st.floats(0.01, 1))


def exact_responses(rewards, masses=None):
    masses = np.ones_like(rewards) if masses is None else masses
    return PlayerResponses(rewards, masses / masses.sum(-1, keepdims=True))


def test_all_pairs_of_distributions_by_hand():
    """Prompt 1: of the pairs (1, 0), (1, 2), (2, 0), (2, 2) two are won, one tied: 5/8.

    Prompt 2: (0, 3) twice and (1, 3) twice are all lost: 0. With weights 3/4 and 1/4 on the
    first player's, and all on the second's 2: (3/4) 0 + (1/4) 1/2 = 1/8.
    """
    rewards, baseline = np.array([[1.0, 2], [0, 1]]), np.array([[0.0, 2], [3, 3]])
    assert wins(exact_responses(rewards), exact_responses(baseline)).tolist() == [0.625, 0.0]
    sure = PlayerResponses(baseline, np.array([[0.0, 1], [0, 1]]))
    assert wins(exact_responses(rewards, np.array([[3.0, 1], [3, 1]])), sure).tolist() == [
        0.125,
        0.0,
    ]


def test_draws_leave_out_pairs_with_the_same_stream():
    """Of the pairs (1, 2) and (2, 0) the second is won; (1, 0) and (2, 2) share a stream."""
    first, second = PlayerResponses(np.array([[1, 2]])), PlayerResponses(np.array([[0, 2]]))
    assert wins(first, second).tolist() == [0.5]
    assert wins(first, PlayerResponses(np.array([[3, 0]]))).tolist() == [0.5]
    assert wins(first, PlayerResponses(np.array([[1, 0]]))).tolist() == [1.0]


def by_brute_force(first, second):
    score = (np.sign(first.rewards[:, :, None] - second.rewards[:, None, :]) + 1) / 2
    if first.weights is None:
        return score[:, ~np.eye(first.rewards.shape[1], dtype=bool)].mean(-1)
    return np.einsum("pi,pj,pij->p", first.weights, second.weights, score)


@given(st.lists(REWARDS, min_size=2, max_size=4), st.lists(MASSES, min_size=4, max_size=4))
def test_win_rates_add_up_to_one(rewards, masses):
    """T28, for draws and for distributions; the matrix equals a loop over pairs."""
    for players in (
        [PlayerResponses(values) for values in rewards],
        [exact_responses(values, mass) for values, mass in zip(rewards, masses, strict=False)],
    ):
        matrix = win_matrix(players)
        assert np.abs(matrix + matrix.swapaxes(0, 1) - 1).max() <= 1e-12
        assert (matrix.diagonal() == 0.5).all()
        expected = [[by_brute_force(first, second) for second in players] for first in players]
        off = ~np.eye(len(players), dtype=bool)
        assert np.abs(matrix - np.array(expected))[off].max() <= 1e-12
        assert ((matrix >= 0) & (matrix <= 1)).all()


@given(REWARDS, REWARDS, st.permutations(range(4)))
def test_only_the_order_of_rewards_counts(rewards, baseline, order):
    rates = wins(PlayerResponses(rewards), PlayerResponses(baseline))
    together = wins(PlayerResponses(rewards[:, order]), PlayerResponses(baseline[:, order]))
    assert rates.tolist() == together.tolist()
    assert (
        wins(PlayerResponses(3 * rewards**2), PlayerResponses(3 * baseline**2)).tolist()
        == rates.tolist()
    )
    assert (wins(PlayerResponses(rewards + 2), PlayerResponses(baseline)) == 1).all()


def test_distributions_may_have_different_supports():
    """5 ties with the 5 of half the mass and beats the rest."""
    first = PlayerResponses(np.array([[5.0]]), np.array([[1.0]]))
    second = PlayerResponses(np.array([[1.0, 5, 3]]), np.array([[0.25, 0.5, 0.25]]))
    assert wins(first, second).tolist() == [0.75]


@pytest.mark.parametrize(
    ("players", "message"),
    [
        ([], "at least one player"),
        (
            [PlayerResponses(np.eye(2)), exact_responses(np.eye(2))],
            "1 of 2 players have weights",
        ),
        (
            [PlayerResponses(np.zeros((2, 4))), PlayerResponses(np.zeros((3, 4)))],
            r"same prompts, got \[2, 3\]",
        ),
        (
            [PlayerResponses(np.zeros((2, 4))), PlayerResponses(np.zeros((2, 3)))],
            r"2 or more, got \[3, 4\]",
        ),
        ([PlayerResponses(np.zeros((2, 1)))] * 2, r"2 or more, got \[1\]"),
    ],
)
def test_players_that_cannot_be_compared_are_refused(players, message):
    with pytest.raises(ValueError, match=message):
        win_matrix(players)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((np.zeros(3),), r"shape \(P, V\), got \(3,\)"),
        ((np.array([[1.0, np.inf]]),), "not be infinite, got inf"),
        ((np.array([[1.0, np.nan]]), np.full((1, 2), 0.5)), "finite, got nan"),
        ((np.eye(2), np.eye(3)), r"weights must have the shape of the rewards, \(2, 2\)"),
        ((np.eye(2), None, np.eye(3)), "lengths must have the shape"),
        ((np.eye(2), np.full((2, 2), 0.4)), "sums from 0.8 to 0.8"),
        ((np.eye(2), np.array([[1.5, -0.5]] * 2)), "lowest weight -0.5"),
    ],
)
def test_responses_are_checked(fields, message):
    with pytest.raises(ValueError, match=message):
        PlayerResponses(*fields)
