"""REINFORCE with the baselines of the literature, on KL-penalised rewards R = r - beta kl."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from agents.losses.advantages import centred
from agents.solvers.base import PolicySolver
from agents.solvers.online import Online
from agents.solvers.opponents import join_responses
from eva_env.require import require
from eva_env.types import Round

Role = Literal["all", "origin", "operator"]


@dataclass(frozen=True)
class REINFORCE(Online):
    """R - b with a constant b; Williams 1992 ("Simple statistical gradient-following ...").

    ``clip`` bounds the ratio of whole responses; the original has one update and no ratio.
    """

    baseline: Literal["none", "batch"] = "batch"
    """The baseline b: 0, or the mean of R over the round."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.baseline not in ("none", "batch"):
            raise ValueError(f"baseline must be none or batch, got {self.baseline!r}")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return R, or R minus its mean."""
        penalised = rewards - self.beta * kl
        if self.baseline == "none":
            return penalised
        return centred(penalised.reshape(1, -1)).view_as(penalised)


@dataclass(frozen=True)
class ReMax(Online):
    """R - b with b that of the greedy response; Li et al. 2023 (arXiv 2310.10505).

    The last of the n responses to a prompt is the greedy one. The game scores it like the
    others, so the budget is the same; the policy does not learn from it.
    """

    name: ClassVar[str] = "remax"

    def respond(
        self, solver: PolicySolver, prompts: Any, n: int, rng: np.random.Generator
    ) -> Any:
        """Return n - 1 samples and the greedy response."""
        drawn = solver.policy.sample(prompts, n - 1, rng)
        return join_responses(drawn, solver.policy.greedy(prompts))

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return R minus that of the greedy response, whose own advantage is 0."""
        penalised = rewards - self.beta * kl
        return penalised - penalised[:, -1:]


@dataclass(frozen=True)
class RAE(Online):
    """Role-conditioned advantage estimation; Liu et al. 2025 (SPIRAL, arXiv 2506.24119).

    R - b with b the running mean of R in the prompt's role, as it was before the round (in a
    role's first round: the mean of that round). A solver meets its prompts in different roles:
    as a human wrote them, or as one operator or another has evolved them. SPIRAL's means decay
    by 0.95 a game; these by ``decay`` a round, which holds hundreds of responses.
    """

    role: Role = "origin"
    """Which prompts share a role: "origin" separates human from evolved prompts, "operator"
    separates them by the operator that made them, "all" has one role for the plain running
    mean."""
    decay: float = 0.5
    """Weight that a running mean keeps per round, in [0, 1)."""
    scale: bool = False
    """Divide by the role's running standard deviation as well, which SPIRAL doesn't."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role not in ("all", "origin", "operator"):
            raise ValueError(f"role must be all, origin or operator, got {self.role!r}")
        require(self, "[0, 1)", "decay")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return R minus the mean of its role; the running moments then include R."""
        penalised = rewards - self.beta * kl
        moments = dict(solver.memory.get("roles", {}))
        roles = np.array(roles_of(round, self.role))
        advantages = torch.zeros_like(penalised)
        for role in np.unique(roles).tolist():
            members = torch.from_numpy(roles == role)
            values = penalised[members]
            new_mean, new_variance = moments_of(values)
            mean, variance = moments.get(role, (new_mean, new_variance))
            moments[role] = (
                self._running(mean, new_mean),
                self._running(variance, new_variance),
            )
            advantages[members] = values - mean
            if self.scale and variance > 0:
                advantages[members] /= variance**0.5
        solver.memory["roles"] = moments
        return advantages

    def _running(self, old: float, new: float) -> float:
        """Return the running mean; of two equal numbers that number, without rounding."""
        return old if old == new else self.decay * old + (1 - self.decay) * new


def moments_of(values: Tensor) -> tuple[float, float]:
    """Return mean and population variance; of equal values that value and 0, exactly.

    Rounding would otherwise be divided by its own standard deviation.
    """
    if values.min() == values.max():
        return values.flatten()[0].item(), 0.0
    return values.mean().item(), values.var(correction=0).item()


def roles_of(round: Round, role: Role) -> list[str]:
    """Return the role of each drawn prompt, (B,); of repeated proposals the last one's."""
    if role == "all":
        return [role] * len(round.prompts)
    proposal = round.proposal
    operators = proposal.operators or [None] * len(proposal.prompts)
    operator_of = dict(zip(proposal.prompts, operators, strict=True))
    names = [operator_of.get(prompt) for prompt in round.prompts]
    if role == "origin":
        return ["human" if name is None else "evolved" for name in names]
    return ["human" if name is None else name for name in names]
