"""Equilibrium of the true regret game: closed forms, brute force, other algorithms."""

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
    solution = minimax_regret(one_set(PENNIES))
    assert solution.value == pytest.approx(0.5, abs=1e-12)
    np.testing.assert_allclose(solution.creator, [0.5, 0.5])
    np.testing.assert_allclose(solution.solver, [[0.5, 0.5]] * 2)


@pytest.mark.parametrize(
    ("rewards", "value", "creator", "policy"),
    [
        ([2, 3, 4], 24 / 13, [6 / 13, 4 / 13, 3 / 13], [1 / 13, 5 / 13, 7 / 13]),
        ([1, 2, 3], 1.2, [0, 0.6, 0.4], [0, 0.4, 0.6]),
    ],
)
def test_diagonal_games(rewards, value, creator, policy):
    """T15: (k - 1) / sum of 1 / a over the best support, mu as 1 / a on it."""
    solution = minimax_regret(one_set(np.diag(np.array(rewards, float))))
    assert solution.value == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(solution.creator, creator, atol=1e-9)
    np.testing.assert_allclose(solution.solver[0], policy, atol=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_where_one_response_is_best_everywhere_the_value_is_zero(beta):
    """T16; with beta the policy is optimal if all prompts have the same rewards."""
    rewards = np.random.default_rng(0).random((5, 4))
    rewards[:, 2] += 1
    if beta:
        rewards[:] = rewards[0]
    solution = minimax_regret(one_set(rewards, beta=beta))
    assert solution.value == pytest.approx(0, abs=1e-12)
    assert solution.solver[0].argmax() == 2


@pytest.mark.parametrize(("beta", "value"), [(0.05, 0.680685), (0.2, 0.476744), (1, 0.107374)])
def test_regularised_diagonal_game(beta, value):
    """T17: beta log((e^(1/beta) + K - 1) / K) - 1/K, uniform reference, K = 4."""
    expected = beta * math.log((math.exp(1 / beta) + 3) / 4) - 1 / 4
    solution = minimax_regret(one_set(np.eye(4), beta=beta))
    assert expected == pytest.approx(value, abs=1e-6)
    assert solution.value == pytest.approx(expected, abs=1e-7)
    np.testing.assert_allclose(solution.creator, 1 / 4, atol=1e-5)
    np.testing.assert_allclose(solution.solver, 1 / 4, atol=1e-5)


@pytest.mark.parametrize("beta", [0.05, 0.3, 2.0])
def test_two_prompts_and_two_responses_by_bisection(beta):
    """The policy (p, 1 - p) makes Reg_beta of both prompts equal."""
    rewards, reference = np.array([[1.0, 0.2], [0.1, 0.5]]), np.array([[0.3, 0.7]] * 2)
    best = beta * np.log((reference * np.exp(rewards / beta)).sum(1))

    def regrets(p):
        policy = np.array([p, 1 - p])
        kl = (policy * np.log(policy / reference[0])).sum()
        return best - rewards @ policy + beta * kl

    p = brentq(lambda p: np.diff(regrets(p))[0], 1e-9, 1 - 1e-9, xtol=1e-14)
    solution = minimax_regret(one_set(rewards, reference=reference, beta=beta))
    assert solution.value == pytest.approx(regrets(p)[0], abs=1e-9)
    assert solution.solver[0, 0] == pytest.approx(p, abs=1e-5)


def test_maximin_reward_differs_from_minimax_regret():
    """T25: maximin reward accepts any policy on the prompt where all rewards are low."""
    game = one_set(T25)
    regret, reward = minimax_regret(game), minimax_regret(game.of_reward())
    assert regret.value == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(regret.solver, [[1, 0]] * 2, atol=1e-9)
    assert -reward.value == pytest.approx(0.1, abs=1e-12)
    np.testing.assert_allclose(reward.creator, [1, 0], atol=1e-9)
    assert nash_conv(game, np.array([1.0, 0]), np.full((2, 2), 0.5)).value == pytest.approx(0.5)
    assert nash_conv(game.of_reward(), np.array([1.0, 0]), np.full((2, 2), 0.5)).value == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_payoff_that_no_response_changes_has_no_effect_on_incentives(seed):
    """T27: a solver with payoff E_mu V, not minus the regret, has the same NashConv."""
    game = one_set(np.random.default_rng(seed).random((6, 5)))
    payoffs = game.offset[:, None] - game.rewards
    creator, policy = some_pair(game, seed)
    of_value = zero_sum.nash_conv(payoffs, creator, policy[0], game.rewards)
    assert nash_conv(game, creator, policy).value == pytest.approx(of_value, abs=1e-14)
    # For the creator it matters: with minus the reward as payoff it plays other prompts.
    other = nash_conv(game.of_reward(), creator, policy)
    assert other.solver_gain == pytest.approx(nash_conv(game, creator, policy).solver_gain)
    assert abs(other.value - of_value) > 1e-3


# Brute force


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 3))
def test_two_responses_by_their_crossings(seed, prompts, sets):
    """Worst-case regret is piecewise linear in p: lowest at an end or where two lines cross."""
    rng = np.random.default_rng(seed)
    rewards, labels = rng.random((prompts, 2)).round(1), rng.integers(sets, size=prompts)
    values = []
    for label in set(labels.tolist()):
        loss = rewards.max(1, keepdims=True) - rewards
        at_one, at_zero = loss[labels == label].T
        slope = at_one - at_zero
        crossings = [
            (at_zero[j] - at_zero[i]) / (slope[i] - slope[j])
            for i, j in combinations(range(len(slope)), 2)
            if slope[i] != slope[j]
        ]
        candidates = np.clip([0, 1, *crossings], 0, 1)
        values.append(min((at_zero + p * slope).max() for p in candidates))
    solution = minimax_regret(RegretGame.of(rewards, information_set=labels))
    assert solution.value == pytest.approx(max(values), abs=1e-9)
    assert solution.upper == pytest.approx(max(values), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reward", [False, True])
def test_the_game_of_all_information_sets_as_one_matrix(seed, reward):
    """Columns are all assignments of three responses to three information sets."""
    rng = np.random.default_rng(seed)
    labels = np.array([2, 0, 0, 1, 1, 1, 2])
    game = RegretGame.of(rng.random((7, 3)), information_set=labels)
    game = game.of_reward() if reward else game
    plans = np.array(list(product(range(3), repeat=3)))[:, labels].T
    payoffs = game.offset[:, None] - np.take_along_axis(game.rewards, plans, 1)
    solution = minimax_regret(game)
    assert solution.value == pytest.approx(zero_sum.nash(payoffs).value, abs=1e-9)
    creator, policy = some_pair(game, seed)
    mixture = np.prod([policy[x, plans[x]] for x in (1, 3, 0)], axis=0)
    expected = zero_sum.nash_conv(payoffs, creator, mixture)
    assert nash_conv(game, creator, policy).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.1])
