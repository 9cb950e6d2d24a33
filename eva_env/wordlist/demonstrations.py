"""Imperfect demonstrations, which train the starting policy and leave room to improve."""

from dataclasses import replace

import numpy as np

from eva_env.wordlist.feasibility import feasible, satisfy
from eva_env.wordlist.instruction import Instruction
from eva_env.wordlist.lexicon import WORDS
from eva_env.wordlist.prompts import draw_training_instruction

HONOURED = {
    "mix": 0.5,
    "avoid": 0.75,
    "contain": 0.6,
    "size": 0.8,
    "unique": 0.7,
    "order": 0.45,
    "start": 0.9,
    "end": 0.5,
    "include": 0.8,
}
"""Probability that the demonstrator follows a constraint of a family."""

COUNT_HONOURED, TOPIC_HONOURED = 0.92, 0.95
"""Probability that the number of words is right, and that all words are of the topics."""


def demonstrate(instruction: Instruction, rng: np.random.Generator) -> list[str]:
    """Write a response that follows or forgets each constraint at random."""
    forgotten = {
        family: None for family in instruction.constraints if rng.random() > HONOURED[family]
    }
    heard = replace(instruction, **forgotten)
    if rng.random() > COUNT_HONOURED:
        other = replace(heard, count=max(1, heard.count + int(rng.choice([-1, 1]))))
        heard = other if feasible(other) else heard
    words = satisfy(heard, rng)
    if rng.random() > TOPIC_HONOURED:
        words[rng.integers(len(words))] = str(rng.choice(WORDS))
    return words


def demonstrations(n: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Write n (prompt, response) pairs; no prompt is in a suite or combines a held-out pair."""
    instructions = [draw_training_instruction("demonstrations", rng) for _ in range(n)]
    return [
        (str(instruction), " ".join(demonstrate(instruction, rng)))
        for instruction in instructions
    ]
