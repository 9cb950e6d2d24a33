"""Distributions of instructions: human, easy, hard, unseen, uniform; and the fixed suites."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from eva_env.drawing import draw_disjoint
from eva_env.instruct.families import FAMILIES, GROUP_OF, GROUPS, LIVE, SATURATED, Value
from eva_env.instruct.instruction import (
    HELD_OUT,
    MAX_CONSTRAINTS,
    Instruction,
    is_compatible,
    is_held_out,
)
from eva_env.instruct.requests import FORMS, SUBJECTS

HUMAN_SHARES = {"saturated": 0.25, "live": 0.40, "out of reach": 0.35}
"""Share of human prompts whose core family is of a group."""

COMPANION = 0.5
"""Share of prompts with a saturated constraint in addition."""

COMMON = {"at_most": 4, "at_least": 3, "include": 3, "avoid": 2, "sentences": 2}
"""Relative frequency of live families in human prompts; the others have 1."""

EASY_VALUES = 0.7
"""Factor of each step of an ordered ladder in human prompts: easy values are the usual ones."""

HARD_OUT_OF_REACH = 0.1
"""Share of hard prompts with one live constraint and one out of reach; the others have two or
three live ones. Half of all have a saturated one in addition."""

HARD_THREE = 0.25
"""Share of the others with three."""

DISTRIBUTIONS = ("human", "easy", "hard", "unseen", "uniform")

SUITE_SEED, SUITE_SIZE = 0, 96


def draw_value(
    family: str, rng: np.random.Generator, step: float = 1.0, other_than: Value = None
) -> Value:
    """Draw a value of a family; in an ordered ladder each step's weight is ``step`` times."""
    kind = FAMILIES[family]
    values = [value for value in kind.values if value is None or value != other_than]
    weights = (step if kind.ordered else 1.0) ** np.arange(len(values))
    return values[rng.choice(len(values), p=weights / weights.sum())]


def draw_instruction(distribution: str, rng: np.random.Generator) -> Instruction:
    """Draw an instruction of one of DISTRIBUTIONS, by rejection.

    ``uniform`` has one to five constraints, of all families equally often but for conflicts.
    """
    is_human = distribution in ("human", "easy")
    request = Instruction(
        int(rng.integers(len(FORMS))), list(SUBJECTS)[rng.integers(len(SUBJECTS))], ()
    )
    while True:
        families = _human(rng) if is_human else _hard(rng)
        if distribution == "uniform":
            number = int(rng.integers(1, MAX_CONSTRAINTS + 1))
            families = [str(f) for f in rng.choice(list(FAMILIES), number, replace=False)]
        if distribution == "unseen":
            pair = HELD_OUT[rng.integers(len(HELD_OUT))]
            others = [family for family in families if family not in LIVE]
            families = [*sorted(pair), *others]
        chosen = tuple(families)
        if is_compatible(chosen) and is_held_out(chosen) == (distribution == "unseen"):
            step = EASY_VALUES if is_human else 1.0
            return request.with_constraints({f: draw_value(f, rng, step) for f in chosen})


def _human(rng: np.random.Generator) -> list[str]:
    """One core family of a group, in fixed shares, and perhaps a saturated companion."""
    shares = list(HUMAN_SHARES.values())
    group = list(HUMAN_SHARES)[rng.choice(len(shares), p=shares)]
    names = list(GROUPS[group])
    weights = np.array([COMMON.get(name, 1) for name in names], dtype=float)
    families = [names[rng.choice(len(names), p=weights / weights.sum())]]
    if rng.random() < COMPANION:
        families.append(list(SATURATED)[rng.integers(len(SATURATED))])
    return families


def _hard(rng: np.random.Generator) -> list[str]:
    """Two or three live families, or one and one out of reach; half with a companion."""
    beyond = rng.random() < HARD_OUT_OF_REACH
    number = 1 if beyond else 2 + int(rng.random() < HARD_THREE)
    families = list(rng.choice(list(LIVE), number, replace=False))
    if beyond:
        names = list(GROUPS["out of reach"])
        families.append(names[rng.integers(len(names))])
    if rng.random() < COMPANION:
        families.append(list(SATURATED)[rng.integers(len(SATURATED))])
    return [str(family) for family in families]


@lru_cache(maxsize=8)
def draw_suites(seed: int, size: int) -> Mapping[str, tuple[str, ...]]:
    """Draw the evaluation suites of a seed, each of the given size, without common prompts."""
    rng = np.random.default_rng([seed, 2412])
    return draw_disjoint(
        ("easy", "hard", "unseen"), size, lambda name: str(draw_instruction(name, rng))
    )


@lru_cache(maxsize=8)
def reserved(seed: int, size: int) -> frozenset[str]:
    """Return the prompts of all suites, which no creator may publish."""
    return frozenset(prompt for suite in draw_suites(seed, size).values() for prompt in suite)


def group_of(instruction: Instruction) -> str:
    """Return the group of the family that makes an instruction hard."""
    return GROUP_OF[instruction.core]
