"""Online methods on pairs: two new responses, a preference, one step of a direct loss."""

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
from agents.solvers.base import Method, PolicySolver
from agents.solvers.nonfinite import Explained
from agents.solvers.opponents import respond_with_opponent
from agents.solvers.optimise import LR_GRID, Loss, OptimizerSettings, optimise
from agents.solvers.pair_logprobs import PairLogprobs
from agents.solvers.pairs import Columns, Preferences, best_worst, gaps, win_rates
from eva_env.require import require
from eva_env.rewards.pairwise import sigmoid
from eva_env.types import Floats, Ints, Round


@dataclass(frozen=True)
class OnlinePairs(OptimizerSettings, Method):
    """The family base: a round's pairs are seen once, and the optimiser keeps its state.

    The reference is the policy that the run started from. Pairs of equal reward are dropped.
    Tuned no further than the methods of ``Online``; with beta 0.1 one XPO run in three lost
    human prompts.
    """

    grid = LR_GRID | {"beta": THREES}

    lr: float = 1e-3
    """Learning rate of AdamW."""
    batch_size: int = 64
    """Pairs per update."""
    schedule: Literal["cosine", "linear", "constant"] = "constant"
    """Learning rate within a round, after the warm-up."""
    warmup: float = 0.0
    """Share of a round's steps in which the learning rate rises."""
    beta: float = 0.3
    """Strength of the tie to the reference, per nat."""
    labels: Literal["greater", "drawn"] = "greater"
    """The chosen response is that of the greater reward, or one drawn by Bradley-Terry with
    probability sigmoid(r - r'). Only drawn labels lead to reference * exp(r / beta)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "beta")
        if self.labels not in ("greater", "drawn"):
            raise ValueError(f"labels must be greater or drawn, got {self.labels!r}")

    @abstractmethod
    def columns(self, rewards: Floats) -> Columns:
        """Return the columns of the two responses of each pair, (B, q) and (B, q)."""

    def loss(self, pairs: Pairs, first: Tensor) -> Tensor:
        """Return each pair's loss, (P,); ``first`` is True where its first response won."""
        return losses.dpo(pairs, self.beta)

    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Make one pass over the round's pairs."""
        preferences = self.compare(round, rng)
        logs: dict[str, float] = {"pairs": len(preferences.item), "ties": preferences.ties}
        if not preferences.prompts:
            return logs | {"gradient_steps": 0}
        prompts, responses = preferences.prompts, preferences.responses
        reference = solver.token_logprobs("initial", prompts, responses).sum(-1)
        logprobs = PairLogprobs(solver.policy, preferences, reference.view(len(prompts), -1))
        if solver.optimizer is None:
            solver.optimizer = self.optimizer(solver.policy)
        loss = self.pair_loss(logprobs)
        return logs | optimise(
            solver.policy,
            loss,
            logprobs.lengths,
            self,
            rng,
            solver.optimizer,
            explained=Explained(prompts, logprobs.inputs),
        )

    def compare(self, round: Round, rng: np.random.Generator) -> Preferences:
        """Return the round's pairs, each in a row of two responses."""
        columns = self.columns(round.rewards)
        left, right = (side.ravel() for side in columns)
        row = np.arange(len(round.prompts)).repeat(len(left) // len(round.prompts))
        gap = gaps(round.rewards, *columns).ravel()
        left_wins = gap > 0
        if self.labels == "drawn":
            left_wins = rng.random(len(gap)) < sigmoid(gap)
        kept = np.flatnonzero(np.abs(gap) > 0)  # NaN, a missing reward, is not kept either
        wins = win_rates(round.rewards)
        return Preferences(
            [round.prompts[i] for i in row[kept]],
            [[round.responses[row[k]][j] for j in (left[k], right[k])] for k in kept],
            np.stack([wins[row, left], wins[row, right]], 1)[kept],
            np.arange(len(kept)),
            np.where(left_wins, 0, 1)[kept],
            np.where(left_wins, 1, 0)[kept],
            ties=int((gap == 0).sum()),
        )

    def pair_loss(self, logprobs: PairLogprobs) -> Loss:
        """Return the loss as a function of pairs' indices."""
        better = torch.from_numpy(logprobs.preferences.better)

        def loss(items: Ints) -> tuple[Tensor, dict[str, Tensor]]:
            pairs, pair, item = logprobs(items)
            values = self.loss(pairs, (better[pair] == 0).to(item.device))
            accuracy = (pairs.margin > 0).float()
            return values[item.argsort()], {"accuracy": accuracy}

        return loss


@dataclass(frozen=True)
class OAIF(OnlinePairs):
    """Online DPO; Guo et al. 2024 (arXiv 2402.04792, Alg. 1), with rewards for the annotator.

    They draw two samples per prompt. Of n >= 2, "first_two" takes just these, "best_worst"
    the pair of eva, which learns faster and has no Bradley-Terry labels to be drawn.
    """

    pair: Literal["first_two", "best_worst"] = "best_worst"
    """Which two of a prompt's n responses are compared."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pair not in ("first_two", "best_worst"):
            raise ValueError(f"pair must be first_two or best_worst, got {self.pair!r}")

    def columns(self, rewards: Floats) -> Columns:
        """Return the columns of the two responses, (B, 1) each."""
        if self.pair == "best_worst":
            return best_worst(rewards, None)
        first = np.zeros((len(rewards), 1), np.int64)
        return first, first + 1


@dataclass(frozen=True)
class XPO(OnlinePairs):
    """Exploratory preference optimisation; Xie et al. 2024 (arXiv 2405.21046, Alg. 1).

    Half of a prompt's responses (rounded up) are the policy's, the others the starting
    policy's; they are compared one to one. The bonus drives the policy away from what the
    starting policy says anyway. alpha = 0 is online DPO on such pairs.
    """

    grid = OnlinePairs.grid | {"alpha": THREES}

    alpha: float = 1e-3
    """Weight of the bonus, alpha * log pi(response of the starting policy); TRL has 1e-5."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[0, inf)", "alpha")

    def respond(
        self, solver: PolicySolver, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Return responses of the policy, followed by those of the starting policy."""
        return respond_with_opponent(solver, solver.initial, prompts, n, rng)

    def columns(self, rewards: Floats) -> Columns:
        """Pair the i-th response of the policy with the i-th of the starting policy."""
        n = rewards.shape[1]
        ours = np.tile(np.arange(n // 2), (len(rewards), 1))
        return ours, ours + n - n // 2

    def loss(self, pairs: Pairs, first: Tensor) -> Tensor:
        """Return DPO's loss plus the bonus, on the starting policy's response of each pair."""
        explored = torch.where(first, pairs.rejected, pairs.chosen)
        return losses.xpo(pairs, explored, self.beta, self.alpha)
