"""Equilibrium of the true regret game: closed forms, brute force, other ways to the value."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import logsumexp

from eva_env import distributions
from eva_env.distributions import softmax
from eva_env.solving import zero_sum
from eva_env.solving.double_oracle import psro
from eva_env.solving.learning import fictitious_play
from eva_env.tabular import exact
from eva_env.tabular.equilibrium import TOLERANCE, Minimax, minimax_regret, nash_conv
from eva_env.tabular.partial_observability import BLIND
from eva_env.tabular.regret_game import RegretGame
from eva_env.tabular.world import TabularWorld
from tests.support.regret_games import SIZES, some_pair

PENNIES, T25 = np.eye(2), np.array([[0.1, 0.1], [1.0, 0.0]])
ONE_SET = np.zeros(9, int)


def one_set(rewards, **fields):
    return RegretGame.of(rewards, information_set=ONE_SET[: len(rewards)], **fields)


def small(seed, beta=0.0, **fields):
    return RegretGame.of_world(TabularWorld(**SIZES, world_seed=seed, **fields), beta)


# Closed forms


def test_matching_pennies():
    """T14."""
    found = minimax_regret(one_set(PENNIES))
    assert found.value == pytest.approx(0.5, abs=1e-12)
    np.testing.assert_allclose(found.creator, [0.5, 0.5])
    np.testing.assert_allclose(found.solver, [[0.5, 0.5]] * 2)


@pytest.mark.parametrize(
    ("rewards", "value", "creator", "law"),
    [
        ([2, 3, 4], 24 / 13, [6 / 13, 4 / 13, 3 / 13], [1 / 13, 5 / 13, 7 / 13]),
        ([1, 2, 3], 1.2, [0, 0.6, 0.4], [0, 0.4, 0.6]),
    ],
)
def test_diagonal_games(rewards, value, creator, law):
    """T15: (k - 1) / sum of 1 / a over the best support, mu as 1 / a on it."""
    found = minimax_regret(one_set(np.diag(np.array(rewards, float))))
    assert found.value == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(found.creator, creator, atol=1e-9)
    np.testing.assert_allclose(found.solver[0], law, atol=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_where_one_response_is_best_everywhere_the_value_is_zero(beta):
    """T16; with beta its law is the optimum where the rewards are equal."""
    rewards = np.random.default_rng(0).random((5, 4))
    rewards[:, 2] += 1
    if beta:
        rewards[:] = rewards[0]
    found = minimax_regret(one_set(rewards, beta=beta))
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.solver[0].argmax() == 2


@pytest.mark.parametrize(("beta", "value"), [(0.05, 0.680685), (0.2, 0.476744), (1, 0.107374)])
def test_regularised_diagonal_game(beta, value):
    """T17: beta log((e^(1/beta) + K - 1) / K) - 1/K, uniform reference, K = 4."""
    known = beta * math.log((math.exp(1 / beta) + 3) / 4) - 1 / 4
    found = minimax_regret(one_set(np.eye(4), beta=beta))
    assert known == pytest.approx(value, abs=1e-6)
    assert found.value == pytest.approx(known, abs=1e-7)
    np.testing.assert_allclose(found.creator, 1 / 4, atol=1e-5)
    np.testing.assert_allclose(found.solver, 1 / 4, atol=1e-5)


@pytest.mark.parametrize("beta", [0.05, 0.3, 2.0])
def test_two_prompts_and_two_responses_by_bisection(beta):
    """The law (p, 1 - p) that makes Reg_beta of both prompts equal."""
    rewards, reference = np.array([[1.0, 0.2], [0.1, 0.5]]), np.array([[0.3, 0.7]] * 2)
    best = beta * np.log((reference * np.exp(rewards / beta)).sum(1))

    def regrets(p):
        law = np.array([p, 1 - p])
        kl = (law * np.log(law / reference[0])).sum()
        return best - rewards @ law + beta * kl

    p = brentq(lambda p: np.diff(regrets(p))[0], 1e-9, 1 - 1e-9, xtol=1e-14)
    found = minimax_regret(one_set(rewards, reference=reference, beta=beta))
    assert found.value == pytest.approx(regrets(p)[0], abs=1e-9)
    assert found.solver[0, 0] == pytest.approx(p, abs=1e-5)


def test_maximin_reward_is_another_thing():
    """T25: it is content with any policy on the prompt where all rewards are low."""
    game = one_set(T25)
    regret, reward = minimax_regret(game), minimax_regret(game.of_reward())
    assert regret.value == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(regret.solver, [[1, 0]] * 2, atol=1e-9)
    assert -reward.value == pytest.approx(0.1, abs=1e-12)
    np.testing.assert_allclose(reward.creator, [1, 0], atol=1e-9)
    assert nash_conv(game, np.array([1.0, 0]), np.full((2, 2), 0.5)).value == pytest.approx(0.5)
    assert nash_conv(game.of_reward(), np.array([1.0, 0]), np.full((2, 2), 0.5)).value == 0


@pytest.mark.parametrize("seed", range(3))
def test_what_the_solver_gets_whatever_it_answers_changes_no_incentive(seed):
    """T27: a solver that is paid E_mu V, not minus the regret, has the same NashConv."""
    game = one_set(np.random.default_rng(seed).random((6, 5)))
    payoffs = game.offset[:, None] - game.rewards
    creator, policy = some_pair(game, seed)
    of_value = zero_sum.nash_conv(payoffs, creator, policy[0], game.rewards)
    assert nash_conv(game, creator, policy).value == pytest.approx(of_value, abs=1e-14)
    # To the creator it does matter: paid minus the reward, it goes elsewhere.
    other = nash_conv(game.of_reward(), creator, policy)
    assert other.solver_gain == pytest.approx(nash_conv(game, creator, policy).solver_gain)
    assert abs(other.value - of_value) > 1e-3


# Brute force


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 3))
def test_two_responses_by_their_crossings(seed, prompts, cells):
    """Worst regret is piecewise linear in p: least at an end or where two lines cross."""
    rng = np.random.default_rng(seed)
    rewards, labels = rng.random((prompts, 2)).round(1), rng.integers(cells, size=prompts)
    values = []
    for cell in set(labels.tolist()):
        loss = rewards.max(1, keepdims=True) - rewards
        at_one, at_zero = loss[labels == cell].T
        slope = at_one - at_zero
        crossings = [
            (at_zero[j] - at_zero[i]) / (slope[i] - slope[j])
            for i, j in combinations(range(len(slope)), 2)
            if slope[i] != slope[j]
        ]
        candidates = np.clip([0, 1, *crossings], 0, 1)
        values.append(min((at_zero + p * slope).max() for p in candidates))
    found = minimax_regret(RegretGame.of(rewards, information_set=labels))
    assert found.value == pytest.approx(max(values), abs=1e-9)
    assert found.upper == pytest.approx(max(values), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reward", [False, True])
def test_the_game_of_all_cells_as_one_matrix(seed, reward):
    """Columns are all ways to answer three cells with three responses."""
    rng = np.random.default_rng(seed)
    labels = np.array([2, 0, 0, 1, 1, 1, 2])
    game = RegretGame.of(rng.random((7, 3)), information_set=labels)
    game = game.of_reward() if reward else game
    plans = np.array(list(product(range(3), repeat=3)))[:, labels].T
    payoffs = game.offset[:, None] - np.take_along_axis(game.rewards, plans, 1)
    found = minimax_regret(game)
    assert found.value == pytest.approx(zero_sum.nash(payoffs).value, abs=1e-9)
    creator, policy = some_pair(game, seed)
    mixture = np.prod([policy[x, plans[x]] for x in (1, 3, 0)], axis=0)
    known = zero_sum.nash_conv(payoffs, creator, mixture)
    assert nash_conv(game, creator, policy).value == pytest.approx(known, abs=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.1])
@pytest.mark.parametrize("blind", BLIND)
def test_no_policy_does_better_than_the_best_response(blind, beta):
    game = small(0, beta, blind=blind)
    rng = np.random.default_rng(0)
    for seed in range(5):
        creator, policy = some_pair(game, seed)
        if seed == 0:
            creator = minimax_regret(game).creator
        reply = game.best_response(creator)
        least = creator @ game.payoffs(reply)
        for weight in (1.0, 0.1, 0.01):
            other = (1 - weight) * reply + weight * some_pair(game, rng.integers(1000))[1]
            assert creator @ game.payoffs(other) > least
        assert creator @ game.payoffs(policy) > least


def test_best_response_in_closed_form():
    """One cell: E_mu V*_beta - beta log sum_y pi_ref exp(E_mu r / beta)."""
    game = small(1, 0.1, blind="all")
    creator, _ = some_pair(game, 0)
    log_reference = np.log(game.reference[0])
    known = creator @ exact.optimal_value(game.rewards, game.reference, 0.1)
    known -= 0.1 * logsumexp(log_reference + creator @ game.rewards / 0.1)
    assert creator @ game.payoffs(game.best_response(creator)) == pytest.approx(
        known, abs=1e-12
    )


# Equilibrium


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(BLIND),
    st.just(0.0) | st.floats(0.01, 3),
    st.booleans(),
)
def test_at_equilibrium_nobody_gains_and_elsewhere_somebody_does(seed, blind, beta, reward):
    game = small(seed, beta, blind=blind)
    game = game.of_reward() if reward else game
    found = minimax_regret(game)
    at = nash_conv(game, found.creator, found.solver)
    assert at.value < TOLERANCE
    assert not at.lower_bound
    assert found.exact
    assert found.upper == pytest.approx(found.value, abs=TOLERANCE)
    assert found.lower <= found.upper + 1e-12
    assert found.creator.sum() == pytest.approx(1)
    assert set(np.flatnonzero(found.creator)) <= set(game.prompts)
    creator, policy = some_pair(game, seed)
    away = nash_conv(game, creator, policy)
    assert away.value == pytest.approx(away.creator_gain + away.solver_gain)
    assert away.creator_gain > 1e-3
    assert away.solver_gain > 1e-6
    # Weak duality: any pair bounds the value, and its gap is its NashConv.
    played = creator @ game.payoffs(policy)
    assert played - away.solver_gain <= found.value + 1e-9
    assert game.worst_case(policy) >= found.value - 1e-9
    assert found.distance(game.worst_case(policy)) == pytest.approx(
        game.worst_case(policy) - found.value, abs=TOLERANCE
    )


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_the_solver_is_minimax_in_every_cell_and_the_creator_where_it_costs_most(beta):
    world = TabularWorld(**SIZES, blind="level")
    found = minimax_regret(RegretGame.of_world(world, beta))
    values = []
    for topic in range(3):
        inside = world.trainable[world.prompt_topics[world.trainable] == topic]
        alone = RegretGame.of_world(world, beta, inside)
        values.append(minimax_regret(alone).value)
        assert alone.worst_case(found.solver) == pytest.approx(values[-1], abs=TOLERANCE)
    assert found.value == pytest.approx(max(values), abs=TOLERANCE)
    assert set(world.prompt_topics[found.creator > 1e-9]) == {int(np.argmax(values))}


def test_a_sighted_solver_is_best_everywhere():
    for beta in (0.0, 0.1):
        game = small(3, beta)
        found = minimax_regret(game)
        assert found.value == pytest.approx(0, abs=1e-12)
        best = distributions.optimal_policy(game.rewards, game.reference, beta)
        np.testing.assert_allclose(found.solver[game.prompts], best[game.prompts], atol=1e-12)
        np.testing.assert_allclose(found.creator[game.prompts], 1 / len(game.prompts))


def test_prompts_out_of_play_leave_the_reference_and_count_for_nothing():
    world = TabularWorld(**SIZES, blind="variant")
    game = RegretGame.of_world(world, prompts=[1, 2, 4])
    found = minimax_regret(game)
    np.testing.assert_allclose(found.solver[6:], game.reference[6:])
    assert found.value < minimax_regret(RegretGame.of_world(world)).value
    assert game.prompts.tolist() == [1, 2, 4]
    assert RegretGame.of_world(world).prompts.tolist() == world.trainable.tolist()


def test_the_price_of_not_seeing():
    """games.md, section 1.1: 0, then more with every coordinate that is hidden."""
    for seed in range(3):
        world = {blind: TabularWorld(blind=blind, world_seed=seed) for blind in BLIND}
        values = [minimax_regret(RegretGame.of_world(world[blind])).value for blind in BLIND]
        assert values[0] == pytest.approx(0, abs=1e-12)
        assert (np.diff(values) > 0.03).all()
        assert 0.5 < values[-1] < 0.8


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.just(0.0) | st.floats(0.02, 2))
def test_coarser_sight_never_lowers_the_value(seed, beta):
    """With one reference for all, since a cell's own makes another game of beta > 0."""
    values = []
    for blind in BLIND:
        world = TabularWorld(**SIZES, world_seed=seed, blind=blind)
        game = RegretGame.of(world.gold, None, world.information_set, world.trainable, beta)
        values.append(minimax_regret(game).value)
    assert (np.diff(values) >= -1e-8).all()
    assert values[0] == pytest.approx(0, abs=1e-9)
    assert values[-1] > 0


