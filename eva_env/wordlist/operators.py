"""Rewrite operators, after EvolInstruct: four in depth, three in breadth.

Each maps an instruction to a rewrite, which the task checks, or to None where it does not
apply. Adding one is a function here and its name in ``OPERATORS``.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eva_env.wordlist.instruction import FAMILIES, VERBS, Instruction
from eva_env.wordlist.lexicon import TOPIC_NAMES
from eva_env.wordlist.prompts import MAX_COUNT, constrain


def _add(
    ask: Instruction, families: Sequence[str], rng: np.random.Generator
) -> Instruction | None:
    absent = [family for family in families if getattr(ask, family) is None]
    return constrain(ask, str(rng.choice(absent)), rng) if absent else None


def constraints(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: add a requirement on the words."""
    return _add(ask, ("avoid", "contain", "size", "unique"), rng)


def deepening(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: ask for one word more."""
    return replace(ask, count=ask.count + 1) if ask.count < MAX_COUNT else None


def concretizing(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: name a word that must stand first, last or anywhere."""
    return _add(ask, ("start", "end", "include"), rng)


def reasoning(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: ask for an order, or for words of a second topic, both of which need planning."""
    return _add(ask, ("order", "mix"), rng)


def shift(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: the same request for another topic, its words and letters drawn anew."""
    others = [t for t in TOPIC_NAMES if t != ask.topic and not (ask.mix and t == ask.mix[1])]
    moved = replace(ask, topic=str(rng.choice(others)))
    for family in ("avoid", "contain", "start", "end", "include"):
        if getattr(ask, family) is not None:
            moved = constrain(moved, family, rng)
    return moved


def swap(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: one constraint is replaced by one of another family."""
    if not ask.constraints:
        return None
    without = replace(ask, **{str(rng.choice(ask.constraints)): None})
    absent = [family for family in FAMILIES if getattr(ask, family) is None]
    return constrain(without, str(rng.choice(absent)), rng) if absent else None


def rephrase(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: the same kinds of constraints with other parameters, and another verb."""
    other = replace(ask, verb=str(rng.choice(VERBS)))
    for family in ask.constraints:
        other = constrain(other, family, rng)
    return other


OPERATORS = {
    operator.__name__: operator
    for operator in (constraints, deepening, concretizing, reasoning, shift, swap, rephrase)
}
