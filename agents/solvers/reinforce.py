"""REINFORCE with the baselines of the literature, on KL-penalised rewards R = r - beta kl."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from agents.solvers.base import PolicySolver
from agents.solvers.online import Online, beside
from eva_env.types import Round

Role = Literal["all", "origin", "operator"]


@dataclass(frozen=True)
class REINFORCE(Online):
    """R - b with a constant b; Williams 1992 ("Simple statistical gradient-following ...").

    ``clip`` bounds the ratio of whole responses; the original has one update and no ratio.
    """

    baseline: Literal["none", "batch"] = "batch"
    """b: 0, or the mean of R over the round."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.baseline not in ("none", "batch"):
            raise ValueError(f"baseline must be none or batch, got {self.baseline!r}")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """R, or R minus its mean."""
        penalised = rewards - self.beta * kl
        return penalised - penalised.mean() if self.baseline == "batch" else penalised


@dataclass(frozen=True)
class ReMax(Online):
    """R - b with b that of the greedy response; Li et al. 2023 (arXiv 2310.10505).

    The last of the n responses to a prompt is the greedy one. It's scored by the game like the
    others, so the budget is the same, and isn't learned from.
    """

    name: ClassVar[str] = "remax"

    def respond(
        self, solver: PolicySolver, prompts: Any, n: int, rng: np.random.Generator
    ) -> Any:
        """n - 1 samples and the greedy response."""
        drawn = solver.policy.sample(prompts, n - 1, rng)
        return beside(drawn, solver.policy.greedy(prompts))

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """R minus that of the greedy response, whose own advantage is 0."""
        penalised = rewards - self.beta * kl
        return penalised - penalised[:, -1:]


@dataclass(frozen=True)
class RAE(Online):
    """Role-conditioned advantage estimation; Liu et al. 2025 (SPIRAL, arXiv 2506.24119).

    R - b with b the running mean of R in the prompt's role, as it was before the round (in a
    role's first round: the round's own mean). A solver meets its prompts in different roles:
    as a human wrote them, or as one operator or another has evolved them. SPIRAL's means decay
    by 0.95 a game; these by ``decay`` a round, which holds hundreds of responses.
    """

    role: Role = "origin"
    """What makes a role: "origin" human or evolved, "operator" the one that made the prompt,
    "all" puts every prompt in one role, for the plain running mean."""
    decay: float = 0.5
    """What a round leaves of a running mean, in [0, 1)."""
    scale: bool = False
    """Divide by the role's running standard deviation as well, which SPIRAL doesn't."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role not in ("all", "origin", "operator"):
            raise ValueError(f"role must be all, origin or operator, got {self.role!r}")
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {self.decay}")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """R minus the mean of its role, whose running moments take R in afterwards."""
        penalised = rewards - self.beta * kl
        moments = dict(solver.memory.get("roles", {}))
        roles = np.array(roles_of(round, self.role))
        found = torch.zeros_like(penalised)
        for role in np.unique(roles).tolist():
            members = torch.from_numpy(roles == role)
            own = penalised[members]
            now = (own.mean().item(), own.var(correction=0).item())
            mean, variance = moments.get(role, now)
            moments[role] = tuple(
                self.decay * old + (1 - self.decay) * new
                for old, new in zip((mean, variance), now, strict=True)
            )
            found[members] = own - mean
            if self.scale and variance > 0:
                found[members] /= variance**0.5
        solver.memory["roles"] = moments
        return found


def roles_of(round: Round, role: Role) -> list[str]:
    """The role of each drawn prompt, (B,); of repeated proposals the last one's."""
    if role == "all":
        return [role] * len(round.prompts)
    proposal = round.proposal
    operators = proposal.operators or [None] * len(proposal.prompts)
    made_by = dict(zip(proposal.prompts, operators, strict=True))
    names = [made_by.get(prompt) for prompt in round.prompts]
    if role == "origin":
        return ["human" if name is None else "evolved" for name in names]
    return ["human" if name is None else name for name in names]