@pytest.mark.parametrize("blind", BLIND)
def test_no_policy_does_better_than_the_best_response(blind, beta):
    game = small(0, beta, blind=blind)
    rng = np.random.default_rng(0)
    for seed in range(5):
        creator, policy = some_pair(game, seed)
        if seed == 0:
            creator = minimax_regret(game).creator
        response = game.best_response(creator)
        least = creator @ game.payoffs(response)
        for weight in (1.0, 0.1, 0.01):
            other = (1 - weight) * response + weight * some_pair(game, rng.integers(1000))[1]
            assert creator @ game.payoffs(other) > least
        assert creator @ game.payoffs(policy) > least


def test_best_response_in_closed_form():
    """One information set: E_mu V*_beta - beta log sum_y pi_ref exp(E_mu r / beta)."""
    game = small(1, 0.1, blind="all")
    creator, _ = some_pair(game, 0)
    log_reference = np.log(game.reference[0])
    expected = creator @ exact.optimal_value(game.rewards, game.reference, 0.1)
    expected -= 0.1 * logsumexp(log_reference + creator @ game.rewards / 0.1)
    assert creator @ game.payoffs(game.best_response(creator)) == pytest.approx(
        expected, abs=1e-12
    )


# Equilibrium


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(BLIND),
    st.just(0.0) | st.floats(0.01, 3),
    st.booleans(),
)
def test_only_at_equilibrium_no_player_gains(seed, blind, beta, reward):
    game = small(seed, beta, blind=blind)
    game = game.of_reward() if reward else game
    solution = minimax_regret(game)
    at = nash_conv(game, solution.creator, solution.solver)
    assert at.value < TOLERANCE
    assert not at.lower_bound
    assert solution.is_equilibrium
    assert solution.upper == pytest.approx(solution.value, abs=TOLERANCE)
    assert solution.lower <= solution.upper + 1e-12
    assert solution.creator.sum() == pytest.approx(1)
    assert set(np.flatnonzero(solution.creator)) <= set(game.prompts)
    creator, policy = some_pair(game, seed)
    away = nash_conv(game, creator, policy)
    assert away.value == pytest.approx(away.creator_gain + away.solver_gain)
    assert away.creator_gain > 1e-3
    assert away.solver_gain > 1e-6
    # Weak duality: any pair bounds the value, and its gap is its NashConv.
    played = creator @ game.payoffs(policy)
    assert played - away.solver_gain <= solution.value + 1e-9
    assert game.worst_case(policy) >= solution.value - 1e-9
    assert solution.distance(game.worst_case(policy)) == pytest.approx(
        game.worst_case(policy) - solution.value, abs=TOLERANCE
    )


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_the_solver_is_minimax_on_every_information_set_and_the_creator_plays_the_costliest(
    beta,
):
    world = TabularWorld(**SIZES, blind="level")
    solution = minimax_regret(RegretGame.of_world(world, beta))
    values = []
    for topic in range(3):
        inside = world.trainable[world.prompt_topics[world.trainable] == topic]
        alone = RegretGame.of_world(world, beta, inside)
        values.append(minimax_regret(alone).value)
        assert alone.worst_case(solution.solver) == pytest.approx(values[-1], abs=TOLERANCE)
    assert solution.value == pytest.approx(max(values), abs=TOLERANCE)
    assert set(world.prompt_topics[solution.creator > 1e-9]) == {int(np.argmax(values))}


