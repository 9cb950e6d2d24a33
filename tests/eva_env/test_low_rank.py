"""Bounds for a low-rank solver: the gradient, and exact results where they exist."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.solvers import DPO
from eva_env.distributions import softmax
from eva_env.tabular import low_rank
from eva_env.tabular.equilibrium import minimax_regret, nash_conv
from eva_env.tabular.regret_game import RegretGame
from eva_env.tabular.world import TabularWorld
from tests.support.regret_games import SIZES, some_pair, train

TINY = dict(topics=2, levels=3, variants=2, responses=5)


def tiny(seed, beta=0.0, sizes=TINY, **fields):
    """Return the game and its world; the game keeps the features even at full rank."""
    world = TabularWorld(**sizes, world_seed=seed, **fields)
    game = RegretGame.of_world(world, beta)
    return replace(game, features=world.features), world


def table(game, theta):
    return softmax(np.log(game.reference) + game.features @ theta)


def pair(game, seed):
    """Draw a random mu and a random policy of the class."""
    rng = np.random.default_rng(seed)
    width = game.features.shape[1], game.rewards.shape[1]
    return some_pair(game, seed)[0], table(game, rng.normal(size=width))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.just(0.0) | st.floats(0.01, 3))
def test_slopes_are_those_of_finite_differences(seed, rank, beta):
    game, world = tiny(seed, beta, rank=rank)
    rng, rows = np.random.default_rng(seed), world.trainable
    theta = rng.normal(size=(rank, 5))
    payoffs, slopes = low_rank.payoffs_and_slopes(game, rows, theta)
    np.testing.assert_allclose(payoffs, game.payoffs(table(game, theta))[rows], atol=1e-10)
    mass = rng.dirichlet(np.ones(len(rows)))
    gradient = game.features[rows].T @ (mass[:, None] * slopes)
    step = 1e-5
    for at in np.ndindex(theta.shape):
        moved = np.zeros_like(theta)
        moved[at] = step
        ends = [
            mass @ low_rank.payoffs_and_slopes(game, rows, theta + side * moved)[0]
            for side in (1, -1)
        ]
        assert gradient[at] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("beta", [0.0, 0.1])
@pytest.mark.parametrize("blind", ["nothing", "variant", "all"])
def test_at_full_rank_the_bound_is_close_to_the_exact_result(blind, beta):
    descent, world = tiny(0, beta, blind=blind)
    game = RegretGame.of_world(world, beta)
    assert game.features is None
    creator, policy = pair(descent, 0)
    exact, bound = nash_conv(game, creator, policy), nash_conv(descent, creator, policy)
    assert bound.lower_bound
    assert not exact.lower_bound
    assert bound.value <= exact.value + 1e-12
    assert bound.value == pytest.approx(exact.value, abs=1e-4)
    assert bound.creator_gain == exact.creator_gain
    bounds, expected = minimax_regret(descent), minimax_regret(game)
    assert not bounds.is_equilibrium
    assert bounds.lower == expected.value
    assert expected.value - 1e-9 <= bounds.upper == pytest.approx(expected.value, abs=0.01)
    assert descent.worst_case(bounds.solver) == bounds.upper


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_rank_one_and_two_responses_by_a_grid(seed, beta):
    """Only theta_0 - theta_1 matters, so a grid finds the best response and the value."""
    game, _ = tiny(seed, beta, {**TINY, "responses": 2}, rank=1)
    creator, policy = pair(game, seed)
    grid = np.linspace(-60, 60, 24001)
    logits = (
        np.log(game.reference)[None] + game.features @ np.stack([grid, 0 * grid], -1)[:, None]
    )
    payoffs = np.array([game.payoffs(at) for at in softmax(logits)])
    least = (payoffs @ creator).min()
    bound = nash_conv(game, creator, policy)
    played = creator @ game.payoffs(policy)
    assert bound.solver_gain == pytest.approx(played - least, abs=2e-4)
    bounds = minimax_regret(game)
    value = payoffs[:, game.prompts].max(1).min()
    assert bounds.lower <= value
    assert bounds.upper == pytest.approx(value, abs=5e-3)


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_bounds_of_a_low_rank_solver(rank):
    """No better than without the rank limit; the creator gains almost nothing."""
    blind, world = tiny(1, sizes=SIZES, blind="variant", rank=rank)
    bounds = minimax_regret(blind)
    whole = minimax_regret(
        RegretGame.of_world(TabularWorld(**SIZES, world_seed=1, blind="variant"))
    )
    assert bounds.lower == whole.value <= bounds.upper
    assert bounds.upper < blind.worst_case(blind.reference)
    with pytest.raises(ValueError, match="only bounds are known"):
        _ = bounds.value
    assert nash_conv(blind, bounds.creator, bounds.solver).creator_gain < 0.01
    assert set(np.flatnonzero(bounds.creator)) <= set(world.trainable)


def test_a_higher_rank_lowers_the_worst_case():
    worst = [minimax_regret(tiny(2, 0.1, SIZES, rank=rank)[0]).upper for rank in (1, 4, 16)]
    assert (np.diff(worst) < -0.02).all()


def test_a_best_response_cannot_be_improved():
    game, _ = tiny(0, 0.1, rank=2)
    creator, policy = pair(game, 3)
    first = nash_conv(game, creator, policy)
    response = low_rank.best_response(game, creator, policy)
    again = nash_conv(game, creator, response)
    assert first.solver_gain > 0.01
    assert again.solver_gain < 1e-6
    assert again.creator_gain > 0


def test_a_world_with_singular_features_has_low_rank():
    """With an infinite lengthscale all learning carries over, but reference policies differ."""
    assert RegretGame.of_world(TabularWorld(**TINY, lengthscale=np.inf)).features is not None
    assert RegretGame.of_world(TabularWorld(**TINY)).features is None
    assert RegretGame.of_world(TabularWorld(**TINY, rank=12)).features is None
    assert (
        RegretGame.of_world(TabularWorld(**TINY, blind="variant", rank=5)).features is not None
    )


def test_a_learned_table_is_in_the_class_and_others_are_refused():
    world = TabularWorld(**TINY, rank=2)
    game = RegretGame.of_world(world)
    creator, _ = pair(game, 0)
    learned = train(world, DPO(lr=1.0))
    start = nash_conv(game, creator, game.reference)
    assert 0 < nash_conv(game, creator, learned).solver_gain < start.solver_gain
    with pytest.raises(ValueError, match=r"policy must be a table of rank 2 over the game's"):
        nash_conv(game, creator, train(TabularWorld(**TINY), DPO(lr=1.0)))
    sharp = table(game, 1e4 * np.random.default_rng(0).normal(size=(2, 5)))
    assert sharp.min() == 0
    assert nash_conv(game, creator, sharp).solver_gain > 0
    with pytest.raises(ValueError, match="features is None"):
        low_rank.minimax(replace(game, features=None))
