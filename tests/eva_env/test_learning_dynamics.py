"""Learning by self-play against the linear program, bounds, and closed forms."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from eva_env.solving.double_oracle import double_oracle
from eva_env.solving.learning import fictitious_play, hedge, regret_matching_plus
from eva_env.solving.regularised import RegularisedGame, magnetic_mirror_descent
from eva_env.solving.zero_sum import lower_bound, nash, nash_conv, upper_bound
from tests.support.matrices import PENNIES, ROCK_PAPER_SCISSORS, mixed, regret_game

RULES = {fictitious_play: 2000, hedge: 2000, regret_matching_plus: 200}


@pytest.mark.parametrize("seed", range(3))
def test_linear_program_fictitious_play_and_double_oracle_agree(seed):
    """To 1e-3 on regret games of a tabular world."""
    payoffs = regret_game(seed)
    value = nash(payoffs).value
    assert 0.05 < value < 0.95
    assert fictitious_play(payoffs, 50_000).value == pytest.approx(value, abs=1e-3)
    assert regret_matching_plus(payoffs, 2000).value == pytest.approx(value, abs=1e-4)
    assert double_oracle(payoffs).equilibrium.value == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(("rule", "iterations"), RULES.items())
def test_averages_approach_the_unique_equilibrium(rule, iterations):
    """T14 and others; of [[2, 1], [0, 3]] row and column differ."""
    for payoffs, value, row, column in (
        (1 - np.eye(2), 0.5, [0.5, 0.5], [0.5, 0.5]),
        (ROCK_PAPER_SCISSORS, 0, [1 / 3] * 3, [1 / 3] * 3),
        (np.array([[2.0, 1.0], [0.0, 3.0]]), 1.5, [0.75, 0.25], [0.5, 0.5]),
    ):
        equilibrium = rule(payoffs, iterations)
        np.testing.assert_allclose(equilibrium.row, row, atol=0.02)
        np.testing.assert_allclose(equilibrium.column, column, atol=0.02)
        assert equilibrium.value == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize("rule", RULES)
def test_the_value_is_the_middle_of_what_the_averages_guarantee(rule):
    payoffs = regret_game(5)
    equilibrium = rule(payoffs, 50)
    lower, upper = (
        lower_bound(payoffs, equilibrium.row),
        upper_bound(payoffs, equilibrium.column),
    )
    assert equilibrium.value == pytest.approx((lower + upper) / 2, abs=1e-12)
    assert lower < nash(payoffs).value < upper
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        rule(payoffs, 0)


def test_fictitious_play_by_hand():
    """Matching pennies, the second mover sees the first: HT, TH, HT, TH; ties are heads."""
    payoffs = PENNIES
    plays = [fictitious_play(payoffs, t) for t in range(1, 5)]
    rows = np.diff([np.zeros(2), *(t * play.row for t, play in enumerate(plays, 1))], axis=0)
    columns = np.diff([np.zeros(2), *(t * p.column for t, p in enumerate(plays, 1))], axis=0)
    assert rows.argmax(1).tolist() == [0, 1, 0, 1]
    assert columns.argmax(1).tolist() == [1, 0, 1, 0]


def test_hedge_by_hand():
    """Two rounds against one column: weights 1/2, then softmax of eta times the first gains."""
    equilibrium = hedge(np.array([[1.0], [0.0]]), 2, (0.7, 1.0))
    second = 1 / (1 + math.exp(-0.7))
    np.testing.assert_allclose(equilibrium.row, [(0.5 + second) / 2, (1.5 - second) / 2])
    mirrored = hedge(np.array([[1.0, 0.0]]), 2, (1.0, 0.7))
    np.testing.assert_allclose(mirrored.column, equilibrium.row[::-1])


def test_hedge_keeps_its_bound_and_its_rate():
    """T18: NashConv <= D (sqrt(ln R / 2T) + sqrt(ln C / 2T)), about 1 / sqrt(T)."""
    times = np.array([100, 400, 1600, 6400])
    for seed in range(3):
        payoffs = np.random.default_rng(seed).random((20, 12)) * 5 - 3
        equilibrium = [hedge(payoffs, int(t)) for t in times]
        gaps = np.array([nash_conv(payoffs, play.row, play.column) for play in equilibrium])
        bounds = np.ptp(payoffs) * np.sqrt(np.log([[20], [12]]) / (2 * times)).sum(0)
        assert (gaps <= bounds).all()
        assert -0.7 < np.polyfit(np.log(times), np.log(gaps), 1)[0] < -0.35


def test_regret_matching_plus_is_the_fastest():
    payoffs = np.random.default_rng(0).random((20, 12))
    equilibrium = regret_matching_plus(payoffs, 5000)
    assert nash_conv(payoffs, equilibrium.row, equilibrium.column) < 2e-4


def test_last_iterate_of_mirror_descent_satisfies_both_gibbs_equations():
    """T20, with magnets; alpha = beta = 0.2 and others."""
    payoffs = regret_game(1)
    magnets = mixed(3, *payoffs.shape)
    for game in (
        RegularisedGame(payoffs, 0.2, 0.2),
        RegularisedGame(payoffs * 7 + 3, 1.4, 1.0, *magnets),
    ):
        equilibrium = magnetic_mirror_descent(game, 3000)
        row = np.exp(game.payoffs @ equilibrium.column / game.alpha) * game.magnets[0]
        column = np.exp(-(equilibrium.row @ game.payoffs) / game.beta) * game.magnets[1]
        np.testing.assert_allclose(equilibrium.row, row / row.sum(), atol=1e-9)
        np.testing.assert_allclose(equilibrium.column, column / column.sum(), atol=1e-9)
        np.testing.assert_allclose(
            game.responses(equilibrium.row, equilibrium.column)[0], equilibrium.row
        )
        assert game.nash_conv(equilibrium.row, equilibrium.column) < 1e-12
        assert game.nash_conv(*magnets) > 1e-3


@pytest.mark.parametrize("beta", [0.2, 1.0])
def test_value_of_the_regularised_diagonal_game(beta):
    """T17's closed form: beta log((e^(1/beta) + K - 1) / K) - 1/K, both players uniform."""
    best = beta * math.log((math.exp(1 / beta) + 3) / 4)
    game = RegularisedGame(best - np.eye(4), 0.3, beta)
    equilibrium = magnetic_mirror_descent(game)
    assert equilibrium.value == pytest.approx(best - 1 / 4, abs=1e-10)
    np.testing.assert_allclose([equilibrium.row, equilibrium.column], 1 / 4)


