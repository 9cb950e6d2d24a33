"""The world of a real language model with exact rewards: ``task:instruct``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eva_env.cache import cache_folder
from eva_env.drawing import draw_distinct, draw_rewrite
from eva_env.instruct.gold import InstructGold
from eva_env.instruct.instruction import Instruction, is_held_out, parse
from eva_env.instruct.operators import BREADTH, DEPTH, OPERATORS, QUALITY, weights
from eva_env.instruct.prompts import (
    DISTRIBUTIONS,
    SUITE_SEED,
    SUITE_SIZE,
    draw_instruction,
    draw_suites,
    group_of,
    reserved,
)
from eva_env.instruct.rules import InstructRules
from eva_env.require import require
from eva_env.world import Sizes, World

MODEL = "smollm2-135m-instruct"
"""Folder of the starting policy in the cache."""


@dataclass(frozen=True)
class Instruct(World):
    """Open-ended requests in plain English under 1 to 5 verifiable constraints.

    The starting policy is SmolLM2-135M-Instruct, which ``eva fetch instruct`` brings. Human
    prompts have one core constraint, of a family that the starting policy has saturated
    (25 %), that is live (40 %) or that is out of its reach (35 %), and half of them an easy
    one in addition. The suites are ``easy`` (like human prompts), ``hard`` (2 or 3 live
    constraints) and ``unseen`` (pairs of families that no other prompt combines). They are
    fixed by ``suite_seed``; ``valid`` rejects their prompts, so no creator can publish them.
    """

    gold: Literal["strict", "partial"] = "strict"
    """The gold reward: strict, 1 for a sane response that meets all constraints, or partial,
    the share that it meets. With partial credit every prompt seems to have a signal."""

    heredity: float = 0.85
    """Share, in [0, 1], of the operators' weight on those that keep all constraints' families:
    they change the form, the topic, or a value by one step. 0.6: the share of six in ten."""

    least_logprob: float = -3.0
    """Floor of a response's mean log-probability per token under the starting policy, in nats;
    what lies below is no sane English and has a gold reward of 0. -inf checks nothing."""

    suite_seed: int = SUITE_SEED
    """Seed of the evaluation suites."""

    suite_size: int = SUITE_SIZE
    """Prompts in each suite."""

    evaluated: Literal["all", "hard"] = "all"
    """The suites that a run is evaluated on. Evaluation costs as much as a round or more; the
    prompts of the other suites stay reserved."""

    def __post_init__(self) -> None:
        require(self, "[0, 1]", "heredity")
        require(self, "[-inf, 0]", "least_logprob")
        require(self, "[0, inf)", "suite_seed")
        require(self, "[1, 2000]", "suite_size")

    sizes = Sizes(
        rounds=6,
        prompts=32,
        samples=12,
        seeds=3,
        evaluate_every=6,
        evaluation_samples=4,
        lr=0.03,
        max_tokens=48,
        temperature=0.7,
        top_p=0.95,
        max_cut_off=0.95,  # most responses of the starting policy are longer than 48 tokens
    )
    real_text = True

    @property
    def operators(self) -> tuple[str, ...]:
        """Return the ten operators of eva: ``depth`` and ``breadth``."""
        return tuple(OPERATORS)

    @property
    def operator_weights(self) -> Mapping[str, float]:
        """Return the relative frequency of each operator, by ``heredity``."""
        return weights(self.heredity)

    @property
    def depth(self) -> tuple[str, ...]:
        """Return the operators that add requirements or make them more specific."""
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
        suites = draw_suites(self.suite_seed, self.suite_size)
        return suites if self.evaluated == "all" else {"hard": suites["hard"]}

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[str]:
        """Draw n distinct prompts of a distribution, none of them in a suite.

        ValueError for an unknown distribution, or one with fewer than n prompts.
        """
        held_out = reserved(self.suite_seed, self.suite_size)

        def draw() -> str | None:
            prompt = str(draw_instruction(distribution, rng))
            return None if prompt in held_out else prompt

        return draw_distinct(n, distribution, DISTRIBUTIONS, draw)

    def mutate(self, prompt: str, operator: str, rng: np.random.Generator) -> str | None:
        """Rewrite a prompt; None if the operator does not apply or every rewrite is invalid."""
        if operator not in OPERATORS:
            raise ValueError(f"unknown operator {operator!r}; known: {', '.join(OPERATORS)}")
        return draw_rewrite(
            self._read(prompt), OPERATORS[operator], rng, lambda child: self.valid(str(child))
        )

    def complexity(self, prompt: str) -> float:
        """Return the number of constraints; ValueError for a text that is no prompt."""
        return float(len(self._read(prompt).constraints))

    def valid(self, prompt: str) -> bool:
        """Return True if the prompt parses, and no suite has it or its pair of families."""
        instruction = parse(prompt)
        if instruction is None or is_held_out(instruction.families):
            return False
        return prompt not in reserved(self.suite_seed, self.suite_size)

    def topic(self, prompt: str) -> str:
        """Return the family that makes the prompt hard, with its group; "" for other texts.

        It is what prompts differ in, more than in what they are about.
        """
        instruction = parse(prompt)
        return f"{group_of(instruction)}: {instruction.core}" if instruction else ""

    def describe_operator(self, operator: str) -> str:
        """Return the first line of the operator's docstring."""
        return (OPERATORS[operator].__doc__ or "").partition("\n")[0]

    def gold_reward(self) -> InstructGold:
        """Return the verifiers' reward, strict or partial."""
        return InstructGold(self.gold == "strict", self.least_logprob)

    def proxy_reward(self) -> InstructGold:
        """Return the partial reward without likelihood, which is easy to over-optimise.

        Against a strict gold it is the imperfect reward of ``--reward proxy``.
        """
        return InstructGold(strict=False)

    def starting_policy(self) -> str:
        """Return the folder of SmolLM2-135M-Instruct; ValueError if it was not fetched."""
        folder = cache_folder() / MODEL
        if not (folder / "config.json").is_file():
            raise ValueError(
                "the starting policy of task:instruct, SmolLM2-135M-Instruct, is not in the "
                "cache; run eva fetch instruct (93 MB, once), or give --policy FOLDER"
            )
        return str(folder)

    def read_prompt(self, text: str) -> str:
        """Return a prompt of a file; ValueError, with an example, for another text."""
        if parse(text) is None:
            raise ValueError(
                "write a request and its constraints, such as "
                "'Describe bees. Use at most 30 words.'"
            )
        return text

    def house_rules(self) -> InstructRules:
        """Return the rules for a person who plays at the terminal."""
        return InstructRules(self)

    def _read(self, prompt: str) -> Instruction:
        instruction = parse(prompt)
        if instruction is None:
            raise ValueError(f"{prompt!r} is not a prompt of the instruct world")
        return instruction
