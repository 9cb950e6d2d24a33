"""Win rates at equal length: scipy on the same likelihood, and planted effects of length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize

from eva_env.statistics.length_controlled import (
    RIDGE,
    length_controlled,
    length_controlled_draws,
)
from eva_env.statistics.win_rates import PlayerResponses, win_matrix

FEW = hnp.arrays(np.float64, (4, 3), elements=st.integers(0, 3).map(float))


def player(skill, long, effect, prompts=400, n=6, seed=0):
    """Draw responses of 5 or 9 words, the long ones with probability ``long``.

    With Gumbel noise P(first beats second) = sigmoid(difference of skill + effect of length),
    and with length differences of -4, 0 or 4 words the regression holds exactly.
    """
    rng = np.random.default_rng(seed)
    lengths = np.where(rng.random((prompts, n)) < long, 9.0, 5.0)
    rewards = skill + effect * lengths + rng.gumbel(size=lengths.shape)
    return PlayerResponses(rewards, None, lengths)


def mixed(players=4, prompts=30, seed=0):
    rng = np.random.default_rng(seed)
    lengths = [rng.integers(3, 15, (prompts, 5)) + 2.0 * i for i in range(players)]
    rewards = [np.round(rng.normal(0.1 * words, 1), 1) for words in lengths]
    return [
        PlayerResponses(values, None, words)
        for values, words in zip(rewards, lengths, strict=True)
    ]


def by_scipy(first, second):
    """Loop over pairs of responses, then optimise the penalised likelihood by scipy."""
    y, x, w = [], [], []
    for p, (rewards, others) in enumerate(zip(first.rewards, second.rewards, strict=True)):
        for i, reward in enumerate(rewards):
            for j, baseline in enumerate(others):
                weight = float(i != j) if first.weights is None else first.weights[p, i]
                w.append(weight * (1 if second.weights is None else second.weights[p, j]))
                y.append(0.5 + 0.5 * np.sign(reward - baseline))
                x.append(first.lengths[p, i] - second.lengths[p, j])
    y, x, w = np.array(y), np.array(x), np.array(w) / sum(w)
    x = np.tanh(x / np.sqrt(w @ (x - w @ x) ** 2))

    def loss(c):
        z = c[0] + c[1] * x
        return w @ (np.logaddexp(0, z) - y * z) + RIDGE / 2 * c[1] ** 2

    return 1 / (1 + np.exp(-minimize(loss, [0, 0], options={"gtol": 1e-9}).x[0]))


def test_it_is_the_optimum_that_scipy_finds():
    players = mixed()
    rates = length_controlled(players)
    for i in range(4):
        for j in range(4):
            if i != j:
                assert rates[i, j] == pytest.approx(by_scipy(players[i], players[j]), abs=1e-6)


def test_exact_probabilities_weigh_the_pairs():
    rng = np.random.default_rng(5)
    players = [
        PlayerResponses(draws.rewards, rng.dirichlet(np.ones(5), 30), draws.lengths)
        for draws in mixed(2)
    ]
    assert length_controlled(players)[0, 1] == pytest.approx(by_scipy(*players), abs=1e-6)


def test_a_planted_length_bias_is_removed():
    """Both have the same skill; the second writes longer, and the judge prefers length."""
    players = [player(0, 0.2, 0.3, seed=1), player(0, 0.8, 0.3, seed=2)]
    assert win_matrix(players).mean(-1)[0, 1] < 0.38
    assert length_controlled(players)[0, 1] == pytest.approx(0.5, abs=0.03)


def test_a_known_intercept_is_recovered():
    """Skill ahead by 0.8: sigmoid(0.8) = 0.690, though it loses on length."""
    players = [player(0.8, 0.2, 0.3, 4000, seed=1), player(0, 0.8, 0.3, 4000, seed=2)]
    assert win_matrix(players).mean(-1)[0, 1] < 0.58
    assert length_controlled(players)[0, 1] == pytest.approx(0.690, abs=0.012)


@given(FEW, FEW, FEW, FEW)
def test_the_two_sides_add_up_to_one(ours, theirs, words, others):
    first, second = PlayerResponses(ours, None, words), PlayerResponses(theirs, None, others)
    rates = length_controlled([first, second])
    swapped = length_controlled([second, first])
    assert rates[0, 1] + rates[1, 0] == 1
    assert rates[0, 1] + swapped[0, 1] == pytest.approx(1, abs=1e-9)
    assert rates.diagonal().tolist() == [0.5, 0.5]
    longer = length_controlled([first, PlayerResponses(theirs, None, others + 0.0 * words)])
    assert longer.tolist() == rates.tolist()


@given(FEW, FEW, st.integers(0, 5))
def test_without_variation_in_length_it_is_the_win_rate(ours, theirs, more):
    """All lengths are equal, or one player is longer by the same number of words."""
    words = np.full((4, 3), 7.0)
    players = [PlayerResponses(ours, None, words), PlayerResponses(theirs, None, words + more)]
    expected = win_matrix(players).mean(-1)[0, 1]
    assert length_controlled(players)[0, 1] == pytest.approx(expected, abs=1e-9)


def test_a_player_that_wins_every_pair_has_rate_one():
    lengths = np.random.default_rng(0).integers(1, 9, (5, 3)).astype(float)
    players = [
        PlayerResponses(np.full((5, 3), reward), None, lengths) for reward in (2.0, 1.0, 1.0)
    ]
    rates = length_controlled(players)
    assert rates[0].tolist() == [0.5, 1, 1]
    assert rates[1, 2] == pytest.approx(0.5)
    assert (length_controlled_draws(players, np.ones((2, 5)))[:, 0, 1] == 1).all()


def test_where_length_decides_the_outcome_the_fit_is_finite():
    """The longer response always wins; at equal length the players are equal."""
    rng = np.random.default_rng(0)
    players = [
        PlayerResponses(words, None, words)
        for words in (rng.permuted(np.tile(np.arange(6.0), (50, 1)), axis=1) for _ in range(2))
    ]
    assert length_controlled(players)[0, 1] == pytest.approx(0.5, abs=0.05)


def test_draws_are_close_to_refits():
    """A draw with prompts twice or never, against the fit to exactly these prompts."""
    players = [player(0.3, 0.3, 0.2, seed=1), player(0, 0.6, 0.2, seed=2)]
    rng = np.random.default_rng(0)
    counts = rng.multinomial(400, np.full(400, 1 / 400), size=30).astype(float)
    draws = length_controlled_draws(players, np.concatenate([np.ones((1, 400)), counts]))
    fit = length_controlled(players)
    assert draws.shape == (31, 2, 2)
    assert draws[0] == pytest.approx(fit, abs=1e-12)
    refits = []
    for count in counts.astype(int):
        picked = np.repeat(np.arange(400), count)
        again = [PlayerResponses(p.rewards[picked], None, p.lengths[picked]) for p in players]
        refits.append(length_controlled(again)[0, 1])
    errors = draws[1:, 0, 1] - np.array(refits)
    assert np.abs(errors).max() < 0.1 * np.std(refits)
    assert (draws + draws.swapaxes(1, 2) == 1).all()


def test_lengths_are_needed():
    with pytest.raises(ValueError, match="1 of 2 players have lengths"):
        length_controlled([player(0, 0.5, 0), PlayerResponses(np.zeros((400, 6)))])