def test_regularised_game_of_two_by_two_against_a_root():
    """x = sigmoid((gap of the rows) / alpha), and the same for y, solved by bisection."""
    payoffs, alpha, beta = np.array([[2.0, 1.0], [0.0, 3.0]]), 0.8, 0.5

    def response(x):
        """Return the column player's weight on its first strategy, worse by 4 x - 3."""
        return 1 / (1 + math.exp((4 * x - 3) / beta))

    def surplus(x):
        return 1 / (1 + math.exp(-(4 * response(x) - 2) / alpha)) - x

    x = brentq(surplus, 0, 1, xtol=1e-14)
    y = response(x)
    equilibrium = magnetic_mirror_descent(RegularisedGame(payoffs, alpha, beta), 3000)
    assert equilibrium.row[0] == pytest.approx(x, abs=1e-10)
    assert equilibrium.column[0] == pytest.approx(y, abs=1e-10)
    entropies = [math.log(2) + p * math.log(p) + (1 - p) * math.log(1 - p) for p in (x, y)]
    plain = np.array([x, 1 - x]) @ payoffs @ np.array([y, 1 - y])
    assert equilibrium.value == pytest.approx(
        plain - alpha * entropies[0] + beta * entropies[1]
    )


def test_cold_regularised_game_is_the_game():
    payoffs = np.array([[2.0, 1.0], [0.0, 3.0]])
    equilibrium = magnetic_mirror_descent(RegularisedGame(payoffs, 0.02, 0.02), 60_000)
    np.testing.assert_allclose(equilibrium.row, [0.75, 0.25], atol=0.01)
    np.testing.assert_allclose(equilibrium.column, [0.5, 0.5], atol=0.01)


def test_strategies_without_mass_in_the_magnet_are_never_played():
    magnet = np.array([0.0, 0.5, 0.5])
    game = RegularisedGame(ROCK_PAPER_SCISSORS, 0.3, 0.3, magnet)
    equilibrium = magnetic_mirror_descent(game, 2000)
    assert equilibrium.row[0] == 0
    assert equilibrium.column[2] > equilibrium.column[1] > 0
    assert game.nash_conv(equilibrium.row, equilibrium.column) < 1e-12
    constant = magnetic_mirror_descent(RegularisedGame(np.full((3, 2), 4.0), 1, 1, magnet), 5)
    np.testing.assert_allclose(constant.row, magnet)
    assert constant.value == pytest.approx(4)


def test_temperatures_and_magnets_are_checked():
    for alpha, beta, name in ((0, 1, "alpha"), (1, -1, "beta"), (np.inf, 1, "alpha")):
        with pytest.raises(ValueError, match=f"{name} must be positive and finite"):
            RegularisedGame(PENNIES, alpha, beta)
    for magnet in ([1.0, 0, 0], [0.0, 0], [-1.0, 2]):
        with pytest.raises(ValueError, match="distribution over 2 strategies"):
            RegularisedGame(PENNIES, 1, 1, np.array(magnet))
    with pytest.raises(ValueError, match="iterations must be at least 1"):
        magnetic_mirror_descent(RegularisedGame(PENNIES, 1, 1), 0)
