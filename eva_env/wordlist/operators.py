"""Rewrite operators: the ten of eva (Ye et al. 2025, App. F), five in depth, five in breadth.

Each maps an instruction to a rewrite, which the task checks, or to None if it does not apply.
To add one, write a function here and put it into ``_DEPTH`` or ``_BREADTH``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eva_env.wordlist.instruction import VERBS, Instruction
from eva_env.wordlist.lexicon import TOPIC_NAMES
from eva_env.wordlist.prompts import constrain

Operator = Callable[[Instruction, np.random.Generator], Instruction | None]

WORDED = ("avoid", "contain", "start", "end", "include")
"""Families whose parameter is a letter or a word, and so depends on the topic."""

ON_WORDS = ("start", "end", "include", "contain", "order", "avoid", "size", "unique")
"""Families that constrain the words, that is, all but ``mix``; the most specific first."""


def constraints(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: add a requirement on the words."""
    return _add(instruction, ("avoid", "contain", "size", "unique"), rng)


def deepening(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: require one more word."""
    return replace(instruction, count=instruction.count + 1)


def concretizing(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: name a word that must come first, last or anywhere."""
    return _add(instruction, ("start", "end", "include"), rng)


def reasoning(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: require an order, so that all words must be planned before the first."""
    return _add(instruction, ("order",), rng)


def expansion(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: require two more words, one of each topic if there are two."""
    if instruction.mix is None:
        return replace(instruction, count=instruction.count + 2)
    number, second = instruction.mix
    return replace(instruction, count=instruction.count + 1, mix=(number + 1, second))


def persona(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: rewrite the same kind of list as another person would.

    In this language a person shows only in the verb and in the parameters of the constraints:
    number, topics and families stay.
    """
    reworded = replace(instruction, verb=str(rng.choice(VERBS)))
    return _redraw(
        reworded, [family for family in instruction.constraints if family != "mix"], rng
    )


def shift_in(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: stay in the topic, but replace one constraint by one of another family."""
    present = [family for family in ON_WORDS if getattr(instruction, family) is not None]
    if not present:
        return None
    without = replace(instruction, **{str(rng.choice(present)): None})
    absent = [family for family in ON_WORDS if family not in present]
    return constrain(without, str(rng.choice(absent)), rng) if absent else None


def shift_out(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: change the topic, and redraw words and letters for it."""
    others = [
        t
        for t in TOPIC_NAMES
        if t != instruction.topic and not (instruction.mix and t == instruction.mix[1])
    ]
    moved = replace(instruction, topic=str(rng.choice(others)))
    return _redraw(
        moved, [family for family in WORDED if family in instruction.constraints], rng
    )


def mix(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: add words of a second topic."""
    return _add(instruction, ("mix",), rng)


def abstract(instruction: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: make it more general by dropping or loosening the most specific constraint.

    A word that must come first or last may then come anywhere, or is dropped; constraints of
    other families are dropped. Every response that satisfies the parent satisfies the child.
    """
    for family in ON_WORDS:
        word = getattr(instruction, family)
        if word is not None:
            general = replace(instruction, **{family: None})
            loosen = (
                family in ("start", "end")
                and instruction.include is None
                and rng.random() < 0.5
            )
            return replace(general, include=word) if loosen else general
    return None


def _add(
    instruction: Instruction, families: Sequence[str], rng: np.random.Generator
) -> Instruction | None:
    """Add a constraint of a family that the instruction lacks; None if it has all."""
    absent = [family for family in families if getattr(instruction, family) is None]
    return constrain(instruction, str(rng.choice(absent)), rng) if absent else None


def _redraw(
    instruction: Instruction, families: Sequence[str], rng: np.random.Generator
) -> Instruction:
    for family in families:
        instruction = constrain(instruction, family, rng)
    return instruction


_DEPTH: tuple[Operator, ...] = (constraints, deepening, concretizing, reasoning, expansion)
_BREADTH: tuple[Operator, ...] = (persona, shift_in, shift_out, mix, abstract)

DEPTH = tuple(operator.__name__ for operator in _DEPTH)
"""Operators that make the instruction harder."""

BREADTH = tuple(operator.__name__ for operator in _BREADTH)
"""Operators that change the instruction without making it harder."""

QUALITY = ("deepening", "concretizing", "persona")
"""Operators that enrich: the closest to the depth, detail and creativity of EvolQuality."""

OPERATORS = {operator.__name__: operator for operator in (*_DEPTH, *_BREADTH)}