def test_the_regularised_value_falls_with_beta_from_that_of_the_game():
    game = small(0, blind="level")
    values = [
        minimax_regret(small(0, beta, blind="level")).value for beta in (0.003, 0.1, 1, 10)
    ]
    whole = minimax_regret(game).value
    assert values[0] == pytest.approx(whole, abs=0.02)
    assert (np.diff([whole, *values]) < 0).all()
    assert values[-1] < 0.01


# Other ways to the value


@pytest.mark.parametrize("seed", range(3))
def test_linear_program_fictitious_play_and_psro_agree(seed):
    """To 1e-3, on all cells together, whose pure strategies are too many for a matrix."""
    game = small(seed, blind="level")
    value = minimax_regret(game).value
    assert value > 0.1

    def creator_oracle(policies, mixed):
        average = np.tensordot(mixed, policies, 1)
        return game.prompts[game.payoffs(average)[game.prompts].argmax()]

    def solver_oracle(prompts, mixed):
        return game.best_response(np.bincount(prompts, mixed, len(game.rewards)))

    found = psro(
        lambda prompt, policy: float(game.payoffs(policy)[prompt]),
        (creator_oracle, solver_oracle),
        (game.prompts[0], game.reference),
    )
    assert found.converged
    assert found.equilibrium.value == pytest.approx(value, abs=1e-9)
    played = fictitious_play(found.payoffs, 20_000)
    assert played.value == pytest.approx(value, abs=1e-3)
    blindest = small(seed, blind="all")
    payoffs = (blindest.offset[:, None] - blindest.rewards)[blindest.prompts]
    alone = fictitious_play(payoffs, 50_000).value
    assert alone == pytest.approx(minimax_regret(blindest).value, abs=1e-3)


