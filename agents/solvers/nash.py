"""Learning from a preference instead of a reward: Nash learning from human feedback."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.base import THREES
from agents.losses.advantages import preferred
from agents.solvers.base import PolicySolver
from agents.solvers.online import Online
from agents.solvers.opponents import respond_with_opponent
from eva_env.require import require
from eva_env.types import Round


@dataclass(frozen=True)
class NashMD(Online):
    """Nash-MD-PG; Munos et al. 2023 (arXiv 2312.00886).

    Half of a prompt's responses (rounded up) are the policy's, the others those of its
    opponent, the geometric mixture of policy and starting policy. The payoff of a response is
    the probability that it is preferred to one of the opponent's, sigmoid(r - r'), minus
    1/2 and the KL penalty. Fixed point: pi ~ reference exp(P(y > opponent) / beta).
    ``clip`` isn't the paper's.
    """

    grid = Online.grid | {"mixture": THREES}

    mixture: float = 0.125
    """Share of the starting policy in the opponent, in [0, 1]: 0 is self-play, 1 plays against
    the starting policy."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[0, 1]", "mixture")

    @property
    def uses_initial(self) -> bool:
        """True: the opponent is a mixture with the starting policy."""
        return True

    def respond(
        self, solver: PolicySolver, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Return responses of the policy, followed by the opponent's."""
        # 1. The opponent is the regularised policy pi_mu of Nash-MD, not the policy itself: its
        #    pull to the reference is why the last iterate converges, not only the average.
        opponent = solver.policy.mixture(solver.initial, self.mixture)
        return respond_with_opponent(solver, opponent, prompts, n, rng)

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return the preference over the opponent's responses minus the KL penalty, (B, n)."""
        # 2. ``respond`` puts the policy's m responses first. Each is compared with every one of
        #    the opponent's, which lowers the variance of the preference.
        m = rewards.shape[1] - rewards.shape[1] // 2
        advantages = preferred(rewards[:, :m], rewards[:, m:]) - self.beta * kl[:, :m]
        # 3. The gradient is over the policy's own samples, so the opponent's count for nothing.
        return torch.cat([advantages, torch.zeros_like(rewards[:, m:])], 1)
