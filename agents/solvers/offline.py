"""Methods that train on a round's (chosen, rejected) pairs, some epochs at a time."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from agents.base import Logs
from agents.batches import answered_lengths
from agents.losses import pairs as losses
from agents.losses.pairs import Pairs
from agents.optimise import Loss, optimise
from agents.solvers.base import Method, PolicySolver
from agents.solvers.pairs import Preferences, build
from eva_env.types import Ints, Round


@dataclass(frozen=True)
class Offline(Method):
    """What the methods on pairs share: build pairs, look up the reference once, minimise.

    Offline, as in eva: the round's pairs are trained on for some epochs with a fresh optimiser.
    """

    lr: float = 6e-4
    """Peak learning rate of AdamW."""
    epochs: int = 4
    """Passes over a round's pairs."""
    batch_size: int = 32
    """Pairs an update."""
    reference: Literal["round", "initial"] = "round"
    """Reference model: the policy at the start of the round (the paper's), or of the run."""
    restart: bool = False
    """Train the starting model anew on all pairs so far (the paper's "scratch"), instead of
    the current one on this round's ("incremental")."""

    @abstractmethod
    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair, (P,)."""

    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Train on the round's pairs."""
        preferences = build(round)
        logs = {"pairs": len(preferences.prompts)}
        logs["ties"] = len(round.prompts) - logs["pairs"]
        if self.restart:
            kept = [*solver.memory.get("pairs", []), preferences]
            solver.memory["pairs"] = kept
            solver.policy.load_state_dict(solver.initial.state_dict())
            preferences = Preferences.join(kept)
        if not preferences.prompts:
            return logs | {"gradient_steps": 0}
        answers = list(zip(preferences.chosen, preferences.rejected, strict=True))
        lengths = answered_lengths(solver.policy, preferences.prompts, answers)
        loss = self.on(solver, preferences, answers)
        return logs | optimise(solver.policy, loss, lengths, self, rng)

    def on(
        self, solver: PolicySolver, preferences: Preferences, answers: list[tuple[Any, Any]]
    ) -> Loss:
        """The loss as a function of pairs' indices."""
        prompts, policy = preferences.prompts, solver.policy
        reference = solver.token_logprobs(self.reference, prompts, answers).sum(-1).view(-1, 2)
        sizes = policy.lengths([one for pair in answers for one in pair]).view(-1, 2)
        wins = torch.from_numpy(
            np.stack([preferences.chosen_wins, preferences.rejected_wins], 1)
        )
        sizes, wins = sizes.to(reference), wins.to(reference)

        def loss(index: Ints) -> tuple[Tensor, dict[str, Tensor]]:
            asked = [prompts[i] for i in index for _ in range(2)]
            now = policy.logprobs(asked, [one for i in index for one in answers[i]])
            columns = (now.view(-1, 2), reference[index], sizes[index], wins[index])
            pairs = Pairs(*(part for column in columns for part in column.unbind(1)))
            return self.loss(pairs), {"accuracy": (pairs.margin > 0).float()}

        return loss


@dataclass(frozen=True)
class DPO(Offline):
    """Direct preference optimisation; Rafailov et al. 2023 (arXiv 2305.18290).

    The paper of eva has lr 5e-7, beta 0.05, 2 epochs, batch 8 for a 9 B model; the defaults
    here were tuned on the wordlist world with the creator ``Fresh`` alone.
    """

    beta: float = 0.3
    """Strength of the tie to the reference, per nat."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.beta < math.inf:
            raise ValueError(f"beta must be positive and finite, got {self.beta}")

    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair."""
        return losses.dpo(pairs, self.beta)
