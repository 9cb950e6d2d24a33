"""Feasibility of an instruction, exact by counting, and responses that satisfy it."""

import numpy as np

from eva_env.wordlist.instruction import Instruction
from eva_env.wordlist.lexicon import LENGTH_OF, LONG, RANK_OF, SHORT, TOPICS, WORD_ID


def sort_key(order: str | None, word: str) -> int:
    """Return the position of a word in an order; words of equal key may come in any order."""
    if order == "alphabetical":
        return int(RANK_OF[WORD_ID[word]])
    if order == "reverse":
        return -int(RANK_OF[WORD_ID[word]])
    return int(LENGTH_OF[WORD_ID[word]]) if order == "length" else 0


def allowed(instruction: Instruction, topic: str) -> list[str]:
    """Return the words of a topic that no letter, size or order constraint excludes."""
    low = sort_key(instruction.order, instruction.start) if instruction.start else -1000
    high = sort_key(instruction.order, instruction.end) if instruction.end else 1000
    return [
        word
        for word in TOPICS[topic].split()
        if (instruction.avoid is None or instruction.avoid not in word)
        and (instruction.contain is None or instruction.contain in word)
        and (instruction.size != "short" or len(word) <= SHORT)
        and (instruction.size != "long" or len(word) >= LONG)
        and low <= sort_key(instruction.order, word) <= high
    ]


def plan(instruction: Instruction) -> list[tuple[list[str], list[str], int]] | None:
    """Return per topic the required words, the possible fillers, and the number of fillers.

    None if no response satisfies the instruction. The ``include`` word is not required a second
    time where it starts or ends the response.
    """
    # 1. Collect the words that the response must contain.
    required = [word for word in (instruction.start, instruction.end) if word]
    if instruction.include and instruction.include not in required:
        required.append(instruction.include)
    if instruction.unique and len(set(required)) < len(required):
        return None
    # 2. Per topic, count the words that are missing, and check that fillers suffice.
    parts = [(instruction.count, instruction.topic)] + (
        [instruction.mix] if instruction.mix else []
    )
    planned, total_placed = [], 0
    for number, topic in parts:
        words = allowed(instruction, topic)
        placed = [word for word in required if word in words]
        fillers = [word for word in words if not (instruction.unique and word in placed)]
        missing = number - len(placed)
        if missing < 0 or missing > (len(fillers) if instruction.unique else 99 * len(fillers)):
            return None
        planned.append((placed, fillers, missing))
        total_placed += len(placed)
    # 3. A required word that no topic allows cannot be placed.
    return planned if total_placed == len(required) else None


def feasible(instruction: Instruction) -> bool:
    """Return True if some response meets every constraint, ``lucky`` excepted."""
    return plan(instruction) is not None


def satisfy(instruction: Instruction, rng: np.random.Generator) -> list[str]:
    """Write a random response that meets every constraint; ValueError if there is none."""
    planned = plan(instruction)
    if planned is None:
        raise ValueError(f"no response satisfies {str(instruction)!r}")
    words: list[str] = []
    for required, fillers, missing in planned:
        words += required
        if missing:
            drawn = rng.choice(fillers, missing, replace=not instruction.unique)
            words += [str(word) for word in drawn]
    words = [words[i] for i in rng.permutation(len(words))]
    for word in (instruction.start, instruction.end):
        if word:
            words.remove(word)
    if instruction.order:
        words.sort(key=lambda word: sort_key(instruction.order, word))
    first, last = ([word] if word else [] for word in (instruction.start, instruction.end))
    return first + words + last
