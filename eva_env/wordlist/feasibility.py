"""Answers that satisfy an instruction, and whether there is one: exact, by counting."""

import numpy as np

from eva_env.wordlist.instruction import Instruction
from eva_env.wordlist.lexicon import LENGTH_OF, LONG, RANK_OF, SHORT, TOPICS, WORD_ID


def sort_key(order: str | None, word: str) -> int:
    """Position of a word in an order; words of equal key may stand in any order."""
    if order == "alphabetical":
        return int(RANK_OF[WORD_ID[word]])
    if order == "reverse":
        return -int(RANK_OF[WORD_ID[word]])
    return int(LENGTH_OF[WORD_ID[word]]) if order == "length" else 0


def allowed(ask: Instruction, topic: str) -> list[str]:
    """Words of a topic that no letter, size or order constraint rules out."""
    low = sort_key(ask.order, ask.start) if ask.start else -1000
    high = sort_key(ask.order, ask.end) if ask.end else 1000
    return [
        word
        for word in TOPICS[topic].split()
        if (ask.avoid is None or ask.avoid not in word)
        and (ask.contain is None or ask.contain in word)
        and (ask.size != "short" or len(word) <= SHORT)
        and (ask.size != "long" or len(word) >= LONG)
        and low <= sort_key(ask.order, word) <= high
    ]


def plan(ask: Instruction) -> list[tuple[list[str], list[str], int]] | None:
    """By topic: the words that must stand in the answer, the fillers, and how many fillers.

    None if no answer satisfies the instruction. A required ``include`` word is spared where
    it starts or ends the answer anyway.
    """
    required = [word for word in (ask.start, ask.end) if word]
    if ask.include and ask.include not in required:
        required.append(ask.include)
    if ask.unique and len(set(required)) < len(required):
        return None
    parts = [(ask.count, ask.topic)] + ([ask.mix] if ask.mix else [])
    planned, placed = [], 0
    for number, topic in parts:
        words = allowed(ask, topic)
        fixed = [word for word in required if word in words]
        fillers = [word for word in words if not (ask.unique and word in fixed)]
        missing = number - len(fixed)
        if missing < 0 or missing > (len(fillers) if ask.unique else 99 * len(fillers)):
            return None
        planned.append((fixed, fillers, missing))
        placed += len(fixed)
    return planned if placed == len(required) else None


def feasible(ask: Instruction) -> bool:
    """Whether some answer meets every constraint (``lucky`` aside)."""
    return plan(ask) is not None


def satisfy(ask: Instruction, rng: np.random.Generator) -> list[str]:
    """Write a random answer that meets every constraint; ValueError if there is none."""
    planned = plan(ask)
    if planned is None:
        raise ValueError(f"no answer satisfies {str(ask)!r}")
    words: list[str] = []
    for fixed, fillers, missing in planned:
        replace = not ask.unique
        words += (
            fixed + [str(w) for w in rng.choice(fillers, missing, replace=replace)]
            if missing
            else fixed
        )
    words = [words[i] for i in rng.permutation(len(words))]
    for word in (ask.start, ask.end):
        if word:
            words.remove(word)
    if ask.order:
        words.sort(key=lambda word: sort_key(ask.order, word))
    return ([ask.start] if ask.start else []) + words + ([ask.end] if ask.end else [])
