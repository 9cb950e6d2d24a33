"""The grids that `eva compare --tune` searches hold settings that a class accepts."""

from collections import Counter
from dataclasses import fields, replace
from typing import get_args

import numpy as np
import pytest

from agents.creators import AnyCreator, EvolComplexity, UniformEvolve
from agents.solvers import AnyMethod
from agents.solvers.optimise import OptimizerSettings
from eva_env.tabular.world import TabularWorld

STRATEGIES = [*get_args(AnyCreator), *get_args(AnyMethod)]


@pytest.mark.parametrize("kind", STRATEGIES)
def test_every_value_of_a_grid_is_accepted(kind):
    configured = kind()
    assert set(kind.grid) <= {field.name for field in fields(kind) if field.init}
    for name, factors in kind.grid.items():
        assert list(factors) == sorted(set(factors))
        assert 1 in factors
        values = {getattr(configured, name) * factor for factor in factors}
        assert len(values) == len(factors), "a setting of 0 has no factors"
        for value in values:
            assert getattr(replace(configured, **{name: value}), name) == value


@pytest.mark.parametrize("kind", get_args(AnyMethod))
def test_the_learning_rate_of_what_learns_is_always_in_it(kind):
    assert ("lr" in kind.grid) == issubclass(kind, OptimizerSettings)


def test_depth_is_the_drift_of_evolving():
    """Up is one of four operators of the ladder: drawn 3 / (3 + 3) of the time at depth 3."""
    world = TabularWorld(topics=3, levels=8, variants=3)
    assert UniformEvolve(depth=3.0).preferences(world) == dict.fromkeys(
        world.operators, 1.0
    ) | {"up": 3.0}
    drawn = []
    for seed in range(40):
        creator = UniformEvolve(depth=3.0, deduplicate=False, rewrites=1, old_share=0.0)
        creator.answered = [p for p in world.trainable if 2 <= world.prompt_levels[p] <= 5]
        proposal = creator.propose(world, 50, np.random.default_rng(seed))
        drawn += [operator for operator in proposal.operators if operator]
    share = Counter(drawn)["up"] / len(drawn)
    assert len(drawn) == 2000
    assert abs(share - 0.5) < 4 * 0.5 / len(drawn) ** 0.5


def test_a_drift_that_would_do_nothing_is_refused():
    with pytest.raises(ValueError, match=r"depth=2\.0 would weigh operators that EvolComplex"):
        EvolComplexity(depth=2.0)
    with pytest.raises(ValueError, match="leave it at 1"):
        UniformEvolve(depth=2.0, operators={"up": 1.0})
    with pytest.raises(ValueError, match="depth must be positive and finite, got 0"):
        UniformEvolve(depth=0.0)
