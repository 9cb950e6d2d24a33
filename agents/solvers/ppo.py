"""Proximal policy optimisation: a clipped ratio, and a critic for a baseline."""

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.losses.advantages import standardised
from agents.solvers.base import PolicySolver
from agents.solvers.online import Online
from eva_env.types import Round


@dataclass(frozen=True)
class PPO(Online):
    """Proximal policy optimisation; Schulman et al. 2017 (arXiv 1707.06347), Eq. 7.

    A response is one action, and its KL-penalised reward R stands at its end: with gamma =
    lambda = 1 generalised advantage estimation gives R - V(x). The critic V is linear in
    ``policy.features`` and fitted by least squares, where a deep one takes gradient steps; it
    is as old as the last round, so that no response is judged by a fit to itself.
    """

    epochs: int = 2
    """Passes over a round's responses."""
    decay: float = 0.5
    """What a round leaves of the weight of older ones in the critic's fit, in [0, 1]."""
    ridge: float = 1.0
    """Pull of the critic's weights to 0, in responses."""
    whiten: bool = True
    """Shift and scale a round's advantages to mean 0 and standard deviation 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay must lie in [0, 1], got {self.decay}")
        if not self.ridge > 0:
            raise ValueError(f"ridge must be positive, got {self.ridge}")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """R - V(x), whitened; the critic takes R in afterwards."""
        penalised = rewards - self.beta * kl
        inputs = solver.policy.features(round.prompts).cpu().double()
        inputs = torch.cat([inputs, torch.ones(len(inputs), 1, dtype=torch.float64)], 1)
        empty = (
            inputs.new_zeros(inputs.shape[1], inputs.shape[1]),
            inputs.new_zeros(inputs.shape[1]),
        )
        gram, moment = solver.memory.get("critic", empty)
        identity = torch.eye(len(gram), dtype=torch.float64)
        value = inputs @ torch.linalg.solve(gram + self.ridge * identity, moment)
        solver.memory["critic"] = (
            self.decay * gram + penalised.shape[1] * inputs.T @ inputs,
            self.decay * moment + inputs.T @ penalised.sum(1),
        )
        found = penalised - value[:, None]
        return standardised(found.view(1, -1), 0, 1e-8).view_as(found) if self.whiten else found
