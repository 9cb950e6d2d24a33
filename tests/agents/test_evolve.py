from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evolution.evolve import Lineage, evolve, publish
from tests.support.tiny_task import Tiny, level

UP = replace(Tiny(topics=1), operators=("harder",))


def test_publish_gives_equal_logits_and_the_genealogy():
    proposal = publish([Lineage("a"), Lineage("b", "a", "harder")])
    assert proposal.prompts == ("a", "b")
    assert proposal.parents == (None, "a")
    assert proposal.operators == (None, "harder")
    np.testing.assert_array_equal(proposal.logits, [0.0, 0.0])


def test_a_sequential_rewrite_descends_from_the_one_before():
    chain = evolve(UP, ["0:1:7"], 3, np.random.default_rng(0))
    assert [level(one.prompt) for one in chain] == [2, 3, 4]
    assert [one.parent for one in chain] == ["0:1:7", chain[0].prompt, chain[1].prompt]
    assert [one.operator for one in chain] == ["harder"] * 3


def test_independent_rewrites_all_descend_from_the_seed():
    family = evolve(UP, ["0:1:7", "0:3:7"], 3, np.random.default_rng(0), sequential=False)
    assert [level(one.prompt) for one in family] == [2, 2, 2, 4, 4, 4]
    assert [one.parent for one in family] == ["0:1:7"] * 3 + ["0:3:7"] * 3


def test_a_link_that_is_not_kept_leaves_its_name_in_the_path():
    keep = np.array([[True, False, False, True, False]])
    kept = evolve(UP, ["0:0:7"], 5, np.random.default_rng(0), keep=keep)
    assert [level(one.prompt) for one in kept] == [1, 4]
    assert kept[1].parent == kept[0].prompt
    assert kept[1].operator == "harder > harder > harder"


@pytest.mark.parametrize(("sequential", "levels"), [(True, [2, 4]), (False, [1, 1])])
def test_keep_counts_rewrites_of_each_parent(sequential, levels):
    keep = np.array([[False, True, False, True], [False] * 4])
    kept = evolve(
        UP, ["0:0:7", "0:0:8"], 4, np.random.default_rng(0), keep=keep, sequential=sequential
    )
    assert [level(one.prompt) for one in kept] == levels


def test_a_chain_ends_where_no_operator_applies():
    assert [
        level(one.prompt) for one in evolve(UP, ["0:4:7"], 4, np.random.default_rng(0))
    ] == [5]


def test_operators_are_drawn_uniformly_or_by_weight():
    rng = np.random.default_rng(0)
    parents = ["0:2:7"] * 3000
    even = Counter(one.operator for one in evolve(Tiny(), parents, 1, rng, taken=None))
    assert all(abs(even[name] / 3000 - 1 / 3) < 0.03 for name in Tiny().operators)
    skew = Counter(
        one.operator
        for one in evolve(
            Tiny(), parents, 1, rng, taken=None, operators={"move": 3, "easier": 1}
        )
    )
    assert abs(skew["move"] / 3000 - 0.75) < 0.03
    assert "harder" not in skew


@pytest.mark.parametrize(
    "operators", [{"shout": 1.0}, {"move": 0.0}, {"move": -1.0, "harder": 2.0}]
)
def test_wrong_operator_weights_are_refused(operators):
    with pytest.raises(ValueError, match="operators must give weights >= 0"):
        evolve(Tiny(), ["0:2:7"], 1, np.random.default_rng(0), operators=operators)


def test_a_task_without_operators_cannot_evolve():
    with pytest.raises(ValueError, match="Tiny has no rewrite operators"):
        evolve(replace(Tiny(), operators=()), ["0:2:7"], 1, np.random.default_rng(0))


@given(seed=st.integers(0, 1000), sequential=st.booleans())
@settings(max_examples=50, deadline=None)
def test_rewrites_are_new_while_there_are_new_ones(seed, sequential):
    taken = {f"0:2:{v}" for v in range(1, 500)}
    born = evolve(
        Tiny(),
        ["0:2:7"] * 10,
        4,
        np.random.default_rng(seed),
        taken=taken,
        sequential=sequential,
    )
    prompts = [one.prompt for one in born]
    assert len(set(prompts)) == len(prompts) == 40
    assert not taken & set(prompts)


def test_another_operator_is_tried_before_a_repeat_is_taken():
    world = Tiny(topics=1, variants=1)
    taken = {"0:3:1", "0:2:1"}
    born = [
        evolve(world, ["0:2:1"], 1, np.random.default_rng(s), taken=taken)[0] for s in range(20)
    ]
    assert {one.prompt for one in born} == {"0:1:1"}
    taken.add("0:1:1")
    born = [
        evolve(world, ["0:2:1"], 1, np.random.default_rng(s), taken=taken)[0] for s in range(50)
    ]
    assert {one.prompt for one in born} == {"0:1:1", "0:3:1"}


