"""The ten rewrite operators of eva on instructions.

Every operator keeps the family that makes the parent hard, its core: what there is to learn
from a parent is passed on to its children. ``KEEPING`` operators keep all families: they
change the form, the topic, or a value by one step. ``CHANGING`` ones add, swap or drop another
constraint.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eva_env.instruct.families import FAMILIES, LIVE, SATURATED, Value
from eva_env.instruct.instruction import Instruction, is_compatible, is_held_out
from eva_env.instruct.prompts import draw_value
from eva_env.instruct.requests import FORMS, SUBJECTS, TOPICS

Operator = Callable[[Instruction, np.random.Generator], Instruction | None]
"""Rewrites an instruction; None if it does not apply."""

PLANNED = ("sentences", "twice", "letter", "numbered")
"""Families that a response meets only if it is planned as a whole."""


def constraints(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: add a constraint of a live family."""
    return _add(instruction, list(LIVE), rng)


def deepening(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: make a value harder by one step."""
    return _step(instruction, +1, rng)


def concretizing(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: name another word or number in a constraint whose values have no order."""
    choices = [
        (family, value)
        for family, value in instruction.constraints
        if len(FAMILIES[family].values) > 1 and not FAMILIES[family].ordered
    ]
    if not choices:
        return None
    family, value = choices[rng.integers(len(choices))]
    return _with_value(instruction, family, draw_value(family, rng, other_than=value))


def reasoning(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: add a constraint for which the response must be planned as a whole."""
    return _add(instruction, PLANNED, rng)


def expansion(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: add a constraint that is easy to meet."""
    return _add(instruction, list(SATURATED), rng)


def persona(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: make the same request in another form."""
    forms = [index for index in range(len(FORMS)) if index != instruction.form]
    return replace(instruction, form=forms[rng.integers(len(forms))])


def shift_in(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: request another topic of the same subject."""
    topics = TOPICS[SUBJECTS[instruction.topic]]
    return _with_topic(instruction, topics, rng)


def shift_out(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: request a topic of another subject."""
    subject = SUBJECTS[instruction.topic]
    others = [topic for topic, of in SUBJECTS.items() if of != subject]
    return _with_topic(instruction, others, rng)


def mix(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: drop a constraint other than the core, or swap it for one of another family."""
    companions = [family for family in instruction.families if family != instruction.core]
    if not companions:
        return None
    dropped = companions[rng.integers(len(companions))]
    kept = {f: value for f, value in instruction.constraints if f != dropped}
    smaller = instruction.with_constraints(kept)
    if rng.random() < 0.5:
        return smaller
    others = [family for family in (*SATURATED, *LIVE) if family != dropped]
    return _add(smaller, others, rng)


def abstract(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: make a value easier by one step."""
    return _step(instruction, -1, rng)


def _add(
    instruction: Instruction, families: Sequence[str], rng: np.random.Generator
) -> Instruction | None:
    """Add a constraint of a family that fits; the core stays. None if none fits."""
    fitting = []
    for family in families:
        combined = (*instruction.families, family)
        if is_compatible(combined) and not is_held_out(combined):
            fitting.append(family)
    if not fitting:
        return None
    family = fitting[rng.integers(len(fitting))]
    return _with_value(instruction, family, draw_value(family, rng))


def _step(
    instruction: Instruction, direction: int, rng: np.random.Generator
) -> Instruction | None:
    """Move one value of an ordered family along its ladder; None if no value can move."""
    moved = []
    for family, value in instruction.constraints:
        values = FAMILIES[family].values
        place = values.index(value) + direction
        if FAMILIES[family].ordered and 0 <= place < len(values):
            moved.append((family, values[place]))
    if not moved:
        return None
    family, value = moved[rng.integers(len(moved))]
    return _with_value(instruction, family, value)


def _with_value(instruction: Instruction, family: str, value: Value) -> Instruction:
    return instruction.with_constraints(dict(instruction.constraints) | {family: value})


def _with_topic(
    instruction: Instruction, topics: Sequence[str], rng: np.random.Generator
) -> Instruction:
    others = [topic for topic in topics if topic != instruction.topic]
    return replace(instruction, topic=others[rng.integers(len(others))])


_DEPTH: tuple[Operator, ...] = (constraints, deepening, concretizing, reasoning, expansion)
_BREADTH: tuple[Operator, ...] = (persona, shift_in, shift_out, mix, abstract)

DEPTH = tuple(operator.__name__ for operator in _DEPTH)
BREADTH = tuple(operator.__name__ for operator in _BREADTH)

QUALITY = ("deepening", "concretizing", "persona")
"""Operators that enrich: the closest to the depth, detail and creativity of EvolQuality."""

KEEPING = {
    "persona": 3,
    "shift_in": 2,
    "shift_out": 2,
    "deepening": 2,
    "abstract": 2,
    "concretizing": 1,
}
"""Operators that keep all families, with their relative weights among themselves."""

CHANGING = {"constraints": 2, "reasoning": 1, "expansion": 1, "mix": 2}
"""Operators that add, swap or drop a constraint, with their relative weights."""

OPERATORS = {operator.__name__: operator for operator in (*_DEPTH, *_BREADTH)}


def weights(heredity: float) -> dict[str, float]:
    """Return the weight of each operator, so that KEEPING have the share ``heredity``."""
    shares = {}
    for group, share in ((KEEPING, heredity), (CHANGING, 1 - heredity)):
        total = sum(group.values())
        shares |= {name: share * weight / total for name, weight in group.items()}
    return {name: shares[name] for name in OPERATORS}