def test_a_solver_that_distinguishes_all_prompts_is_best_everywhere():
    for beta in (0.0, 0.1):
        game = small(3, beta)
        solution = minimax_regret(game)
        assert solution.value == pytest.approx(0, abs=1e-12)
        best = distributions.optimal_policy(game.rewards, game.reference, beta)
        np.testing.assert_allclose(
            solution.solver[game.prompts], best[game.prompts], atol=1e-12
        )
        np.testing.assert_allclose(solution.creator[game.prompts], 1 / len(game.prompts))


def test_prompts_that_cannot_be_published_keep_the_reference():
    world = TabularWorld(**SIZES, blind="variant")
    game = RegretGame.of_world(world, prompts=[1, 2, 4])
    solution = minimax_regret(game)
    np.testing.assert_allclose(solution.solver[6:], game.reference[6:])
    assert solution.value < minimax_regret(RegretGame.of_world(world)).value
    assert game.prompts.tolist() == [1, 2, 4]
    assert RegretGame.of_world(world).prompts.tolist() == world.trainable.tolist()


def test_the_value_grows_with_every_hidden_coordinate():
    """games.md, section 1.1: 0 if nothing is hidden, then higher with every coordinate."""
    for seed in range(3):
        world = {blind: TabularWorld(blind=blind, world_seed=seed) for blind in BLIND}
        values = [minimax_regret(RegretGame.of_world(world[blind])).value for blind in BLIND]
        assert values[0] == pytest.approx(0, abs=1e-12)
        assert (np.diff(values) > 0.03).all()
        assert 0.5 < values[-1] < 0.8


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.just(0.0) | st.floats(0.02, 2))
def test_coarser_information_never_lowers_the_value(seed, beta):
    """All have the same reference: with beta > 0 another reference is another game."""
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


# Other algorithms


