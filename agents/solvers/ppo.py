"""Proximal policy optimisation: a clipped ratio, and a critic for a baseline."""

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.losses.advantages import standardised
from agents.solvers.base import PolicySolver
from agents.solvers.online import Online
from eva_env.require import require
from eva_env.types import Round


@dataclass(frozen=True)
class PPO(Online):
    """Proximal policy optimisation; Schulman et al. 2017 (arXiv 1707.06347), Eq. 7.

    A response is one action, and its KL-penalised reward R comes at its end: with gamma =
    lambda = 1 generalised advantage estimation gives R - V(x). The critic V is linear in
    ``policy.features`` and fitted by least squares, where a deep one takes gradient steps. It
    dates from the last round, so that no response is compared with a fit to itself.
    """

    epochs: int = 2
    """Passes over a round's responses."""
    decay: float = 0.5
    """Factor per round on the weight of older rounds in the critic's fit, in [0, 1]."""
    ridge: float = 1.0
    """Pull of the critic's weights to 0, in responses."""
    whiten: bool = True
    """Shift and scale a round's advantages to mean 0 and standard deviation 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[0, 1]", "decay")
        require(self, "(0, inf)", "ridge")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return R - V(x), whitened; the critic is then refitted with R."""
        penalised = rewards - self.beta * kl
        inputs = solver.policy.features(round.prompts).cpu().double()
        inputs = torch.cat([inputs, torch.ones(len(inputs), 1, dtype=torch.float64)], 1)
        width = inputs.shape[1]
        empty = inputs.new_zeros(width, width), inputs.new_zeros(width)
        gram, moment = solver.memory.get("critic", empty)
        ridge = self.ridge * torch.eye(width, dtype=torch.float64)
        value = inputs @ torch.linalg.solve(gram + ridge, moment)
        solver.memory["critic"] = (
            self.decay * gram + penalised.shape[1] * inputs.T @ inputs,
            self.decay * moment + inputs.T @ penalised.sum(1),
        )
        advantages = penalised - value[:, None]
        if self.whiten:
            return standardised(advantages.view(1, -1), 0, 1e-8).view_as(advantages)
        return advantages
