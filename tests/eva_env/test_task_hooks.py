"""The optional hooks of a task for creators that evolve prompts, and their checks."""

import numpy as np
import pytest

from agents.evolution.evolve import mutate_all
from agents.evolution.operators import complexity, of_kind
from eva_env.tabular.world import TabularWorld
from eva_env.testing import check_task
from eva_env.wordlist import Wordlist
from tests.support.games import Sums
from tests.support.tiny_task import Tiny


class Misnamed(Sums):
    breadth = ("sideways",)


class Forgetful(Sums):
    def mutate_all(self, prompts, operators, rng):
        return [None for prompt in prompts[1:]]


class Endless(Sums):
    def complexity(self, prompt):
        return np.inf


class OneRating(Sums):
    def complexity_all(self, prompts, rng):
        return np.ones(1)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (OneRating(), r"complexity_all must give 64 finite numbers, got shape \(1,\)"),
        (Misnamed(), r"breadth names \['sideways'\], which are not among the operators"),
        (Forgetful(), "mutate_all must give a rewrite or None for each of 64 prompts, got 63"),
        (Endless(), "complexity must be finite"),
    ],
)
def test_broken_hooks_raise_an_error_that_names_the_rule(task, message):
    with pytest.raises(AssertionError, match=message):
        check_task(task)


def test_operators_of_a_kind_have_equal_weights():
    assert of_kind(Tiny(), "quality") == {"harder": 1.0, "move": 1.0}
    assert of_kind(TabularWorld(), "depth") == {"up": 1.0}


def test_complexity_is_the_level_or_the_number_of_demands():
    rng = np.random.default_rng(0)
    world = TabularWorld()
    prompts = world.trainable.tolist()
    np.testing.assert_array_equal(
        complexity(world, prompts, rng), world.prompt_levels[world.trainable]
    )
    asks = ["List two animals.", "List two animals and two foods, with no repeats."]
    np.testing.assert_array_equal(complexity(Wordlist(), asks, rng), [2, 6])


def test_a_batched_hook_takes_precedence():
    class Batched(Tiny):
        def mutate_all(self, prompts, operators, rng):
            return [f"{p}{o}" for p, o in zip(prompts, operators, strict=True)]

        def complexity_all(self, prompts, rng):
            return rng.random(len(prompts)) + 100

    rng = np.random.default_rng(0)
    assert mutate_all(Batched(), ["a", "b"], ["x", "y"], rng) == ["ax", "by"]
    assert (complexity(Batched(), ["a", "b"], rng) > 99).all()
    assert mutate_all(Tiny(), ["0:5:1", "0:1:1"], ["harder", "harder"], rng)[0] is None
