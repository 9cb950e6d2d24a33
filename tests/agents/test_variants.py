"""Ways of rewriting in eva's loop: depth, enrichment, breadth, and the best of a tree."""

from dataclasses import fields

import numpy as np
import pytest

from agents.creators import Eva, EvolComplexity, EvolQuality, SelfInstruct, TreeBestOfN
from eva_env.tabular.world import TabularWorld
from eva_env.types import Round
from eva_env.wordlist import Wordlist
from tests.support.tiny_task import Tiny, level

VARIANTS = (EvolComplexity, EvolQuality, SelfInstruct, TreeBestOfN)
WORDLIST, TABULAR = Wordlist(), TabularWorld()


def proposals(creator, task, n=40, count=3, seed=0):
    """The proposals of some rounds in which all prompts are equally informative."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        proposal = creator.propose(task, n, rng)
        yield proposal
        rewards = np.tile([0.0, 1.0], (len(proposal.prompts), 1))
        creator.learn(
            Round(0, proposal, proposal.prompts, None, rewards, rewards[:, 1], {}), rng
        )


def edits(creator, task, **how):
    """(child, parent, operators) of all rewrites of some rounds."""
    return [
        (child, parent, path.split(" > "))
        for proposal in proposals(creator, task, **how)
        for child, parent, path in zip(
            proposal.prompts, proposal.parents, proposal.operators, strict=True
        )
        if parent is not None
    ]


@pytest.mark.parametrize("task", [WORDLIST, TABULAR, Tiny()], ids=lambda t: type(t).__name__)
@pytest.mark.parametrize(
    ("cls", "kind"),
    [(EvolComplexity, "depth"), (EvolQuality, "quality"), (SelfInstruct, "breadth")],
)
def test_each_variant_rewrites_by_all_operators_of_its_kind_and_no_others(cls, kind, task):
    made = edits(cls(), task)
    assert {name for _, _, path in made for name in path} == set(getattr(task, kind))


@pytest.mark.parametrize("task", [WORDLIST, TABULAR, Tiny()], ids=lambda t: type(t).__name__)
def test_evol_complexity_asks_for_more_with_every_rewrite(task):
    for child, parent, path in edits(EvolComplexity(), task):
        assert task.complexity(child) >= task.complexity(parent) + len(path)


def test_self_instruct_makes_each_prompt_in_one_step_from_one_that_was_answered():
    answered = set()
    for proposal in proposals(SelfInstruct(), WORDLIST):
        made = {p for p in proposal.parents if p is not None}
        assert made <= answered
        assert not any(" > " in path for path in proposal.operators if path)
        answered |= set(proposal.prompts)
    chains = edits(EvolComplexity(), WORDLIST)
    assert any(parent in {child for child, _, _ in chains} for _, parent, _ in chains)


@pytest.mark.parametrize("cls", [EvolComplexity, EvolQuality, SelfInstruct])
def test_operators_that_are_set_overrule_the_kind(cls):
    made = edits(cls(operators={"mix": 1.0, "abstract": 0.0}), WORDLIST)
    assert {name for _, _, path in made for name in path} == {"mix"}


@pytest.mark.parametrize("cls", [EvolComplexity, EvolQuality, SelfInstruct])
def test_a_task_that_declares_no_kinds_is_named(cls):
    class Plain(Tiny):
        depth = breadth = quality = ()

    with pytest.raises(ValueError, match="Plain does not say which of its operators are for"):
        list(proposals(cls(), Plain()))


@pytest.mark.parametrize("cls", [EvolComplexity, EvolQuality, SelfInstruct])
def test_a_task_without_operators_gets_the_remedy(cls):
    with pytest.raises(ValueError, match="Tiny has no rewrite operators; give --rewriter"):
        list(proposals(cls(), Tiny(operators=())))


@pytest.mark.parametrize(("branches", "harder"), [(2, 1 - 1 / 4), (3, 1 - 1 / 8)])
def test_the_best_of_n_branches_is_harder_with_one_minus_half_to_the_n(branches, harder):
    """From level 0 two of Tiny's operators apply, and one of them makes it harder."""
    creator = TreeBestOfN(branches=branches, rewrites=1, old_share=0.0, fraction=1.0)
    _, second = proposals(creator, Tiny(), n=4000, count=2)
    share = np.mean([level(prompt) == 1 for prompt in second.prompts])
    assert abs(share - harder) < 4 * np.sqrt(harder * (1 - harder) / 4000)
    _, plain = proposals(Eva(rewrites=1, old_share=0.0, fraction=1.0), Tiny(), 4000, 2)
    assert abs(np.mean([level(prompt) == 1 for prompt in plain.prompts]) - 0.5) < 0.04


def test_the_tree_continues_from_the_best_child():
    creator = TreeBestOfN(branches=40, rewrites=5, old_share=0.0)
    _, second = proposals(creator, Tiny(), n=10, count=2)
    assert sorted(map(level, second.prompts)) == sorted([1, 2, 3, 4, 5] * 2)


def test_a_tree_needs_branches_and_a_complexity():
    with pytest.raises(ValueError, match="branches must be at least 2, got 1"):
        TreeBestOfN(branches=1)

    class Plain(Tiny):
        @property
        def complexity(self):
            raise AttributeError

    with pytest.raises(ValueError, match="Plain does not say how complex a prompt is"):
        list(proposals(TreeBestOfN(), Plain()))


def test_the_variants_differ_from_eva_in_the_rewriting_alone():
    shared = {spec.name for spec in fields(Eva)} - {"sequential"}
    for cls in VARIANTS:
        assert {name: getattr(cls(), name) for name in shared} == {
            name: getattr(Eva(), name) for name in shared
        }
    assert [cls().sequential for cls in VARIANTS] == [True, True, False, True]
    assert (Eva().rewrites, Eva().fraction, Eva().signal) == (4, 0.25, "a_star_min")


@pytest.mark.parametrize(("variants", "repeats"), [(10_000, 1), (1, 2)])
def test_repeats_make_room_for_new_human_prompts_while_there_are_any(variants, repeats):
    """Both chains of the second round reach the same prompt, and end there."""

    class Narrow(Tiny):
        def mutate(self, prompt, operator, rng):
            return "0:1:1"

    world = Narrow(topics=1, levels=2, variants=variants)
    _, second = proposals(Eva(), world, n=10, count=2)
    assert second.prompts.count("0:1:1") == repeats
    assert len(second.prompts) == 10
