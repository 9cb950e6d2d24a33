"""Imperfect demonstrations: the starting model learns from them, and has more to learn."""

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
"""Probability that the demonstrator heeds a constraint of a family."""

COUNT_HONOURED, TOPIC_HONOURED = 0.92, 0.95


def demonstrate(ask: Instruction, rng: np.random.Generator) -> list[str]:
    """Write an answer as a careless person would: each constraint is heeded or forgotten."""
    forgotten = {f: None for f in ask.constraints if rng.random() > HONOURED[f]}
    heard = replace(ask, **forgotten)
    if rng.random() > COUNT_HONOURED:
        other = replace(heard, count=max(1, heard.count + int(rng.choice([-1, 1]))))
        heard = other if feasible(other) else heard
    words = satisfy(heard, rng)
    if rng.random() > TOPIC_HONOURED:
        words[rng.integers(len(words))] = str(rng.choice(WORDS))
    return words


def demonstrations(n: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Write n (prompt, response) pairs; no prompt is a suite's or has a held-out pair."""
    asks = [draw_training_instruction("demonstrations", rng) for _ in range(n)]
    return [(str(ask), " ".join(demonstrate(ask, rng))) for ask in asks]
