"""Distributions of instructions: human, easy, hard, unseen, uniform and demonstrations."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from eva_env.drawing import draw_disjoint
from eva_env.wordlist.feasibility import feasible
from eva_env.wordlist.instruction import FAMILIES, ORDERS, SIZES, VERBS, Instruction, parse
from eva_env.wordlist.lexicon import LETTERS, TOPIC_NAMES, TOPICS

MAX_CONSTRAINTS = 5
MAX_COUNT, MAX_MIXED, MAX_TOTAL = 6, 3, 8
"""Largest numbers of words of the first topic, of the second and of both.

Demonstrations have no more.
"""

HELD_OUT = (
    frozenset({"order", "end"}),
    frozenset({"size", "include"}),
    frozenset({"mix", "contain"}),
)
"""Pairs of families that occur together in the suite ``unseen`` and nowhere else."""

HUMAN_FAMILIES = {
    "avoid": 16,
    "start": 16,
    "unique": 12,
    "size": 8,
    "order": 4,
    "include": 2,
    "contain": 2,
    "end": 1,
    "mix": 1,
}
"""Relative frequency of each family in human prompts: a few common ones and a long tail."""

DEMONSTRATED = {"end": 2, "include": 2, "contain": 2}
"""Families with a higher frequency than 1 in the demonstrations, as they are learnt slowly."""

HUMAN_TOPICS = (8, 8, 4, 4, 2, 2, 1, 1)
"""Relative frequency of each topic in human prompts."""

DISTRIBUTIONS: dict[str, tuple[float, ...]] = {
    "human": (0.30, 0.45, 0.25),
    "easy": (0.30, 0.45, 0.25),
    "hard": (0, 0, 0, 0.34, 0.33, 0.33),
    "unseen": (0, 0, 0, 0.34, 0.33, 0.33),
    "uniform": (1 / 6,) * 6,
    "demonstrations": (0.15, 0.25, 0.25, 0.17, 0.11, 0.07),
}
"""Probabilities of 0, 1, 2, ... constraints by distribution."""

SUITE_SEED, SUITE_SIZE = 0, 400
"""Seed and size of the suites that the shipped models were not trained on."""


@lru_cache(maxsize=8)
def draw_suites(seed: int, size: int) -> Mapping[str, tuple[str, ...]]:
    """Draw the evaluation suites of a seed, each of the given size, without common prompts."""
    rng = np.random.default_rng([seed, 2411])
    return draw_disjoint(
        ("easy", "hard", "unseen"), size, lambda name: str(draw_instruction(name, rng))
    )


@lru_cache(maxsize=8)
def reserved(seed: int = SUITE_SEED, size: int = SUITE_SIZE) -> frozenset[Instruction]:
    """Return the instructions of the suites, which neither play nor pretraining may use."""
    suites = draw_suites(seed, size).values()
    return frozenset(
        instruction for suite in suites for instruction in map(parse, suite) if instruction
    )


def draw_training_instruction(distribution: str, rng: np.random.Generator) -> Instruction:
    """Draw a feasible instruction of a distribution that is in no suite."""
    while (instruction := draw_instruction(distribution, rng)) in reserved():
        pass
    return instruction


def within_bounds(instruction: Instruction) -> bool:
    """Return True if numbers and constraints do not exceed those of the demonstrations."""
    return (
        instruction.count <= MAX_COUNT
        and (instruction.mix is None or instruction.mix[0] <= MAX_MIXED)
        and instruction.total <= MAX_TOTAL
        and len(instruction.constraints) <= MAX_CONSTRAINTS
    )


def held_out(instruction: Instruction) -> bool:
    """Return True if the instruction combines families that only ``unseen`` combines."""
    return any(pair <= set(instruction.constraints) for pair in HELD_OUT)


def draw_instruction(distribution: str, rng: np.random.Generator) -> Instruction:
    """Draw a feasible instruction of one of DISTRIBUTIONS, by rejection."""
    # 1. Set the weights of families and topics.
    is_human = distribution in ("human", "easy")
    by_family: Mapping[str, int] = {}
    if is_human:
        by_family = HUMAN_FAMILIES
    elif distribution == "demonstrations":
        by_family = DEMONSTRATED
    sizes = DISTRIBUTIONS[distribution]
    weights = np.array([by_family.get(family, 1) for family in FAMILIES], dtype=float)
    topics = np.array(HUMAN_TOPICS if is_human else [1] * len(TOPIC_NAMES), dtype=float)
    # 2. Draw until an instruction is within bounds, feasible, and held out only in ``unseen``.
    while True:
        instruction = Instruction(
            count=int(rng.integers(2, MAX_COUNT + 1)),
            topic=str(rng.choice(TOPIC_NAMES, p=topics / topics.sum())),
            verb=str(rng.choice(VERBS)),
        )
        k = int(rng.choice(len(sizes), p=sizes))
        families = list(rng.choice(FAMILIES, k, replace=False, p=weights / weights.sum()))
        if distribution == "unseen":
            pair = sorted(HELD_OUT[rng.integers(len(HELD_OUT))])
            families = (pair + [family for family in families if family not in pair])[:k]
        for family in families:
            instruction = constrain(instruction, str(family), rng)
        if (
            within_bounds(instruction)
            and held_out(instruction) == (distribution == "unseen")
            and feasible(instruction)
        ):
            return instruction


def constrain(instruction: Instruction, family: str, rng: np.random.Generator) -> Instruction:
    """Add a constraint of a family, or redraw its parameter; the result may be infeasible."""
    words = TOPICS[instruction.topic].split()
    if family == "mix":
        others = [topic for topic in TOPIC_NAMES if topic != instruction.topic]
        return replace(
            instruction, mix=(int(rng.integers(2, MAX_MIXED + 1)), str(rng.choice(others)))
        )
    if family in ("avoid", "contain"):
        letters = sorted(set("".join(words)) & set(LETTERS))
        return replace(instruction, **{family: str(rng.choice(letters))})
    if family == "unique":
        return replace(instruction, unique=True)
    options = {"size": SIZES, "order": ORDERS}.get(family, words)
    return replace(instruction, **{family: str(rng.choice(options))})
