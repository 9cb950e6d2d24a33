"""Learning from a preference instead of a reward: Nash learning from human feedback."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.base import THREES
from agents.losses.advantages import preferred
from agents.solvers.base import PolicySolver
from agents.solvers.online import Online, beside, borrowed
from eva_env.types import Round


@dataclass(frozen=True)
class NashMD(Online):
    """Nash-MD-PG; Munos et al. 2023 (arXiv 2312.00886).

    Half of a prompt's responses (rounded up) are the policy's, the others those of its
    opponent, the geometric mixture of policy and starting model. The payoff of a response is
    the probability that it is preferred to one of the opponent's, sigmoid(r - r'), minus
    1/2 and the KL penalty. Fixed point: pi ~ reference exp(P(y > opponent) / beta).
    ``clip`` isn't the paper's.
    """

    grid = Online.grid | {"mixture": THREES}

    mixture: float = 0.125
    """Share of the starting model in the opponent, in [0, 1]: 0 is self-play, 1 plays against
    the starting model."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.mixture <= 1 or math.isnan(self.mixture):
            raise ValueError(f"mixture must lie in [0, 1], got {self.mixture}")

    def respond(
        self, solver: PolicySolver, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Responses of the policy, and behind them those of its opponent."""
        own = solver.policy.sample(prompts, n - n // 2, rng)
        opponent = solver.policy.mixture(solver.initial, self.mixture)
        return beside(own, borrowed(solver, opponent, prompts, n // 2, rng))

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Preference over the opponent's responses minus penalty; 0 for those themselves."""
        m = rewards.shape[1] - rewards.shape[1] // 2
        own = preferred(rewards[:, :m], rewards[:, m:]) - self.beta * kl[:, :m]
        return torch.cat([own, torch.zeros_like(rewards[:, m:])], 1)
