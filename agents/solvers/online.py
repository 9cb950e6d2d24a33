"""What the methods that ascend the advantages of a round's own samples share, and RLOO."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from agents.base import THREES, Logs
from agents.losses import samples as losses
from agents.losses.advantages import rloo_advantages
from agents.losses.samples import Samples
from agents.policies.base import Policy
from agents.policies.batches import answered_lengths
from agents.solvers.base import GradientMethod, PolicySolver
from agents.solvers.optimise import Loss, optimise
from eva_env.types import Floats, Ints, Round

ZERO = 1e-12
"""Advantages up to this are rounding errors."""


@dataclass(frozen=True)
class Online(GradientMethod):
    """What the methods on samples share: advantages, ratios to the sampler, one pass.

    An update holds whole groups, a group being the n responses to a prompt, and the optimiser
    lives on. Groups without any advantage are skipped.

    Only ``lr`` was tuned, and little: 5e-4, 1e-3 and 2e-3 on wordlist, one seed of four rounds
    of 256 ``Fresh`` prompts; 1e-3 is within 0.006 gold reward of the best for every method. A
    softmax table wants some 0.05.
    """

    grid = GradientMethod.grid | {"beta": THREES}

    lr: float = 1e-3
    """Learning rate of AdamW."""
    batch_size: int = 256
    """Responses an update, rounded to whole groups."""
    schedule: Literal["cosine", "linear", "constant"] = "constant"
    """Learning rate within a round, after the warm-up."""
    warmup: float = 0.0
    """Share of a round's steps in which the learning rate rises."""
    beta: float = 0.01
    """Weight of the KL penalty to the reference, in reward units per nat."""
    clip: float = 0.2
    """Bound of the probability ratio to the policy that sampled, 1 - clip to 1 + clip."""
    reference: Literal["round", "initial"] = "initial"
    """Reference model of the KL penalty: the policy as it started, or at the round's start."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.beta < math.inf:
            raise ValueError(f"beta must be finite and not negative, got {self.beta}")
        if not self.clip > 0:
            raise ValueError(f"clip must be positive, got {self.clip}")

    @abstractmethod
    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Advantages (B, n) of rewards (B, n), given log-ratios to the reference (B, n)."""

    def loss(self, samples: Samples) -> Tensor:
        """Loss of each response, (P,)."""
        return losses.ppo(samples, self.clip)

    def ratio(self, samples: Samples) -> Tensor:
        """The ratio that the loss clips, (P, 1) of responses or (P, L) of tokens."""
        return losses.response_ratio(samples)

    def bounds(self) -> tuple[float, float]:
        """How far the ratio may fall below 1, and rise above it."""
        return self.clip, self.clip

    def useful(self, advantages: Tensor) -> Tensor:
        """Which groups have a gradient, (B,) booleans."""
        return (advantages.abs() > ZERO).any(-1)

    def weights(self, policy: Policy, answers: list[list]) -> Floats:
        """What each group counts for in the mean, (I,): its responses."""
        return np.array([float(len(row)) for row in answers])

    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Ascend the advantages."""
        prompts, answers = list(round.prompts), [list(row) for row in round.responses]
        sampled = solver.token_logprobs("round", prompts, answers)
        reference = sampled
        if self.reference == "initial":
            reference = solver.token_logprobs("initial", prompts, answers)
        kl = (sampled - reference).sum(-1).view(len(prompts), -1).cpu().double()
        rewards = torch.from_numpy(np.ascontiguousarray(round.rewards, np.float64))
        advantages = self.advantages(rewards, kl, round, solver)
        useful = np.flatnonzero(self.useful(advantages).numpy())
        logs = {"kl": kl.mean().item(), "no_gradient": 1 - len(useful) / len(prompts)}
        if not len(useful):
            return logs | {"gradient_steps": 0}
        prompts, answers = [prompts[i] for i in useful], [answers[i] for i in useful]
        n = rewards.shape[1]
        sampled = sampled.view(len(round.prompts), n, -1)[useful]
        reference = reference.view(len(round.prompts), n, -1)[useful]
        loss = self.on(solver, prompts, answers, sampled, reference, advantages[useful])
        if solver.optimizer is None:
            solver.optimizer = self.optimizer(solver.policy)
        return logs | optimise(
            solver.policy,
            loss,
            answered_lengths(solver.policy, prompts, answers),
            self,
            rng,
            solver.optimizer,
            weights=self.weights(solver.policy, answers),
            items=max(1, self.batch_size // n),
        )

    def on(
        self,
        solver: PolicySolver,
        prompts: list,
        answers: list[list],
        sampled: Tensor,
        reference: Tensor,
        advantages: Tensor,
    ) -> Loss:
        """The loss as a function of groups' indices; tensors are (I, n, L) and (I, n)."""
        policy, n = solver.policy, advantages.shape[1]
        sizes = policy.lengths([one for row in answers for one in row]).view(-1, n)
        mask = torch.arange(sampled.shape[-1]) < sizes[..., None].cpu()
        mask, advantages = mask.to(sampled), advantages.to(sampled)
        low, high = self.bounds()

        def loss(index: Ints) -> tuple[Tensor, dict[str, Tensor]]:
            now = policy.token_logprobs(
                [prompts[i] for i in index for _ in range(n)],
                [one for i in index for one in answers[i]],
            )
            width = now.shape[1]
            before, start, real = (
                part[index][..., :width].flatten(0, 1) for part in (sampled, reference, mask)
            )
            samples = Samples(now, before, start, real, advantages[index].flatten())
            ratio = self.ratio(samples).detach()
            far = ((ratio < 1 - low) | (ratio > 1 + high)).float()
            outside = (far * real).sum(-1) / real.sum(-1)
            values = self.loss(samples)
            return values.view(-1, n).sum(1), {"clipped": outside.view(-1, n).mean(1)}

        return loss


@dataclass(frozen=True)
class RLOO(Online):
    """REINFORCE with a leave-one-out baseline; Ahmadian et al. 2024 (arXiv 2402.14740).

    eva's paper gives no settings; these were tuned like those of ``DPO``. ``clip`` bounds the
    ratio of whole responses.
    """

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Leave-one-out advantages of the KL-penalised rewards."""
        return rloo_advantages(rewards, kl, self.beta)


def beside(one: Any, other: Any) -> Any:
    """Responses (B, m) and (B, k) to the same prompts, as (B, m + k)."""
    if isinstance(one, np.ndarray):
        return np.concatenate([one, other], 1)
    return [[*left, *right] for left, right in zip(one, other, strict=True)]


def borrowed(
    solver: PolicySolver,
    other: Policy,
    prompts: Sequence[Any],
    n: int,
    rng: np.random.Generator,
) -> Any:
    """Samples (B, n) of another policy, whose tokens the solver pays."""
    before = other.tokens
    drawn = other.sample(prompts, n, rng)
    solver.policy.tokens += other.tokens - before
    return drawn