def against_hedge(game, score, rounds):
    """Average play of a creator by Hedge on a score of the solver's law, and a Hedge solver."""
    rewards = game.rewards[game.prompts]
    losses = game.offset[game.prompts, None] - rewards
    rates = [math.sqrt(8 * math.log(n) / rounds) / np.ptp(losses) for n in losses.shape]
    gains, costs = np.zeros(len(losses)), np.zeros(losses.shape[1])
    creators, laws = np.zeros_like(gains), np.zeros_like(costs)
    for _ in range(rounds):
        mu, law = softmax(rates[0] * gains), softmax(-rates[1] * costs)
        gains += score(law, rewards, losses)
        costs += mu @ losses
        creators += mu / rounds
        laws += law / rounds
    creator = np.zeros(len(game.rewards))
    creator[game.prompts] = creators
    bound = np.ptp(losses) * sum(math.sqrt(math.log(n) / 2 / rounds) for n in losses.shape)
    return nash_conv(game, creator, np.tile(laws, (len(game.rewards), 1))), bound


def regret(law, rewards, losses):
    return losses @ law


def a_star_min(law, rewards, losses):
    return exact.expected_signal("a_star_min", np.tile(law, (len(rewards), 1)), rewards, 6)


@pytest.mark.parametrize("seed", range(3))
def test_a_creator_of_regret_reaches_equilibrium_and_one_of_learnability_does_not(seed):
    """games.md, 4.4: no-regret play against no-regret play, within its provable bound (T18)."""
    sizes = dict(topics=2, levels=4, variants=3, responses=24)
    game = RegretGame.of_world(TabularWorld(**sizes, blind="all", world_seed=seed))
    true, bound = against_hedge(game, regret, 1000)
    proxy, _ = against_hedge(game, a_star_min, 1000)
    assert true.value < bound < 0.08
    assert proxy.value > 2 * bound
    assert proxy.creator_gain > 5 * true.creator_gain


