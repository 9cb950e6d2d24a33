"""A language model as judge of prompts: their complexity and their quality."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from eva_env.types import Floats

ASPECTS = {
    "complexity": "How complex is it? 1: anyone answers it at once; 5: it takes expert "
    "knowledge, many steps, or many demands to be met at once.",
    "quality": "How good is it as a prompt? 1: unclear, broken, or impossible to answer; 5: "
    "clear, specific, and worth an answer.",
}
"""The questions about a prompt, by name (Ye et al. 2025, arXiv 2411.00062, Table 7)."""

JUDGE = """Below is a prompt for an AI assistant. Don't answer it; rate it.
{aspect}
Reply with a single whole number from 1 to 5.

Prompt:
{prompt}

Rating (1 to 5):"""

RATING = re.compile(r"(?<![\d.])[1-5](?!\d|\.\d)")


class Writer(Protocol):
    """The part of a policy that rewriters and judges use; every ``Policy`` has it."""

    def sample(self, prompts: Sequence[str], n: int, rng: np.random.Generator) -> Any:
        """Draw n responses to each of B prompts, (B, n) strings."""
        ...


@dataclass(frozen=True)
class PromptJudge:
    """Rates prompts from 1 to 5 by asking a language model (Ye et al. 2025, App. E)."""

    policy: Writer
    """Rates the prompts."""

    aspects: Mapping[str, str] = field(default_factory=lambda: ASPECTS)
    """The questions about a prompt, by name."""

    def __call__(self, prompts: Sequence[str], rng: np.random.Generator) -> Floats:
        """Return ratings (P, aspects) from 1 to 5, in one call; NaN for a reply without one."""
        requests = [
            JUDGE.format(aspect=aspect, prompt=prompt)
            for prompt in prompts
            for aspect in self.aspects.values()
        ]
        replies = self.policy.sample(requests, 1, rng)
        matches = [RATING.search(reply) for (reply,) in replies]
        ratings = [float(match[0]) if match else np.nan for match in matches]
        return np.reshape(ratings, (len(prompts), len(self.aspects)))
