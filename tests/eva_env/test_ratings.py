"""Bradley-Terry and Elo: closed forms, evalica, the likelihood equations, planted strengths."""

import evalica
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eva_env.statistics.intervals import interval
from eva_env.statistics.ratings import ELO_PER_NAT, bradley_terry, elo, elo_scale

NAN = np.nan
WINS = hnp.arrays(np.float64, (5, 5), elements=st.integers(0, 4).map(float))


def sigmoid(strengths):
    return 1 / (1 + np.exp(strengths[None, :] - strengths[:, None]))


def games(players=6, number=400, seed=1):
    """Pairs (T,), (T,) and scores (T,) of the first, a fifth of them ties."""
    rng = np.random.default_rng(seed)
    first = rng.integers(players, size=number)
    second = (first + rng.integers(1, players, size=number)) % players
    chance = sigmoid(np.linspace(-1, 1, players))[first, second]
    return first, second, np.where(rng.random(number) < 0.2, 0.5, rng.random(number) < chance)


def by_evalica(rate, first, second, scores, **options):
    outcome = {1.0: evalica.Winner.X, 0.5: evalica.Winner.Draw, 0.0: evalica.Winner.Y}
    names = [[str(i) for i in side] for side in (first, second)]
    ratings = rate(*names, [outcome[score] for score in scores.tolist()], **options)
    return ratings.scores.sort_index().to_numpy()


def test_two_players_by_hand():
    """Three wins to one: log odds log 3; a tie counts half for each: 2.5 to 1.5."""
    assert bradley_terry([[0, 3], [1, 0]], anchor=1) == pytest.approx([np.log(3), 0])
    assert bradley_terry([[0, 3], [1, 0]]) == pytest.approx(np.log(3) / 2 * np.array([1, -1]))
    assert bradley_terry([[0, 2.5], [1.5, 0]], anchor=0) == pytest.approx([0, -np.log(5 / 3)])
    assert bradley_terry([[9, 1 - 1e-9], [1e-9, NAN]], anchor=0)[1] == pytest.approx(
        -np.log(1e9), rel=1e-6
    )


def test_planted_strengths_are_recovered():
    strengths = np.array([0.0, -2, 0.3, 1.5, 4])
    rates = sigmoid(strengths)
    assert bradley_terry(rates, anchor=0) == pytest.approx(strengths)
    assert bradley_terry(rates).mean() == pytest.approx(0)
    counts = np.random.default_rng(0).binomial(20_000, rates)
    assert bradley_terry(np.triu(counts) + np.triu(20_000 - counts, 1).T, 0) == pytest.approx(
        strengths, abs=0.1
    )


def test_bradley_terry_is_evalicas():
    first, second, scores = games()
    wins = np.zeros((6, 6))
    np.add.at(wins, (first, second), scores)
    np.add.at(wins, (second, first), 1 - scores)
    ratings = np.log(
        by_evalica(evalica.bradley_terry, first, second, scores, tolerance=1e-12, limit=10_000)
    )
    assert bradley_terry(wins) == pytest.approx(ratings - ratings.mean(), abs=1e-9)


def test_elo_is_evalicas():
    first, second, scores = games()
    ratings = by_evalica(evalica.elo, first, second, scores, initial=1500, k=24)
    stream = zip(first.tolist(), second.tolist(), scores.tolist(), strict=True)
    assert elo(stream, 6, k=24) == pytest.approx(ratings, abs=1e-9)


def test_elo_by_hand():
    """The winner of equals gains k / 2. Then its expected score is 1 / (1 + 10^(-16/400))."""
    assert elo([(0, 1, 1)], 3, k=16).tolist() == [1508, 1492, 1500]
    expected = 1 / (1 + 10 ** (-16 / 400))
    assert elo([(0, 1, 1), (1, 0, 0.5)], 2, k=16)[0] == pytest.approx(
        1508 - 16 * (expected - 0.5)
    )
    assert elo([], 2, base=1000).tolist() == [1000, 1000]
    with pytest.raises(ValueError, match="in \\[0, 1\\], got 2"):
        elo([(0, 1, 2)], 2)


def test_400_points_are_odds_of_ten():
    assert elo_scale([0, np.log(10), -np.log(100)]) == pytest.approx([1500, 1900, 700])
    assert elo_scale(1.0, base=1000.0) == pytest.approx(1000 + ELO_PER_NAT)


