"""Payoff matrices for the tests of ``eva_env.solving``."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eva_env.tabular.world import TabularWorld

NAN = np.nan
ROCK_PAPER_SCISSORS = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
PENNIES = np.array([[1.0, -1], [-1, 1]])
TRANSITIVE = np.array([[0.0, 1, 2], [-1, 0, 1], [-2, -1, 0]])

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6)
TIES = hnp.arrays(np.float64, SHAPES, elements=st.integers(-2, 2).map(float))
"""Matrices of few different payoffs, so that most have several equilibria."""
COARSE = TIES | hnp.arrays(
    np.float64, SHAPES, elements=st.integers(-99, 99).map(lambda k: k / 8)
)
"""Matrices whose payoffs are equal or clearly apart."""
PAYOFFS = TIES | hnp.arrays(np.float64, SHAPES, elements=st.floats(-9, 9, width=32))


def regret_game(seed, prompts=16, responses=24):
    """Return the true regret of a solver with one response for all prompts of a world."""
    world = TabularWorld(topics=2, levels=4, variants=2, responses=responses, world_seed=seed)
    rewards = world.gold[:prompts]
    return rewards.max(1, keepdims=True) - rewards


def mixed(seed, *sizes):
    """Draw a random mixed strategy of each size."""
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.ones(size)) for size in sizes]