# What is refused


def test_what_is_no_pair_of_the_game_is_refused():
    game = small(0, blind="level")
    creator, policy = some_pair(game, 0)
    held_out = np.zeros_like(creator)
    held_out[0] = 1.0
    for wrong in (held_out, creator / 2, -creator):
        with pytest.raises(ValueError, match="creator must be a distribution over the prompts"):
            nash_conv(game, wrong, policy)
    sighted = minimax_regret(small(0)).solver
    with pytest.raises(ValueError, match=r"policy must be the same on all prompts of a cell"):
        nash_conv(game, creator, sighted)
    for wrong in (policy[:3], policy / 2, np.full_like(policy, np.nan)):
        with pytest.raises(ValueError, match=r"policy must be a table of probabilities"):
            nash_conv(game, creator, wrong)


def test_what_is_no_game_is_refused():
    with pytest.raises(ValueError, match="reference must be positive"):
        RegretGame.of(PENNIES, reference=np.eye(2))
    with pytest.raises(ValueError, match="reference must be the same on all prompts of a cell"):
        one_set(PENNIES, reference=np.array([[0.5, 0.5], [0.4, 0.6]]))
    for prompts in ([], [-1], [2]):
        with pytest.raises(ValueError, match=r"prompts must be one or more in 0 \.\.\. 1"):
            RegretGame.of(PENNIES, prompts=prompts)
    with pytest.raises(ValueError, match="beta must be finite and not negative, got -1"):
        RegretGame.of(PENNIES, beta=-1.0)


def test_bounds_are_not_taken_for_the_value():
    bounds = Minimax(0.1, 0.3, np.ones(1), np.ones((1, 1)), exact=False)
    with pytest.raises(ValueError, match=r"0\.1 <= value <= 0\.3; read lower and upper"):
        _ = bounds.value
    assert bounds.distance(0.35) == pytest.approx(0.05)
    assert bounds.distance(0.2) == 0
