"""The family of methods that ascend the advantages of a round's own samples, and RLOO."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from agents.base import THREES, Logs
from agents.losses import samples as losses
from agents.losses.advantages import rloo_advantages
from agents.losses.samples import Samples
from agents.policies.base import Policy, as_sampled
from agents.policies.batches import exchange_lengths
from agents.policies.sampled import Sampled
from agents.solvers.base import Method, PolicySolver, Reference
from agents.solvers.nonfinite import ADVANTAGES, UNDER_POLICY, Explained, Inputs
from agents.solvers.optimise import LR_GRID, Loss, OptimizerSettings, optimise
from eva_env.require import require
from eva_env.types import Floats, Ints, Round

ROUNDING = 1e-12
"""Advantages up to this are rounding errors."""


@dataclass(frozen=True)
class Online(OptimizerSettings, Method):
    """The family base: advantages of the round's samples, ratios to the sampler, one pass.

    An update holds whole groups, a group being the n responses to a prompt, and the optimiser
    keeps its state between rounds. Groups without any advantage are skipped. A method gives its
    ``advantages``; by default its loss is PPO's with the ratio of whole responses.

    Only ``lr`` was tuned, and little: 5e-4, 1e-3 and 2e-3 on wordlist, one seed of four rounds
    of 256 ``Fresh`` prompts; 1e-3 is within 0.006 gold reward of the best for every method. A
    softmax table needs about 0.05.
    """

    grid = LR_GRID | {"beta": THREES}

    kl_in_loss: ClassVar[bool] = False
    """The KL penalty is a term of the loss; if False, it is part of the reward."""

    lr: float = 1e-3
    """Learning rate of AdamW."""
    batch_size: int = 256
    """Responses per update, rounded to whole groups."""
    schedule: Literal["cosine", "linear", "constant"] = "constant"
    """Learning rate within a round, after the warm-up."""
    warmup: float = 0.0
    """Share of a round's steps in which the learning rate rises."""
    beta: float = 0.01
    """Weight of the KL penalty to the reference, in reward units per nat."""
    clip: float = 0.2
    """Bound of the probability ratio to the policy that sampled, 1 - clip to 1 + clip."""
    reference: Reference = "initial"
    """Reference model of the KL penalty: the policy at the start of the run or of the round."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[0, inf)", "beta")
        require(self, "(0, inf]", "clip")

    @abstractmethod
    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return advantages (B, n) of rewards (B, n), given log-ratios to the reference."""

    def loss(self, samples: Samples) -> Tensor:
        """Return the loss of each response, (P,)."""
        return losses.ppo(samples, self.clip)

    def ratio(self, samples: Samples) -> Tensor:
        """Return the ratio that the loss clips, (P, 1) of responses or (P, L) of tokens."""
        return losses.response_ratio(samples)

    def bounds(self) -> tuple[float, float]:
        """Return how far the ratio may fall below 1, and rise above it."""
        return self.clip, self.clip

    def weights(self, policy: Policy, responses: list[list]) -> Floats:
        """Return the weight of each group in the mean, (I,): its number of responses."""
        return np.array([float(len(row)) for row in responses])

    def has_gradient(self, advantages: Tensor) -> Tensor:
        """Return which groups have a gradient, (B,) booleans.

        With a KL penalty in the loss, groups of equal reward have one as well; they are skipped
        only if no group of the round differs.
        """
        # Of NaN as well, so that the update names its cause.
        differs = ~(advantages.abs() <= ROUNDING).all(-1)
        if self.kl_in_loss and self.beta and differs.any():
            return torch.full_like(differs, True)
        return differs

    def check(self, solver: PolicySolver) -> None:
        """Raise ValueError if ratios to the policy that sampled are unknown."""
        try:
            as_sampled(solver.policy)
        except ValueError as error:
            raise ValueError(f"{type(self).__name__} needs ratios: {error}") from error

    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Ascend the advantages."""
        round = complete(round)
        if not len(round.prompts):
            return {"gradient_steps": 0}
        # 1. The ratios need the sampler's log-probabilities for the whole round.
        prompts, responses = list(round.prompts), [list(row) for row in round.responses]
        sampled = sampler_logprobs(solver, prompts, responses)
        reference = sampled
        if self.reference == "initial":
            reference = solver.token_logprobs("initial", prompts, responses, sampled=True)
        kl = (sampled - reference).sum(-1).view(len(prompts), -1).cpu().double()
        # 2. Weigh the responses, and skip groups that would move nothing.
        rewards = torch.from_numpy(np.ascontiguousarray(round.rewards, np.float64))
        advantages = self.advantages(rewards, kl, round, solver)
        kept = np.flatnonzero(self.has_gradient(advantages).numpy())
        logs = {"kl": kl.mean().item(), "no_gradient": 1 - len(kept) / len(prompts)}
        if not len(kept):
            return logs | {"gradient_steps": 0}
        prompts, responses = [prompts[i] for i in kept], [responses[i] for i in kept]
        n = rewards.shape[1]
        sampled = sampled.view(len(round.prompts), n, -1)[kept]
        reference = reference.view(len(round.prompts), n, -1)[kept]
        # 3. The optimiser outlives the round: the next one continues the same ascent.
        loss, inputs = self.group_loss(
            as_sampled(solver.policy), prompts, responses, sampled, reference, advantages[kept]
        )
        if solver.optimizer is None:
            solver.optimizer = self.optimizer(solver.policy)
        return logs | optimise(
            solver.policy,
            loss,
            exchange_lengths(solver.policy, prompts, responses),
            self,
            rng,
            solver.optimizer,
            weights=self.weights(solver.policy, responses),
            items_per_update=max(1, self.batch_size // n),
            explained=Explained(prompts, inputs),
        )

    def group_loss(
        self,
        policy: Policy,
        prompts: list,
        responses: list[list],
        sampled: Tensor,
        reference: Tensor,
        advantages: Tensor,
    ) -> tuple[Loss, Inputs]:
        """Return the loss and its inputs by name, as functions of groups.

        Tensors are (I, n, L) and (I, n).
        """
        n = advantages.shape[1]
        sizes = policy.lengths([response for row in responses for response in row]).view(-1, n)
        mask = torch.arange(sampled.shape[-1]) < sizes[..., None].cpu()
        mask, advantages = mask.to(sampled), advantages.to(sampled)
        low, high = self.bounds()

        def samples_of(groups: Ints) -> Samples:
            now = policy.token_logprobs(
                [prompts[i] for i in groups for _ in range(n)],
                [response for i in groups for response in responses[i]],
            )

            def rows(table: Tensor) -> Tensor:
                """Return the groups' responses, one per row, cut to the longest of them."""
                return table[groups][..., : now.shape[1]].flatten(0, 1)

            by_response = advantages[groups].flatten()
            return Samples(now, rows(sampled), rows(reference), rows(mask), by_response)

        def loss(groups: Ints) -> tuple[Tensor, dict[str, Tensor]]:
            samples = samples_of(groups)
            ratio = self.ratio(samples).detach()
            outside = ((ratio < 1 - low) | (ratio > 1 + high)).float()
            clipped = (outside * samples.mask).sum(-1) / samples.lengths
            values = self.loss(samples)
            return values.view(-1, n).sum(1), {"clipped": clipped.view(-1, n).mean(1)}

        def inputs(groups: Ints) -> dict[str, Tensor]:
            samples = samples_of(groups)
            return {
                ADVANTAGES: samples.advantages,
                f"log-probabilities {UNDER_POLICY}": samples.logprobs,
                "log-probabilities when they were sampled": samples.sampled,
                "log-probabilities under the reference": samples.reference,
            }

        return loss, inputs