@given(WINS)
def test_strengths_solve_the_likelihood_equations(wins):
    """In the rated group, every player wins as often as expected."""
    ratings = bradley_terry(wins)
    rated = ~np.isnan(ratings)
    assert rated.any()
    matrix = wins[np.ix_(rated, rated)] * (1 - np.eye(rated.sum()))
    expected = (matrix + matrix.T) * sigmoid(ratings[rated])
    assert matrix.sum(1) == pytest.approx(expected.sum(1), abs=1e-8)
    assert ratings[rated].mean() == pytest.approx(0, abs=1e-9)
    assert bradley_terry(7 * wins) == pytest.approx(ratings, nan_ok=True, abs=1e-8)
    for anchor in np.flatnonzero(rated):
        assert bradley_terry(wins, anchor) == pytest.approx(
            ratings - ratings[anchor], nan_ok=True, abs=1e-8
        )


def test_players_that_cannot_be_compared_are_nan():
    """0 and 1 have beaten each other, 2 has lost to both, 3 has won, 4 has not played."""
    wins = np.zeros((5, 5))
    wins[0, 1], wins[1, 0], wins[0, 2], wins[1, 2], wins[3, 0] = 2, 1, 5, 3, 1
    ratings = bradley_terry(wins)
    assert ratings == pytest.approx([np.log(2) / 2, -np.log(2) / 2, NAN, NAN, NAN], nan_ok=True)
    assert bradley_terry(wins, anchor=2) == pytest.approx([NAN, NAN, 0, NAN, NAN], nan_ok=True)
    assert np.isnan(bradley_terry([[0, 1 - 1e-16], [1e-16, 0]], anchor=0)[1])  # rounding
    chain = np.roll(np.eye(4), 1, axis=1)
    assert bradley_terry(chain) == pytest.approx(np.zeros(4))


def test_a_prior_rates_everyone():
    """One win and no loss, with half a win each way: log(1.5 / 0.5)."""
    assert bradley_terry([[0, 1], [0, 0]], anchor=1, prior=0.5) == pytest.approx([np.log(3), 0])
    wins = np.zeros((4, 4))
    wins[0, 1] = wins[1, 2] = 1
    best, second, third, absent = bradley_terry(wins, prior=0.1)
    assert best > second > third
    assert abs(absent) < 0.5


def test_a_batch_is_rated_like_its_members():
    wins = np.random.default_rng(0).integers(0, 3, size=(40, 5, 5)).astype(float)
    for anchor in (None, 2):
        together = bradley_terry(wins, anchor)
        assert np.isnan(together).any()
        for matrix, ratings in zip(wins, together, strict=True):
            assert bradley_terry(matrix, anchor) == pytest.approx(
                ratings, nan_ok=True, abs=1e-9
            )


def test_intervals_by_the_draws_of_win_matrices():
    """The delta method: a rate of .6 with error .02 is log 1.5 with .02 / (.6 * .4)."""
    rates = 0.6 + 0.02 * np.random.default_rng(0).normal(size=4000)
    draws = np.stack([[0 * rates, rates], [1 - rates, 0 * rates]]).transpose(2, 0, 1)
    rated = bradley_terry(draws, 1)
    low, high = interval(np.array([np.log(1.5), 0]), rated, 0 * rated, (10_000, 1))
    assert low[0] == pytest.approx(np.log(1.5) - 1.96 * 0.02 / 0.24, abs=0.005)
    assert high[0] == pytest.approx(np.log(1.5) + 1.96 * 0.02 / 0.24, abs=0.005)
    assert (low[1], high[1]) == (0, 0)


@pytest.mark.parametrize(
    ("wins", "options", "message"),
    [
        (np.zeros((2, 3)), {}, r"shape \(\.\.\., L, L\), got \(2, 3\)"),
        ([[0, -1], [1, 0]], {}, "not negative, got -1"),
        ([[0, 1], [1, 0]], {"prior": -1}, "prior must be finite and not negative"),
    ],
)
def test_invalid_wins_are_refused(wins, options, message):
    with pytest.raises(ValueError, match=message):
        bradley_terry(wins, **options)
