"""Distributions of instructions: human, easy, hard, unseen, and that of the demonstrations."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from eva_env.wordlist.feasibility import feasible
from eva_env.wordlist.instruction import FAMILIES, ORDERS, SIZES, VERBS, Instruction, parse
from eva_env.wordlist.lexicon import LETTERS, TOPIC_NAMES, TOPICS

MAX_CONSTRAINTS = 5
MAX_COUNT, MAX_MIXED, MAX_TOTAL = 6, 3, 8
"""Most words of the first topic, of the second and of both: those of the demonstrations."""

HELD_OUT = (
    frozenset({"order", "end"}),
    frozenset({"size", "include"}),
    frozenset({"mix", "contain"}),
)
"""Pairs of families that stand together in the suite ``unseen`` and nowhere else."""

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
"""How often human prompts ask for each family: a few common ones and a long tail."""

DEMONSTRATED = {"end": 2, "include": 2, "contain": 2}
"""Families that the demonstrations ask for more often than once, as they are learnt slowly."""

HUMAN_TOPICS = (8, 8, 4, 4, 2, 2, 1, 1)

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
"""Of the suites that the shipped models were not trained on."""


@lru_cache(maxsize=8)
def draw_suites(seed: int, size: int) -> Mapping[str, tuple[str, ...]]:
    """The evaluation suites of a seed, each of the given size."""
    rng = np.random.default_rng([seed, 2411])
    taken: set[str] = set()
    suites = {}
    for name in ("easy", "hard", "unseen"):
        fresh: dict[str, None] = {}
        while len(fresh) < size:
            prompt = str(draw_instruction(name, rng))
            if prompt not in taken:
                fresh[prompt] = None
        taken |= set(fresh)
        suites[name] = tuple(fresh)
    return MappingProxyType(suites)


@lru_cache(maxsize=8)
def reserved(seed: int = SUITE_SEED, size: int = SUITE_SIZE) -> frozenset[Instruction]:
    """The instructions of the suites, which neither play nor pretraining may use."""
    suites = draw_suites(seed, size).values()
    return frozenset(ask for suite in suites for ask in map(parse, suite) if ask)


def draw_training_instruction(distribution: str, rng: np.random.Generator) -> Instruction:
    """One feasible instruction of a distribution that stands in no suite."""
    while (ask := draw_instruction(distribution, rng)) in reserved():
        pass
    return ask


def within_bounds(ask: Instruction) -> bool:
    """Whether numbers and constraints stay where demonstrations have been."""
    return (
        ask.count <= MAX_COUNT
        and (ask.mix is None or ask.mix[0] <= MAX_MIXED)
        and ask.total <= MAX_TOTAL
        and len(ask.constraints) <= MAX_CONSTRAINTS
    )


def held_out(ask: Instruction) -> bool:
    """Whether the instruction combines families that only ``unseen`` combines."""
    return any(pair <= set(ask.constraints) for pair in HELD_OUT)


def draw_instruction(distribution: str, rng: np.random.Generator) -> Instruction:
    """One feasible instruction of a distribution of DISTRIBUTIONS."""
    human = distribution in ("human", "easy")
    sizes = DISTRIBUTIONS[distribution]
    skew = HUMAN_FAMILIES if human else DEMONSTRATED if distribution == "demonstrations" else {}
    weights = np.array([skew.get(family, 1) for family in FAMILIES], dtype=float)
    topics = np.array(HUMAN_TOPICS if human else [1] * len(TOPIC_NAMES), dtype=float)
    while True:
        ask = Instruction(
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
            ask = constrain(ask, str(family), rng)
        if within_bounds(ask) and held_out(ask) == (distribution == "unseen") and feasible(ask):
            return ask


def constrain(ask: Instruction, family: str, rng: np.random.Generator) -> Instruction:
    """Add a constraint of a family, or draw its parameter anew; it may not be feasible."""
    words = TOPICS[ask.topic].split()
    if family == "mix":
        others = [topic for topic in TOPIC_NAMES if topic != ask.topic]
        return replace(ask, mix=(int(rng.integers(2, MAX_MIXED + 1)), str(rng.choice(others))))
    if family in ("avoid", "contain"):
        letters = sorted(set("".join(words)) & set(LETTERS))
        return replace(ask, **{family: str(rng.choice(letters))})
    if family == "unique":
        return replace(ask, unique=True)
    options = {"size": SIZES, "order": ORDERS}.get(family, words)
    return replace(ask, **{family: str(rng.choice(options))})
