"""The families of constraints: their sentences, their values, and their verifiers.

A family with a value has an ordered ladder of them, from easy to hard for the starting model
where that has a meaning. ``GROUPS`` sorts the families by the share of the starting model's
responses that pass: nearly all (saturated), some (live), none (out of reach).

Verifiers of families that IFEval has agree with its own on every text, which a test checks.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from eva_env.instruct.requests import (
    COMMON_WORDS,
    FIRST_WORDS,
    LETTERS,
    USUAL_LETTERS,
    VOWELS,
    WORDS,
)
from eva_env.instruct.text import sentences_of, words_of

Value = int | str | None


class Family(NamedTuple):
    """A kind of constraint."""

    sentence: str
    """Its sentence in a prompt, with a slot for the value."""
    values: tuple[Value, ...]
    """Its values; only None for a family without any."""
    met: Callable[[str, Any], bool]
    """Whether a response (first argument) meets the constraint of a value (second)."""
    ordered: bool = False
    """True if a later value is harder; the others differ in kind."""


def _count(word: str, text: str) -> int:
    """Occurrences of a word, in longer words too, as IFEval's keywords count."""
    return len(re.findall(word, text, re.IGNORECASE))


def _contains_word(word: str, text: str) -> bool:
    return re.search(rf"\b{word}\b", text, re.IGNORECASE) is not None


def _first_word(text: str) -> str:
    return (words_of(text) or [""])[0].lower()


def _numbered(text: str) -> int:
    # Blanks other than line ends: a match that crosses lines takes quadratic time.
    return len(re.findall(r"(?m)^[^\S\n]*\d+[.)] +\S", text))


def _has_title(text: str) -> bool:
    """True for double angle brackets around text on a line, as IFEval has it; linear time."""
    for line in text.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end - 2 and line[start:end].lstrip("<").rstrip(">").strip():
            return True
    return False


def _two_answers(text: str) -> bool:
    """True for two different texts with ``******`` between them, as IFEval splits."""
    parts = text.split("******")
    if any(not part.strip() for part in parts[1:-1]):
        return False
    answers = [part.strip() for part in parts if part.strip()]
    return len(answers) == 2 and answers[0] != answers[1]


def _paragraphs(text: str, number: int) -> bool:
    """True for this many paragraphs with ``***`` between them, as IFEval splits."""
    parts = re.split(r"\s?\*\*\*\s?", text)
    if any(not part.strip() for part in parts[1:-1]):
        return False
    return sum(bool(part.strip()) for part in parts) == number


NO_VALUE: tuple[Value, ...] = (None,)

SATURATED = {
    "no_semicolons": Family("Do not use any semicolons.", NO_VALUE, lambda t, _: ";" not in t),
    "no_tables": Family("Do not use any tables.", NO_VALUE, lambda t, _: "|" not in t),
    "uses_letter": Family(
        'Use the letter "{}" at least once.', USUAL_LETTERS, lambda t, v: v in t.lower()
    ),
    "lines": Family(
        "Write at most {} lines.",
        (12, 10, 8),
        lambda t, v: len(t.strip().splitlines()) <= v,
        ordered=True,
    ),
    "different_words": Family(
        "Use at least {} different words.",
        (3, 5),
        lambda t, v: len({word.lower() for word in words_of(t)}) >= v,
        ordered=True,
    ),
}
"""Families that nearly every response of the starting model meets."""

LIVE = {
    "at_most": Family(
        "Use at most {} words.",
        (35, 30, 25, 20, 15),
        lambda t, v: len(words_of(t)) <= v,
        ordered=True,
    ),
    "at_least": Family(
        "Use at least {} words.",
        (15, 20, 25, 30, 35),
        lambda t, v: len(words_of(t)) >= v,
        ordered=True,
    ),
    "sentences": Family(
        "Write exactly {} sentences.", (2, 3, 4), lambda t, v: len(sentences_of(t)) == v
    ),
    "include": Family('Include the word "{}".', WORDS, lambda t, v: _count(v, t) >= 1),
    "twice": Family('Use the word "{}" at least twice.', WORDS, lambda t, v: _count(v, t) >= 2),
    "avoid": Family(
        'Do not use the word "{}".',
        COMMON_WORDS,
        lambda t, v: not _contains_word(v, t),
        ordered=True,
    ),
    "letter": Family(
        'Do not use the letter "{}".', LETTERS, lambda t, v: v not in t.lower(), ordered=True
    ),
    "no_commas": Family("Do not use any commas.", NO_VALUE, lambda t, _: "," not in t),
    "start": Family(
        'Begin with the word "{}".', FIRST_WORDS, lambda t, v: _first_word(t) == v.lower()
    ),
    "title": Family(
        "Give it a title in double angle brackets, like <<title>>.",
        NO_VALUE,
        lambda t, _: _has_title(t),
    ),
    "numbered": Family(
        "Answer with a numbered list of exactly {} points.",
        (3, 2, 4),
        lambda t, v: _numbered(t) == v,
    ),
    "digits": Family(
        "Use {} or more numbers in digits.",
        (1, 2, 3),
        lambda t, v: len(re.findall(r"\d+", t)) >= v,
        ordered=True,
    ),
}
"""Families that some responses of the starting model meet."""

OUT_OF_REACH = {
    "lowercase": Family(
        "Write everything in lowercase letters.", NO_VALUE, lambda t, _: t.islower()
    ),
    "capitals": Family(
        "Write everything in capital letters.", NO_VALUE, lambda t, _: t.isupper()
    ),
    "lipogram": Family(
        'Do not use the letters "{}".',
        VOWELS,
        lambda t, v: not {v[0], v[-1]} & set(t.lower()),
    ),
    "two_answers": Family(
        "Give two different answers, separated by ******.",
        NO_VALUE,
        lambda t, _: _two_answers(t),
    ),
    "paragraphs": Family(
        "Write {} paragraphs, separated by ***.", (2, 3), _paragraphs, ordered=True
    ),
}
"""Families that next to no response of the starting model meets."""

GROUPS = {"saturated": SATURATED, "live": LIVE, "out of reach": OUT_OF_REACH}
"""Families by group, from easy to hard."""

FAMILIES: dict[str, Family] = SATURATED | LIVE | OUT_OF_REACH
"""All families, in the order in which a prompt has their sentences."""

GROUP_OF = {family: group for group, families in GROUPS.items() for family in families}
"""The group of each family."""

CONFLICTS = (
    frozenset({"at_most", "at_least"}),
    frozenset({"lowercase", "capitals"}),
    frozenset({"sentences", "numbered", "two_answers", "paragraphs"}),
    frozenset({"start", "title", "numbered", "two_answers"}),
    *(frozenset({"lipogram", other}) for other in ("include", "twice", "start", "uses_letter")),
    frozenset({"include", "twice"}),
)
"""Sets of families of which a prompt has one at most: no response meets two, or few can."""