def test_invalid_and_unchanged_rewrites_are_no_rewrites():
    class Stubborn(Tiny):
        def mutate(self, prompt, operator, rng):
            return {"harder": "0:5:0", "easier": prompt, "move": "1:2:3"}[operator]

    for seed in range(10):
        (one,) = evolve(Stubborn(), ["0:2:7"], 1, np.random.default_rng(seed), taken=None)
        assert one == Lineage("1:2:3", "0:2:7", "move")


class Batched(Tiny):
    """Records how many prompts each call rewrites."""

    def mutate_all(self, prompts, operators, rng):
        self.sizes.append(len(prompts))
        return [self.mutate(*pair, rng) for pair in zip(prompts, operators, strict=True)]


def batched(**change):
    task = Batched(**change)
    object.__setattr__(task, "sizes", [])
    return task


@given(seed=st.integers(0, 1000), sequential=st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_batched_task_gives_the_same_rewrites_as_one_that_is_asked_prompt_by_prompt(
    seed, sequential
):
    parents = ["0:0:7", "0:2:7", "1:5:7"] * 4
    one, other = (
        evolve(task, parents, 3, np.random.default_rng(seed), sequential=sequential)
        for task in (Tiny(variants=5), batched(variants=5))
    )
    assert one == other


def test_all_chains_grow_by_one_rewrite_at_a_time():
    task = batched(topics=1, operators=("harder",))
    evolve(task, ["0:0:7", "0:1:7"] * 4, 3, np.random.default_rng(0))
    assert task.sizes == [8, 8, 8]
    task.sizes.clear()
    evolve(task, ["0:0:7", "0:1:7"] * 4, 3, np.random.default_rng(0), sequential=False)
    assert task.sizes == [24]


def test_only_prompts_without_a_rewrite_are_tried_again():
    task = batched(topics=1, operators=("harder",))
    born = evolve(task, ["0:5:7", "0:0:7", "0:1:7"], 2, np.random.default_rng(0))
    assert task.sizes == [3, 1, 2]
    assert [one.parent for one in born[::2]] == ["0:0:7", "0:1:7"]


def test_chains_come_back_parent_by_parent_though_they_grow_together():
    keep = np.array([[False, True, True], [True, False, False], [False] * 3])
    kept = evolve(UP, ["0:0:7", "0:2:8", "0:0:9"], 3, np.random.default_rng(0), keep=keep)
    assert [level(one.prompt) for one in kept] == [2, 3, 3]
    assert [one.parent for one in kept] == ["0:0:7", kept[0].prompt, "0:2:8"]
    assert [one.operator for one in kept] == ["harder > harder", "harder", "harder"]


def levels(prompts):
    return np.array([float(level(prompt)) for prompt in prompts])


def test_the_branch_of_highest_score_continues():
    up = evolve(
        Tiny(), ["0:1:7", "1:1:7"], 3, np.random.default_rng(0), branches=30, score=levels
    )
    assert [level(one.prompt) for one in up] == [2, 3, 4, 2, 3, 4]
    assert [one.operator for one in up] == ["harder"] * 6
    assert up[1].parent == up[0].prompt
    down = evolve(
        Tiny(), ["0:4:7"], 3, np.random.default_rng(0), branches=30, score=lambda p: -levels(p)
    )
    assert [level(one.prompt) for one in down] == [3, 2, 1]


def test_branches_are_scored_together_and_a_score_that_is_missing_is_the_lowest():
    asked = []

    def score(prompts):
        asked.append(len(prompts))
        return np.where(levels(prompts) > 2, np.nan, levels(prompts))

    parents = ["0:2:7"] * 5
    born = evolve(Tiny(), parents, 1, np.random.default_rng(0), branches=8, score=score)
    assert asked == [40]
    assert {level(one.prompt) for one in born} == {2}
    (one,) = evolve(UP, ["0:2:7"], 1, np.random.default_rng(0), branches=4, score=score)
    assert level(one.prompt) == 3


def test_a_dead_end_ends_all_its_branches():
    dead = evolve(UP, ["0:5:7"], 2, np.random.default_rng(0), branches=3, score=levels)
    assert dead == []


def test_branches_without_a_score_are_refused():
    with pytest.raises(ValueError, match="2 branches need a score to choose by"):
        evolve(Tiny(), ["0:2:7"], 1, np.random.default_rng(0), branches=2)
