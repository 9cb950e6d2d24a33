"""The wordlist task: human prompts, rewrite operators, and the fixed evaluation suites."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from eva_env.wordlist.answers import feasible
from eva_env.wordlist.instruction import Instruction, parse
from eva_env.wordlist.operators import BREADTH, DEPTH, OPERATORS, QUALITY
from eva_env.wordlist.prompts import (
    DISTRIBUTIONS,
    SUITE_SEED,
    SUITE_SIZE,
    draw_instruction,
    draw_suites,
    held_out,
    reserved,
    within_bounds,
)
from eva_env.wordlist.response_rewriter import rewrite_response
from eva_env.wordlist.rules import WordlistRules
from eva_env.wordlist.verify import Gold
from eva_env.world import ResponseRewriter, Sizes, World

MISSES = 1000
"""A distribution that shows nothing new in so many draws is taken to be exhausted."""


@dataclass(frozen=True)
class Wordlist(World):
    """Verifiable writing instructions: IFEval in miniature (``eva_env.wordlist``).

    Human prompts hold 0 to 2 constraints, mostly of common families and topics. The suites
    ``easy`` (like human prompts), ``hard`` (3 to 5 constraints, all families and topics alike)
    and ``unseen`` (hard, with pairs of families that no other prompt combines) are fixed by
    ``suite_seed``; ``valid`` rejects their prompts, so that no creator can publish them.
    """

    suite_seed: int = SUITE_SEED
    """Seed of the evaluation suites."""

    suite_size: int = SUITE_SIZE
    """Prompts in each suite."""

    lucky: float = 0.0
    """Share of human prompts, in [0, 1], that also ask for a lucky mood: pure noise."""

    sizes = Sizes(rounds=8, prompts=512, samples=6, seeds=3, evaluate_every=2)

    @property
    def operators(self) -> tuple[str, ...]:
        """eva's ten: ``depth`` and ``breadth``."""
        return tuple(OPERATORS)

    @property
    def depth(self) -> tuple[str, ...]:
        """Operators that ask for more; none lowers the ``complexity``."""
        return DEPTH

    @property
    def breadth(self) -> tuple[str, ...]:
        """Operators that ask for something else."""
        return BREADTH

    @property
    def quality(self) -> tuple[str, ...]:
        """Operators that enrich what is asked."""
        return QUALITY

    @property
    def suites(self) -> Mapping[str, tuple[str, ...]]:
        """``easy``, ``hard`` and ``unseen``, disjoint."""
        return draw_suites(self.suite_seed, self.suite_size)

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[str]:
        """Draw n distinct prompts of a distribution, none of them in a suite.

        Raises ValueError for an unknown distribution, or if it has fewer than n prompts.
        """
        if distribution not in DISTRIBUTIONS:
            known = ", ".join(DISTRIBUTIONS)
            raise ValueError(f"unknown distribution {distribution!r}; known: {known}")
        prompts: dict[str, None] = {}
        misses = 0
        while len(prompts) < n and misses < MISSES:
            ask = draw_instruction(distribution, rng)
            if self.lucky and rng.random() < self.lucky:
                ask = replace(ask, lucky=True)
            fresh = ask not in reserved(self.suite_seed, self.suite_size)
            misses = 0 if fresh and str(ask) not in prompts else misses + 1
            if fresh:
                prompts[str(ask)] = None
        if len(prompts) == n:
            return list(prompts)
        raise ValueError(
            f"found only {len(prompts)} distinct prompts of the distribution {distribution!r}, "
            f"{n} were asked for"
        )

    def mutate(self, prompt: str, operator: str, rng: np.random.Generator) -> str | None:
        """Rewrite a prompt; None where the operator does not apply or leads out of bounds."""
        if operator not in OPERATORS:
            raise ValueError(f"unknown operator {operator!r}; known: {', '.join(OPERATORS)}")
        ask = self._read(prompt)
        for _ in range(8):
            child = OPERATORS[operator](ask, rng)
            if child is None:
                return None
            if child != ask and self._admits(child):
                return str(child)
        return None

    def complexity(self, prompt: str) -> float:
        """Words asked for plus constraints on them; ValueError for what is no instruction."""
        ask = self._read(prompt)
        return float(ask.total + len(ask.constraints))

    def valid(self, prompt: str) -> bool:
        """Whether the prompt parses, can be satisfied, and is not reserved for evaluation."""
        ask = parse(prompt)
        return ask is not None and self._admits(ask)

    def topic(self, prompt: str) -> str:
        """The first topic of the list."""
        ask = parse(prompt)
        return ask.topic if ask else ""

    def describe_operator(self, operator: str) -> str:
        """The first line of the operator's docstring."""
        return (OPERATORS[operator].__doc__ or "").partition("\n")[0]

    def gold_reward(self) -> Gold:
        """The verifier."""
        return Gold()

    def proxy_reward(self) -> str:
        """The learned reward model that ships with the package."""
        return "wordlist"

    def starting_policy(self) -> str:
        """The transformer that ships with the package."""
        return "wordlist"

    def response_rewriter(self) -> ResponseRewriter:
        """A function that mends what a response misses."""
        return rewrite_response

    def read_prompt(self, text: str) -> str:
        """The prompt itself; ValueError for what is neither valid nor in a suite."""
        if self.valid(text) or any(text in suite for suite in self.suites.values()):
            return text
        raise ValueError("write one like 'List three animals, without the letter e.'")

    def house_rules(self) -> WordlistRules:
        """The grammar of prompts, and the words of responses."""
        return WordlistRules(self)

    def _read(self, prompt: str) -> Instruction:
        ask = parse(prompt)
        if ask is None:
            raise ValueError(f"{prompt!r} is not an instruction of the wordlist world")
        return ask

    def _admits(self, ask: Instruction) -> bool:
        return (
            within_bounds(ask)
            and not held_out(ask)
            and ask not in reserved(self.suite_seed, self.suite_size)
            and feasible(ask)
        )
