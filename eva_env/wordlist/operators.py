"""Rewrite operators: the ten of eva (Ye et al. 2025, App. F), five in depth, five in breadth.

Each maps an instruction to a rewrite, which the task checks, or to None where it does not
apply. Adding one is a function here and its name in ``DEPTH`` or ``BREADTH``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eva_env.wordlist.instruction import VERBS, Instruction
from eva_env.wordlist.lexicon import TOPIC_NAMES
from eva_env.wordlist.prompts import constrain

Operator = Callable[[Instruction, np.random.Generator], Instruction | None]

WORDED = ("avoid", "contain", "start", "end", "include")
"""Families whose parameter is a letter or a word, and so hangs on the topic."""

ON_WORDS = ("start", "end", "include", "contain", "order", "avoid", "size", "unique")
"""Families that constrain the words, all but the second topic; the most specific first."""


def constraints(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: add a requirement on the words."""
    return _add(ask, ("avoid", "contain", "size", "unique"), rng)


def deepening(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: ask for one word more."""
    return replace(ask, count=ask.count + 1)


def concretizing(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: name a word that must stand first, last or anywhere."""
    return _add(ask, ("start", "end", "include"), rng)


def reasoning(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: ask for an order, which needs all words to be planned before the first."""
    return _add(ask, ("order",), rng)


def expansion(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Depth: ask for two words more, one of each topic where there are two."""
    if ask.mix is None:
        return replace(ask, count=ask.count + 2)
    number, second = ask.mix
    return replace(ask, count=ask.count + 1, mix=(number + 1, second))


def persona(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: someone else asks for the same kind of list.

    Who asks shows in this language only in the verb and in the parameters that they choose:
    number, topics and families of constraints stay.
    """
    other = replace(ask, verb=str(rng.choice(VERBS)))
    return _redraw(other, [family for family in ask.constraints if family != "mix"], rng)


def shift_in(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: another corner of the domain, one constraint replaced by another family's."""
    asked = [family for family in ON_WORDS if getattr(ask, family) is not None]
    if not asked:
        return None
    without = replace(ask, **{str(rng.choice(asked)): None})
    absent = [family for family in ON_WORDS if family not in asked]
    return constrain(without, str(rng.choice(absent)), rng) if absent else None


def shift_out(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: the same request for another topic, its words and letters drawn anew."""
    others = [t for t in TOPIC_NAMES if t != ask.topic and not (ask.mix and t == ask.mix[1])]
    moved = replace(ask, topic=str(rng.choice(others)))
    return _redraw(moved, [family for family in WORDED if family in ask.constraints], rng)


def mix(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: join the topic with words of a second one."""
    return _add(ask, ("mix",), rng)


def abstract(ask: Instruction, rng: np.random.Generator) -> Instruction | None:
    """Breadth: more general, the most specific constraint dropped or loosened.

    A word that must stand first or last may stand anywhere, or is named no more; the others
    are dropped. Whatever answers the parent answers the child.
    """
    for family in ON_WORDS:
        word = getattr(ask, family)
        if word is not None:
            general = replace(ask, **{family: None})
            loosen = family in ("start", "end") and ask.include is None and rng.random() < 0.5
            return replace(general, include=word) if loosen else general
    return None


def _add(
    ask: Instruction, families: Sequence[str], rng: np.random.Generator
) -> Instruction | None:
    absent = [family for family in families if getattr(ask, family) is None]
    return constrain(ask, str(rng.choice(absent)), rng) if absent else None


def _redraw(ask: Instruction, families: Sequence[str], rng: np.random.Generator) -> Instruction:
    for family in families:
        ask = constrain(ask, family, rng)
    return ask


_DEPTH: tuple[Operator, ...] = (constraints, deepening, concretizing, reasoning, expansion)
_BREADTH: tuple[Operator, ...] = (persona, shift_in, shift_out, mix, abstract)

DEPTH = tuple(operator.__name__ for operator in _DEPTH)
"""Operators that ask for more."""

BREADTH = tuple(operator.__name__ for operator in _BREADTH)
"""Operators that ask for something else, as much or less."""

QUALITY = ("deepening", "concretizing", "persona")
"""Operators that enrich: those nearest to the depth, detail and creativity of EvolQuality."""

OPERATORS = {operator.__name__: operator for operator in (*_DEPTH, *_BREADTH)}
