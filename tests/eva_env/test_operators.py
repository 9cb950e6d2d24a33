"""The ten rewrite operators of the wordlist world: each does what its docstring says."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eva_env.wordlist import Gold, Wordlist
from eva_env.wordlist.feasibility import satisfy
from eva_env.wordlist.instruction import Instruction, parse
from eva_env.wordlist.lexicon import TOPICS
from eva_env.wordlist.operators import DEPTH, OPERATORS, abstract
from eva_env.wordlist.prompts import draw_instruction

TASK = Wordlist()
instructions = st.builds(
    lambda name, seed: draw_instruction(name, np.random.default_rng(seed)),
    st.sampled_from(["human", "hard", "unseen"]),
    st.integers(0, 2**32),
)


@settings(deadline=None)
@given(instructions, st.sampled_from(sorted(OPERATORS)), st.integers(0, 2**32))
def test_operators_yield_valid_changed_prompts(
    instruction: Instruction, operator: str, seed: int
):
    child = TASK.mutate(str(instruction), operator, np.random.default_rng(seed))
    if child is not None:
        assert TASK.valid(child)
        assert child != str(instruction)


def families_of(instruction):
    return {family: getattr(instruction, family) for family in instruction.constraints}


def rewritten(instruction: Instruction, operator: str, seed: int) -> Instruction | None:
    child = TASK.mutate(str(instruction), operator, np.random.default_rng(seed))
    return parse(child) if child else None


def test_operators_are_the_ten_of_the_paper():
    assert TASK.depth == ("constraints", "deepening", "concretizing", "reasoning", "expansion")
    assert TASK.breadth == ("persona", "shift_in", "shift_out", "mix", "abstract")
    assert TASK.operators == TASK.depth + TASK.breadth
    assert set(TASK.quality) < set(TASK.operators)


@settings(deadline=None)
@given(instructions, st.sampled_from(DEPTH), st.integers(0, 2**32))
def test_depth_keeps_all_requirements_and_adds_one(instruction, operator, seed):
    child = rewritten(instruction, operator, seed)
    if child is None:
        return
    before, after = families_of(instruction), families_of(child)
    added = set(after) - set(before)
    added_words = (child.count - instruction.count, child.total - instruction.total)
    assert (child.topic, child.verb) == (instruction.topic, instruction.verb)
    assert all(after[family] == before[family] for family in set(before) - {"mix"})
    assert TASK.complexity(str(child)) == TASK.complexity(str(instruction)) + 1 + (
        operator == "expansion"
    )
    if operator == "deepening":
        assert (added, added_words) == (set(), (1, 1))
    elif operator == "expansion":
        assert (added, added_words) == (set(), (1 if instruction.mix else 2, 2))
    else:
        (family,) = added
        assert added_words == (0, 0)
        assert (
            family
            in {
                "constraints": {"avoid", "contain", "size", "unique"},
                "concretizing": {"start", "end", "include"},
                "reasoning": {"order"},
            }[operator]
        )


@settings(deadline=None)
@given(instructions, st.integers(0, 2**32))
def test_breadth_keeps_or_changes_what_it_says(instruction, seed):
    before = families_of(instruction)
    for operator in ("persona", "shift_in", "shift_out", "mix"):
        child = rewritten(instruction, operator, seed)
        if child is None:
            continue
        after = families_of(child)
        assert child.count == instruction.count
        assert (child.topic != instruction.topic) == (operator == "shift_out")
        if operator == "mix":
            assert instruction.mix is None
            assert replace(child, mix=None) == instruction
            assert child.mix[1] != instruction.topic
            continue
        assert child.mix == instruction.mix
        if operator == "shift_in":
            ((lost,), (gained,)) = set(before) - set(after), set(after) - set(before)
            assert replace(child, **{gained: None}) == replace(instruction, **{lost: None})
        else:
            assert set(after) == set(before)
        if operator == "shift_out":
            kept = ("size", "order", "unique", "mix")
            assert all(after.get(family) == before.get(family) for family in kept)
            assert child.verb == instruction.verb


@settings(deadline=None)
@given(instructions, st.integers(0, 2**32))
def test_responses_that_satisfy_the_parent_satisfy_its_abstraction(instruction, seed):
    child = rewritten(instruction, "abstract", seed)
    if child is None:
        return
    rng = np.random.default_rng(seed)
    responses = [" ".join(satisfy(instruction, rng)) for _ in range(8)]
    assert (Gold()([str(child)], [responses]) == 1).all()
    (lost,) = set(families_of(instruction)) - set(families_of(child))
    gained = set(families_of(child)) - set(families_of(instruction))
    assert gained == set() or (lost in {"start", "end"} and gained == {"include"})


def test_an_abstraction_admits_responses_that_its_parent_does_not():
    """Tries all responses of two words."""
    responses = [" ".join(a) for a in itertools.product(TOPICS["animals"].split(), repeat=2)]
    rng = np.random.default_rng(0)
    loosened = 0

    def met(instruction):
        return set(np.flatnonzero(Gold()([str(instruction)], [responses])[0] == 1))

    for family, value in {
        "start": "wolf",
        "end": "cat",
        "contain": "o",
        "size": "long",
    }.items():
        instruction = Instruction(2, "animals", unique=True, **{family: value})
        for _ in range(6):
            child = abstract(instruction, rng)
            assert met(instruction) < met(child)
            loosened += child.include == value
    assert 0 < loosened < 12


@pytest.mark.parametrize(
    ("operator", "prompt"),
    [
        ("deepening", "List six animals."),
        ("expansion", "List five animals."),
        ("expansion", "List two animals and three foods."),
        ("reasoning", "List two animals, from short to long."),
        ("shift_in", "List two animals and two foods."),
        ("mix", "List two animals and two foods."),
        ("abstract", "List two animals and two foods."),
        ("concretizing", "List two foods, starting with pie, ending with egg, including egg."),
    ],
)
def test_operators_that_do_not_apply_give_none(operator, prompt):
    assert parse(prompt)
    for seed in range(5):
        assert TASK.mutate(prompt, operator, np.random.default_rng(seed)) is None


def test_every_operator_applies_to_most_human_prompts_with_constraints():
    rng = np.random.default_rng(0)
    prompts = [p for p in TASK.seed(300, rng) if parse(p).constraints and not parse(p).mix]
    for operator in TASK.operators:
        made = [TASK.mutate(prompt, operator, rng) for prompt in prompts]
        assert np.mean([child is not None for child in made]) > 0.5, operator


def test_complexity_counts_words_and_constraints():
    assert TASK.complexity("List three animals.") == 3
    assert TASK.complexity("List three animals and two foods, without the letter e.") == 7
    with pytest.raises(ValueError, match="'Sing' is not an instruction"):
        TASK.complexity("Sing")
