"""Creators of systems that learn without human prompts: R-Zero and Absolute Zero."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from agents.base import Logs
from agents.creators.evolving import Evolving
from agents.creators.operator_policy import OperatorPolicy
from agents.evolution.selection import weigh, weighted
from agents.evolution.similarity import cluster_shares
from eva_env.signals import pass_rate, proposer_learnability
from eva_env.types import Floats, Ints, Round, Task

PASSING = 0.9
"""A response passes from this reward on: what verifiers give a right answer, or nearly so."""


@dataclass
class RZero(Evolving):
    """R-Zero's challenger: prompts that the solver answers right half of the time.

    Huang et al. 2025 (arXiv 2508.05004): a prompt is paid max(0, 1 - 2 |p - 1/2| - repetition),
    where repetition is the share of the batch in its cluster of similar prompts; only prompts
    with |p - 1/2| <= band are used. There the challenger is trained by GRPO on that pay; here
    it weighs which prompts eva's loop evolves.
    """

    name: ClassVar[str] = "rzero"

    label: Literal["majority", "verifier"] = "verifier"
    """What is right: the most frequent of the n responses (the paper's pseudo-label), or what
    the reward model passes."""

    passing: float = PASSING
    """Reward from which a response passes, with ``label="verifier"``."""

    band: float = 0.25
    """Largest distance of p from 1/2 of a prompt to rewrite, as far as there are any."""

    repetition: float = 1.0
    """Weight of the repetition penalty."""

    similar: float = 0.5
    """Prompts that share this much of their words (Jaccard, in [0, 1]) are one cluster."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.band <= 0.5:
            raise ValueError(f"band must lie in [0, 0.5], got {self.band}")
        if not self.repetition >= 0:
            raise ValueError(f"repetition must not be negative, got {self.repetition}")
        if not 0 <= self.similar <= 1:
            raise ValueError(f"similar must lie in [0, 1], got {self.similar}")

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Note what was answered and what it pays; logs the pass rate."""
        passed = float(pass_rate(round.rewards, self.passing).mean())
        return {**super().learn(round, rng), "pass_rate": passed}

    def measure(self, round: Round) -> Floats:
        """What each prompt is paid, (B,) in [0, 1]; 0 out of the band."""
        p = pass_rate(round.rewards, self.passing)
        if self.label == "majority":
            p = agreement(round.responses)
        distance = np.abs(p - 0.5)
        repeated = self.repetition * cluster_shares(list(round.prompts), self.similar)
        pay = np.maximum(0.0, 1 - 2 * distance - repeated)
        return np.where(distance <= self.band, pay, 0.0)

    def select(self, task: Task, size: int, rng: np.random.Generator) -> Ints:
        """Indices of the answered prompts to rewrite, drawn by their pay."""
        return weighted(weigh(self.values), size, rng)


def agreement(responses: Any) -> Floats:
    """Share of the most frequent response among the n of each prompt, (B, n) -> (B,)."""
    rows = responses.tolist() if isinstance(responses, np.ndarray) else responses
    return np.array([Counter(row).most_common(1)[0][1] / len(row) for row in rows])


@dataclass
class AZR(OperatorPolicy):
    """Absolute Zero's proposer: trained to propose what is solvable, but seldom solved.

    Zhao et al. 2025 (arXiv 2505.03335): a proposal is paid 1 - p where 0 < p < 1 and else 0, p
    being the solver's pass rate; proposals start from references drawn evenly from a buffer
    of past valid ones. What is trained is the policy over operators (``OperatorPolicy``).
    """

    signal: str = "proposer_learnability"
    """What a proposal is paid for; this one at the threshold ``passing``."""

    passing: float = PASSING
    """Reward from which a response passes."""

    buffer: int = 16_384
    """Past prompts to draw references from; the oldest leave."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.buffer < 1:
            raise ValueError(f"buffer must be at least 1, got {self.buffer}")
        self.past: dict[Any, None] = {}

    def references(self) -> list[Any]:
        """The buffer."""
        return list(self.past)

    def measure(self, round: Round) -> Floats:
        """What each prompt is paid, (B,)."""
        if self.signal == "proposer_learnability":
            return proposer_learnability(round.rewards, self.passing)
        return super().measure(round)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Train the policy, and remember the round's prompts; logs the pass rate."""
        passed = float(pass_rate(round.rewards, self.passing).mean())
        logs = {**super().learn(round, rng), "pass_rate": passed}
        self.past |= dict.fromkeys(self.answered)
        for prompt in list(self.past)[: max(0, len(self.past) - self.buffer)]:
            del self.past[prompt]
        return logs