@pytest.mark.parametrize("seed", range(3))
def test_linear_program_fictitious_play_and_psro_agree(seed):
    """To 1e-3 on all information sets, which have too many pure strategies for a matrix."""
    game = small(seed, blind="level")
    value = minimax_regret(game).value
    assert value > 0.1

    def creator_oracle(policies, mixed):
        average = np.tensordot(mixed, policies, 1)
        return game.prompts[game.payoffs(average)[game.prompts].argmax()]

    def solver_oracle(prompts, mixed):
        return game.best_response(np.bincount(prompts, mixed, len(game.rewards)))

    solution = psro(
        lambda prompt, policy: float(game.payoffs(policy)[prompt]),
        (creator_oracle, solver_oracle),
        (game.prompts[0], game.reference),
    )
    assert solution.converged
    assert solution.equilibrium.value == pytest.approx(value, abs=1e-9)
    played = fictitious_play(solution.payoffs, 20_000)
    assert played.value == pytest.approx(value, abs=1e-3)
    blindest = small(seed, blind="all")
    payoffs = (blindest.offset[:, None] - blindest.rewards)[blindest.prompts]
    alone = fictitious_play(payoffs, 50_000).value
    assert alone == pytest.approx(minimax_regret(blindest).value, abs=1e-3)


def against_hedge(game, score, rounds):
    """Return NashConv of the average play of Hedge against Hedge, and its bound.

    The creator's payoff is a score of the solver's policy.
    """
    rewards = game.rewards[game.prompts]
    losses = game.offset[game.prompts, None] - rewards
    rates = [math.sqrt(8 * math.log(n) / rounds) / np.ptp(losses) for n in losses.shape]
    gains, costs = np.zeros(len(losses)), np.zeros(losses.shape[1])
    creators, policies = np.zeros_like(gains), np.zeros_like(costs)
    for _ in range(rounds):
        mu, policy = softmax(rates[0] * gains), softmax(-rates[1] * costs)
        gains += score(policy, rewards, losses)
        costs += mu @ losses
        creators += mu / rounds
        policies += policy / rounds
    creator = np.zeros(len(game.rewards))
    creator[game.prompts] = creators
    bound = np.ptp(losses) * sum(math.sqrt(math.log(n) / 2 / rounds) for n in losses.shape)
    return nash_conv(game, creator, np.tile(policies, (len(game.rewards), 1))), bound


def regret(policy, rewards, losses):
    return losses @ policy


def a_star_min(policy, rewards, losses):
    return exact.expected_signal("a_star_min", np.tile(policy, (len(rewards), 1)), rewards, 6)


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


# Errors


def test_invalid_pairs_are_refused():
    game = small(0, blind="level")
    creator, policy = some_pair(game, 0)
    held_out = np.zeros_like(creator)
    held_out[0] = 1.0
    for wrong in (held_out, creator / 2, -creator):
        with pytest.raises(ValueError, match="creator must be a distribution over the prompts"):
            nash_conv(game, wrong, policy)
    fully_informed = minimax_regret(small(0)).solver
    with pytest.raises(ValueError, match="policy must be the same on all prompts of an"):
        nash_conv(game, creator, fully_informed)
    for wrong in (policy[:3], policy / 2, np.full_like(policy, np.nan)):
        with pytest.raises(ValueError, match=r"policy must be a table of probabilities"):
            nash_conv(game, creator, wrong)


def test_invalid_games_are_refused():
    with pytest.raises(ValueError, match="reference must be positive"):
        RegretGame.of(PENNIES, reference=np.eye(2))
    with pytest.raises(ValueError, match="reference must be the same on all prompts of an"):
        one_set(PENNIES, reference=np.array([[0.5, 0.5], [0.4, 0.6]]))
    for prompts in ([], [-1], [2]):
        with pytest.raises(ValueError, match=r"prompts must be one or more in 0 \.\.\. 1"):
            RegretGame.of(PENNIES, prompts=prompts)
    with pytest.raises(ValueError, match="beta must be finite and not negative, got -1"):
        RegretGame.of(PENNIES, beta=-1.0)


def test_bounds_are_not_the_value():
    bounds = Minimax(0.1, 0.3, np.ones(1), np.ones((1, 1)), is_equilibrium=False)
    with pytest.raises(ValueError, match=r"0\.1 <= value <= 0\.3; read lower and upper"):
        _ = bounds.value
    assert bounds.distance(0.35) == pytest.approx(0.05)
    assert bounds.distance(0.2) == 0
