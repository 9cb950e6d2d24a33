"""The optional hooks of tasks and reward models, and the function that tests for them."""

from types import SimpleNamespace

import pytest

from eva_env import types
from eva_env.rewards import LengthBiased, Noisy, PairwiseWinRate, Retrained
from eva_env.rewards.comparisons import Refittable
from eva_env.tabular.world import TabularWorld
from eva_env.types import (
    Advances,
    DeclaresNoise,
    Enumerable,
    GroupsOperators,
    HasMatrix,
    KnowsBest,
    RatesComplexity,
    RewritesInBatch,
    offers,
)
from eva_env.wordlist import Gold, Wordlist
from tests.support.games import Close, Sums
from tests.support.reward_cases import TABLE

HOOKS = [
    kind
    for kind in vars(types).values()
    if getattr(kind, "_is_protocol", False) and kind not in (types.Protocol, types.Task)
]


@pytest.mark.parametrize("hook", [*HOOKS, Refittable])
def test_no_hook_is_offered_by_a_part_without_members(hook):
    if hook is not types.RewardModel:
        assert not offers(SimpleNamespace(), hook)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (TABLE, {KnowsBest, Advances, HasMatrix, DeclaresNoise, Refittable}),
        (Close(), {KnowsBest}),
        (lambda prompts, responses: [[0.0]], set()),
        (Noisy().over(TABLE), {KnowsBest, Advances, HasMatrix, DeclaresNoise}),
        (Noisy().over(Gold()), {KnowsBest, Advances, DeclaresNoise}),
        (LengthBiased().over(Gold()), {Advances, DeclaresNoise}),
        (PairwiseWinRate().over(TABLE), {Advances, DeclaresNoise}),
        (Retrained().over(TABLE, TABLE), {KnowsBest, Advances, HasMatrix, DeclaresNoise}),
    ],
)
def test_a_wrapper_offers_what_its_base_makes_known(model, expected):
    hooks = (KnowsBest, Advances, HasMatrix, DeclaresNoise, Refittable)
    assert {hook for hook in hooks if offers(model, hook)} == expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (Sums(), set()),
        (Wordlist(), {RatesComplexity, GroupsOperators}),
        (TabularWorld(), {RatesComplexity, GroupsOperators, Enumerable}),
        (SimpleNamespace(depth=("up",), breadth=()), set()),
    ],
)
def test_tasks_offer_their_own_hooks(task, expected):
    hooks = (RatesComplexity, GroupsOperators, Enumerable, RewritesInBatch)
    assert {hook for hook in hooks if offers(task, hook)} == expected
