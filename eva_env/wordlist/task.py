"""The wordlist task: human prompts, rewrite operators, and the fixed evaluation suites."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from eva_env.drawing import draw_distinct, draw_rewrite
from eva_env.require import require
from eva_env.wordlist.feasibility import feasible
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


@dataclass(frozen=True)
class Wordlist(World):
    """Verifiable writing instructions: IFEval in miniature (``eva_env.wordlist``).

    Human prompts have 0 to 2 constraints, mostly of common families and topics. The suites are
    ``easy`` (like human prompts), ``hard`` (3 to 5 constraints, all families and topics equally
    often) and ``unseen`` (hard, with pairs of families that no other prompt combines). They are
    fixed by ``suite_seed``; ``valid`` rejects their prompts, so no creator can publish them.
    """

    suite_seed: int = SUITE_SEED
    """Seed of the evaluation suites."""

    suite_size: int = SUITE_SIZE
    """Prompts in each suite."""

    lucky: float = 0.0
    """Share of drawn prompts, in [0, 1], with the constraint ``lucky``: pure reward noise."""

    def __post_init__(self) -> None:
        require(self, "[0, inf)", "suite_seed")
        require(self, "[1, inf)", "suite_size")
        require(self, "[0, 1]", "lucky")

    sizes = Sizes(rounds=8, prompts=512, samples=6, seeds=3, evaluate_every=2)

    @property
    def operators(self) -> tuple[str, ...]:
        """Return the ten operators of eva: ``depth`` and ``breadth``."""
        return tuple(OPERATORS)

    @property
    def depth(self) -> tuple[str, ...]:
        """Return the operators that add requirements; none lowers the ``complexity``."""
        return DEPTH

    @property
    def breadth(self) -> tuple[str, ...]:
        """Return the operators that change the request."""
        return BREADTH

    @property
    def quality(self) -> tuple[str, ...]:
        """Return the operators that enrich the request."""
        return QUALITY

    @property
    def suites(self) -> Mapping[str, tuple[str, ...]]:
        """Return the suites ``easy``, ``hard`` and ``unseen``, which share no prompt."""
        return draw_suites(self.suite_seed, self.suite_size)

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[str]:
        """Draw n distinct prompts of a distribution, none of them in a suite.

        ValueError for an unknown distribution, or one with fewer than n prompts.
        """

        def draw() -> str | None:
            instruction = draw_instruction(distribution, rng)
            if self.lucky and rng.random() < self.lucky:
                instruction = replace(instruction, lucky=True)
            held_out = instruction in reserved(self.suite_seed, self.suite_size)
            return None if held_out else str(instruction)

        return draw_distinct(n, distribution, DISTRIBUTIONS, draw)

    def mutate(self, prompt: str, operator: str, rng: np.random.Generator) -> str | None:
        """Rewrite a prompt; None if the operator does not apply or every rewrite is invalid."""
        if operator not in OPERATORS:
            raise ValueError(f"unknown operator {operator!r}; known: {', '.join(OPERATORS)}")
        return draw_rewrite(self._read(prompt), OPERATORS[operator], rng, self._admits)

    def complexity(self, prompt: str) -> float:
        """Return the number of words plus constraints; ValueError if it is no instruction."""
        instruction = self._read(prompt)
        return float(instruction.total + len(instruction.constraints))

    def valid(self, prompt: str) -> bool:
        """Return True if the prompt parses, is feasible, and is not reserved for evaluation."""
        instruction = parse(prompt)
        return instruction is not None and self._admits(instruction)

    def topic(self, prompt: str) -> str:
        """Return the first topic of the list; empty if the prompt is no instruction."""
        instruction = parse(prompt)
        return instruction.topic if instruction else ""

    def describe_operator(self, operator: str) -> str:
        """Return the first line of the operator's docstring."""
        return (OPERATORS[operator].__doc__ or "").partition("\n")[0]

    def gold_reward(self) -> Gold:
        """Return the verifier."""
        return Gold()

    def proxy_reward(self) -> str:
        """Return the name of the learned reward model that ships with the package."""
        return "wordlist"

    def starting_policy(self) -> str:
        """Return the name of the transformer that ships with the package."""
        return "wordlist"

    def response_rewriter(self) -> ResponseRewriter:
        """Return the rewriter that repairs one broken constraint of a response."""
        return rewrite_response

    def read_prompt(self, text: str) -> str:
        """Return the prompt itself; ValueError unless it is valid or in a suite."""
        if self.valid(text) or any(text in suite for suite in self.suites.values()):
            return text
        raise ValueError("write one like 'List three animals, without the letter e.'")

    def house_rules(self) -> WordlistRules:
        """Return the grammar of prompts, and the words of responses."""
        return WordlistRules(self)

    def _read(self, prompt: str) -> Instruction:
        instruction = parse(prompt)
        if instruction is None:
            raise ValueError(f"{prompt!r} is not an instruction of the wordlist world")
        return instruction

    def _admits(self, instruction: Instruction) -> bool:
        return (
            within_bounds(instruction)
            and not held_out(instruction)
            and instruction not in reserved(self.suite_seed, self.suite_size)
            and feasible(instruction)
        )
