"""Creators of self-play systems without human prompts: R-Zero and Absolute Zero."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from agents.base import Logs
from agents.creators.evolving import Evolving
from agents.creators.operator_policy import OperatorPolicy
from agents.evolution.selection import weigh, weighted
from agents.evolution.similarity import cluster_shares
from eva_env.require import require
from eva_env.signals import pass_rate, proposer_learnability
from eva_env.types import Floats, Ints, Round, Task

PASSING = 0.9
"""Lowest reward of a response that passes: what verifiers give a right one, or nearly so."""


@dataclass
class RZero(Evolving):
    """R-Zero's challenger: prompts that the solver answers right half of the time.

    Huang et al. 2025 (arXiv 2508.05004): a prompt is paid max(0, 1 - 2 |p - 1/2| - repetition),
    where repetition is the share of the batch in its cluster of similar prompts; only prompts
    with |p - 1/2| <= band are used. The paper trains the challenger by GRPO on this payoff;
    here the payoff weighs which prompts eva's loop evolves.
    """

    name: ClassVar[str] = "rzero"

    label: Literal["majority", "verifier"] = "verifier"
    """Count as right the most frequent of the n responses (majority, the paper's pseudo-label),
    or the responses that pass (verifier)."""

    passing: float = PASSING
    """Lowest reward of a response that passes; for label verifier."""

    band: float = 0.25
    """Largest distance of the pass rate from 1/2 at which a prompt is paid."""

    repetition: float = 1.0
    """Weight of the repetition penalty."""

    similar: float = 0.5
    """Jaccard similarity of words, in [0, 1], from which prompts are in one cluster."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[0, 0.5]", "band")
        require(self, "[0, inf]", "repetition")
        require(self, "[0, 1]", "similar")

    @property
    def counts_passes(self) -> bool:
        """True: the pass rate is logged, and paid with the label verifier."""
        return True

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Store the answered prompts and their payoffs; log the pass rate."""
        passed = float(pass_rate(round.rewards, self.passing).mean())
        return {**super().learn(round, rng), "pass_rate": passed}

    def measure(self, round: Round) -> Floats:
        """Return the payoff of each prompt, (B,) in [0, 1]; 0 outside the band."""
        p = pass_rate(round.rewards, self.passing)
        if self.label == "majority":
            p = agreement(round.responses)
        distance = np.abs(p - 0.5)
        repeated = self.repetition * cluster_shares(list(round.prompts), self.similar)
        payoff = np.maximum(0.0, 1 - 2 * distance - repeated)
        return np.where(distance <= self.band, payoff, 0.0)

    def select(self, task: Task, size: int, rng: np.random.Generator) -> Ints:
        """Draw the indices of the answered prompts to rewrite by their payoff."""
        return weighted(weigh(self.values), size, rng)


def agreement(responses: Any) -> Floats:
    """Return the share of the most frequent of each prompt's n responses, (B, n) -> (B,)."""
    rows = responses.tolist() if isinstance(responses, np.ndarray) else responses
    return np.array([Counter(row).most_common(1)[0][1] / len(row) for row in rows])


@dataclass
class AZR(OperatorPolicy):
    """Absolute Zero's proposer: trained to propose prompts that are solvable but seldom solved.

    Zhao et al. 2025 (arXiv 2505.03335): a proposal is paid 1 - p if 0 < p < 1 and else 0, p
    being the solver's pass rate; proposals start from references drawn uniformly from a buffer
    of past valid ones. Here the policy over operators is trained (``OperatorPolicy``).
    """

    signal: str = "proposer_learnability"
    """Payoff of a proposal: a registered signal, or package.module.function or
    path/to/file.py:function for your own. The default uses the threshold passing."""

    passing: float = PASSING
    """Lowest reward of a response that passes."""

    buffer: int = 16_384
    """Number of past prompts to draw references from; the oldest leave."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[1, inf)", "buffer")
        self.past: dict[Any, None] = {}

    @property
    def counts_passes(self) -> bool:
        """True: the pass rate is paid and logged."""
        return True

    def references(self) -> list[Any]:
        """Return the prompts to rewrite: the buffer."""
        return list(self.past)

    def measure(self, round: Round) -> Floats:
        """Return the payoff of each prompt, (B,)."""
        if self.signal == "proposer_learnability":
            return proposer_learnability(round.rewards, self.passing)
        return super().measure(round)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Train the policy and store the round's prompts; log the pass rate."""
        passed = float(pass_rate(round.rewards, self.passing).mean())
        logs = {**super().learn(round, rng), "pass_rate": passed}
        self.past |= dict.fromkeys(self.answered)
        excess = max(0, len(self.past) - self.buffer)
        for prompt in list(self.past)[:excess]:
            del self.past[prompt]
        return logs
