"""Online methods on pairs: two fresh responses, a preference, one step of a direct loss."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from agents.base import THREES, Logs
from agents.losses import pairs as losses
from agents.losses.pairs import Pairs
from agents.solvers.base import GradientMethod, PolicySolver
from agents.solvers.online import beside, borrowed
from agents.solvers.optimise import Loss, optimise
from agents.solvers.pair_logprobs import Lookup
from agents.solvers.pairs import Columns, Preferences, best_worst, win_rates
from eva_env.rewards.pairwise import sigmoid
from eva_env.types import Floats, Ints, Round


@dataclass(frozen=True)
class OnlinePairs(GradientMethod):
    """What OAIF and XPO share: a round's pairs are seen once, and the optimiser lives on.

    The reference is the model that the run started from. Pairs of equal reward are dropped.
    Tuned no further than the methods of ``Online``; with beta 0.1 one XPO run in three lost
    human prompts.
    """

    grid = GradientMethod.grid | {"beta": THREES}

    lr: float = 1e-3
    """Learning rate of AdamW."""
    batch_size: int = 64
    """Pairs an update."""
    schedule: Literal["cosine", "linear", "constant"] = "constant"
    """Learning rate within a round, after the warm-up."""
    warmup: float = 0.0
    """Share of a round's steps in which the learning rate rises."""
    beta: float = 0.3
    """Strength of the tie to the reference, per nat."""
    labels: Literal["greater", "drawn"] = "greater"
    """Chosen is the response of the greater reward, or one drawn by Bradley-Terry, with
    probability sigmoid(r - r'), for which alone the fixed point is reference exp(r / beta)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.beta < math.inf:
            raise ValueError(f"beta must be positive and finite, got {self.beta}")
        if self.labels not in ("greater", "drawn"):
            raise ValueError(f"labels must be greater or drawn, got {self.labels!r}")

    @abstractmethod
    def columns(self, rewards: Floats) -> Columns:
        """Columns of the two responses of each pair, (B, q) and (B, q)."""

    def loss(self, pairs: Pairs, first: Tensor) -> Tensor:
        """Loss of each pair, (P,); ``first`` says whether its first response is the chosen."""
        return losses.dpo(pairs, self.beta)

    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """One pass over the round's pairs."""
        known = self.compare(round, rng)
        logs: dict[str, float] = {"pairs": len(known.item), "ties": known.ties}
        if not known.prompts:
            return logs | {"gradient_steps": 0}
        reference = solver.token_logprobs("initial", known.prompts, known.answers).sum(-1)
        lookup = Lookup(solver.policy, known, reference.view(len(known.prompts), -1))
        if solver.optimizer is None:
            solver.optimizer = self.optimizer(solver.policy)
        return logs | optimise(
            solver.policy, self.on(lookup), lookup.lengths, self, rng, solver.optimizer
        )

    def compare(self, round: Round, rng: np.random.Generator) -> Preferences:
        """The round's pairs, a row of two answers each."""
        one, other = (side.ravel() for side in self.columns(round.rewards))
        row = np.arange(len(round.prompts)).repeat(len(one) // len(round.prompts))
        gap = round.rewards[row, one] - round.rewards[row, other]
        first = gap > 0
        if self.labels == "drawn":
            first = rng.random(len(gap)) < sigmoid(gap)
        kept = np.flatnonzero(gap != 0)
        wins = win_rates(round.rewards)
        return Preferences(
            [round.prompts[i] for i in row[kept]],
            [[round.responses[row[k]][j] for j in (one[k], other[k])] for k in kept],
            np.stack([wins[row, one], wins[row, other]], 1)[kept],
            np.arange(len(kept)),
            np.where(first, 0, 1)[kept],
            np.where(first, 1, 0)[kept],
            ties=len(gap) - len(kept),
        )

    def on(self, lookup: Lookup) -> Loss:
        """The loss as a function of pairs' indices."""
        better = torch.from_numpy(lookup.preferences.better)

        def loss(index: Ints) -> tuple[Tensor, dict[str, Tensor]]:
            pairs, number, place = lookup(index)
            values = self.loss(pairs, (better[number] == 0).to(place.device))
            accuracy = (pairs.margin > 0).float()
            return values[place.argsort()], {"accuracy": accuracy}

        return loss


@dataclass(frozen=True)
class OAIF(OnlinePairs):
    """Online DPO; Guo et al. 2024 (arXiv 2402.04792, Alg. 1), with rewards for the annotator.

    Theirs are two samples to a prompt. Of n >= 2, "first_two" takes just these, "best_worst"
    the pair of eva, which learns faster and has no Bradley-Terry labels to be drawn.
    """

    pair: Literal["first_two", "best_worst"] = "best_worst"
    """Which two of a prompt's n responses are compared."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pair not in ("first_two", "best_worst"):
            raise ValueError(f"pair must be first_two or best_worst, got {self.pair!r}")

    def columns(self, rewards: Floats) -> Columns:
        """Columns of the two responses, (B, 1) each."""
        if self.pair == "best_worst":
            return best_worst(rewards, None)
        first = np.zeros((len(rewards), 1), np.int64)
        return first, first + 1


@dataclass(frozen=True)
class XPO(OnlinePairs):
    """Exploratory preference optimisation; Xie et al. 2024 (arXiv 2405.21046, Alg. 1).

    Half of a prompt's responses (rounded up) are the policy's, the others the starting model's;
    they are compared one to one. The bonus drives the policy away from what the starting model
    says anyway. alpha = 0 is online DPO on such pairs.
    """

    grid = OnlinePairs.grid | {"alpha": THREES}

    alpha: float = 1e-3
    """Weight of the bonus, alpha * log pi(response of the starting model); TRL has 1e-5."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.alpha < math.inf:
            raise ValueError(f"alpha must be finite and not negative, got {self.alpha}")

    def respond(
        self, solver: PolicySolver, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Responses of the policy, and behind them those of the starting model."""
        own = solver.policy.sample(prompts, n - n // 2, rng)
        return beside(own, borrowed(solver, solver.initial, prompts, n // 2, rng))

    def columns(self, rewards: Floats) -> Columns:
        """The i-th response of the policy and the i-th of the starting model."""
        n = rewards.shape[1]
        own = np.tile(np.arange(n // 2), (len(rewards), 1))
        return own, own + n - n // 2

    def loss(self, pairs: Pairs, first: Tensor) -> Tensor:
        """DPO's and the bonus; the starting model's response is the second of a pair."""
        explored = torch.where(first, pairs.rejected, pairs.chosen)
        return losses.xpo(pairs, explored, self.beta, self.alpha)