@dataclass(frozen=True)
class RLOO(Online):
    """REINFORCE with a leave-one-out baseline; Ahmadian et al. 2024 (arXiv 2402.14740).

    eva's paper gives no settings; these were tuned like those of ``DPO``. ``clip`` bounds the
    ratio of whole responses.
    """

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return leave-one-out advantages of the KL-penalised rewards."""
        return rloo_advantages(rewards, kl, self.beta)


def complete(round: Round) -> Round:
    """Return the round without the prompts that have a response without a reward (NaN).

    A group's advantages compare its responses, so a group is used whole or not at all.
    """
    kept = np.flatnonzero(~np.isnan(round.rewards).any(1))
    if len(kept) == len(round.prompts):
        return round
    return replace(
        round,
        prompts=[round.prompts[i] for i in kept.tolist()],
        responses=[round.responses[i] for i in kept.tolist()],
        rewards=round.rewards[kept],
        signal=round.signal[kept],
    )


def sampler_logprobs(solver: PolicySolver, prompts: list, responses: list[list]) -> Tensor:
    """Return the log-probabilities with which responses were drawn, (I * n, longest) nats.

    They come with the responses of a language model. Where one does not carry them, the policy
    reads all of them: it has not changed since it sampled.
    """
    flat = [response for row in responses for response in row]
    carried: list[Floats] = [
        response.logprobs
        for response in flat
        if isinstance(response, Sampled) and response.logprobs is not None
    ]
    if len(carried) < len(flat):
        return solver.token_logprobs("round", prompts, responses, sampled=True)
    table = np.zeros((len(flat), max(map(len, carried))), np.float32)
    for row, logprobs in zip(table, carried, strict=True):
        row[: len(logprobs)] = logprobs
    return torch.from_numpy(table).to(next(iter(solver.policy.parameters())).device)
