"""The wordlist task: human prompts, rewrite operators, and the fixed evaluation suites."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import MappingProxyType

import numpy as np

from eva_env.wordlist.answers import feasible
from eva_env.wordlist.instruction import FAMILIES, ORDERS, SIZES, VERBS, Instruction, parse
from eva_env.wordlist.lexicon import LETTERS, TOPIC_NAMES, TOPICS

MAX_CONSTRAINTS = 5
MAX_COUNT, MAX_TOTAL = 6, 8
"""Largest number of words of the first topic, and of both; those of the demonstrations."""

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
    "demonstrations": (0.15, 0.25, 0.25, 0.17, 0.11, 0.07),
}
"""Probabilities of 0, 1, 2, ... constraints by distribution."""


@dataclass(frozen=True)
class Wordlist:
    """Verifiable writing instructions: IFEval in miniature (``eva_env.wordlist``).

    Human prompts hold 0 to 2 constraints, mostly of common families and topics. The suites
    ``easy`` (like human prompts), ``hard`` (3 to 5 constraints, all families and topics alike)
    and ``unseen`` (hard, with pairs of families that no other prompt combines) are fixed by
    ``suite_seed``; ``valid`` rejects their prompts, so that no creator can publish them.
    """

    suite_seed: int = 0
    """Seed of the evaluation suites."""

    suite_size: int = 400
    """Prompts in each suite."""

    lucky: float = 0.0
    """Share of human prompts, in [0, 1], that also ask for a lucky mood: pure noise."""

    @property
    def operators(self) -> tuple[str, ...]:
        """EvolInstruct's four operators in depth, and three in breadth."""
        return tuple(OPERATORS)

    @property
    def suites(self) -> Mapping[str, tuple[str, ...]]:
        """``easy``, ``hard`` and ``unseen``, disjoint."""
        return draw_suites(self.suite_seed, self.suite_size)

    @cached_property
    def _reserved(self) -> frozenset[Instruction | None]:
        return frozenset(parse(prompt) for suite in self.suites.values() for prompt in suite)

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[str]:
        """Draw n distinct prompts of a distribution, none of them in a suite.

        Raises ValueError for an unknown distribution, or if it has fewer than n prompts.
        """
        if distribution not in DISTRIBUTIONS:
            known = ", ".join(DISTRIBUTIONS)
            raise ValueError(f"unknown distribution {distribution!r}; known: {known}")
        prompts: dict[str, None] = {}
        for _ in range(100 * n + 100):
            if len(prompts) >= n:
                return list(prompts)
            ask = draw_instruction(distribution, rng)
            if self.lucky and rng.random() < self.lucky:
                ask = replace(ask, lucky=True)
            if ask not in self._reserved:
                prompts[str(ask)] = None
        raise ValueError(
            f"found only {len(prompts)} distinct prompts of the distribution {distribution!r}, "
            f"{n} were asked for"
        )

    def mutate(self, prompt: str, operator: str, rng: np.random.Generator) -> str | None:
        """Rewrite a prompt; None where the operator does not apply or leads out of bounds."""
        if operator not in OPERATORS:
            raise ValueError(f"unknown operator {operator!r}; known: {', '.join(OPERATORS)}")
        ask = parse(prompt)
        if ask is None:
            raise ValueError(f"{prompt!r} is not an instruction of the wordlist world")
        for _ in range(8):
            child = OPERATORS[operator](ask, rng)
            if child is None:
                return None
            if child != ask and self._admits(child):
                return str(child)
        return None

    def valid(self, prompt: str) -> bool:
        """Whether the prompt parses, can be satisfied, and is not reserved for evaluation."""
        ask = parse(prompt)
        return ask is not None and self._admits(ask)

    def topic(self, prompt: str) -> str:
        """The first topic of the list."""
        ask = parse(prompt)
        return ask.topic if ask else ""

    def _admits(self, ask: Instruction) -> bool:
        return (
            within_bounds(ask)
            and not held_out(ask)
            and ask not in self._reserved
            and feasible(ask)
        )


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


def within_bounds(ask: Instruction) -> bool:
    """Whether numbers and constraints stay where demonstrations have been."""
    return (
        ask.count <= MAX_COUNT
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
        return replace(ask, mix=(int(rng.integers(2, 4)), str(rng.choice(others))))
    if family in ("avoid", "contain"):
        letters = sorted(set("".join(words)) & set(LETTERS))
        return replace(ask, **{family: str(rng.choice(letters))})
    if family == "unique":
        return replace(ask, unique=True)
    options = {"size": SIZES, "order": ORDERS}.get(family, words)
    return replace(ask, **{family: str(rng.choice(options))})


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
