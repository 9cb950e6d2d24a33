"""Solvers that learn: a policy, and the method by which it learns from rounds.

A method is a frozen dataclass of settings that bears its paper's name. Adding one is a loss in
``agents.losses``, a small class here, and ``| Mine`` in ``AnyMethod``; that buys the name on
the command line and the contract tests. Unregistered methods play all the same.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from agents.base import Logs, Policy, Solver
from agents.losses import Pairs, Samples, dpo, rloo, rloo_advantages
from agents.optimise import Training, logprobs_in_chunks, optimise
from eva_env.types import Round


class PolicySolver(Solver):
    """Answers by sampling from a policy, which a method trains after each round."""

    def __init__(self, policy: Policy, method: "Method") -> None:
        self.policy, self.method = policy, method
        self.initial = policy.frozen()
        self.optimizer: torch.optim.Optimizer | None = None
        self.pairs: list[tuple[Any, Any, Any]] = []

    def respond(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Any:
        """Sample n responses to each prompt."""
        return self.policy.sample(prompts, n, rng)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Let the method update the policy."""
        return self.method.update(self, round, rng)

    @property
    def tokens(self) -> int:
        """Tokens sampled so far."""
        return self.policy.tokens

    def state_dict(self) -> dict[str, Any]:
        """Policy, optimiser, starting model, and what a restarting method has kept."""
        return {
            "policy": self.policy.state_dict(),
            "initial": self.initial.state_dict(),
            "optimizer": self.optimizer.state_dict() if self.optimizer else None,
            "pairs": self.pairs,
            "tokens": self.policy.tokens,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state_dict()``."""
        self.policy.load_state_dict(state["policy"])
        self.initial.load_state_dict(state["initial"])
        self.pairs, self.policy.tokens = list(state["pairs"]), state["tokens"]
        self.optimizer = None
        if state["optimizer"] is not None:
            optimizer = self.method.optimizer(self.policy)
            optimizer.load_state_dict(state["optimizer"])
            self.optimizer = optimizer

    def reference_logprobs(
        self,
        which: Literal["round", "initial"],
        prompts: Sequence[Any],
        responses: Sequence[Any],
    ) -> Tensor:
        """Log-probabilities (P,) of the policy as it stands ("round"), or as it started."""
        policy = self.policy if which == "round" else self.initial
        return logprobs_in_chunks(policy, prompts, responses)


@dataclass(frozen=True)
class Method(Training, ABC):
    """A way of learning from a round."""

    @abstractmethod
    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Change the solver's policy by what the round shows."""


@dataclass(frozen=True)
class DPO(Method):
    """Direct preference optimisation on best-against-worst pairs; Rafailov et al. 2023.

    Offline, as in eva: the round's pairs are trained on for some epochs with a fresh optimiser.
    The paper's values for a 9 B model are lr 5e-7, beta 0.05, 2 epochs, batch 8; the defaults
    here were tuned on the wordlist world with the creator ``Fresh`` alone.
    """

    beta: float = 0.3
    """Strength of the tie to the reference, per nat."""
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.beta < math.inf:
            raise ValueError(f"beta must be positive and finite, got {self.beta}")

    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair."""
        return dpo(pairs, self.beta)

    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Train on the round's best-against-worst pairs; pairs of equal reward are dropped."""
        prompts, chosen, rejected = best_against_worst(round)
        logs = {"pairs": len(prompts), "ties": len(round.prompts) - len(prompts)}
        if self.restart:
            solver.pairs.append((prompts, chosen, rejected))
            solver.policy.load_state_dict(solver.initial.state_dict())
            prompts, chosen, rejected = (
                [item for part in column for item in part]
                for column in zip(*solver.pairs, strict=True)
            )
        if not len(prompts):
            return logs | {"gradient_steps": 0}
        reference = solver.reference_logprobs(
            self.reference, [*prompts, *prompts], [*chosen, *rejected]
        ).chunk(2)

        def loss(index: np.ndarray) -> tuple[Tensor, dict[str, Tensor]]:
            asked = [prompts[i] for i in index]
            answers = [chosen[i] for i in index] + [rejected[i] for i in index]
            up, down = solver.policy.logprobs(asked + asked, answers).chunk(2)
            pairs = Pairs(up, down, reference[0][index], reference[1][index])
            return self.loss(pairs).mean(), {"accuracy": (pairs.margin > 0).float().mean()}

        trained = optimise(solver.policy, loss, len(prompts), self, rng)
        return logs | trained


@dataclass(frozen=True)
class RLOO(Method):
    """REINFORCE with a leave-one-out baseline; Ahmadian et al. 2024 (arXiv 2402.14740).

    Online: one pass over the round's responses with an optimiser that lives on. The paper
    gives no settings; these were tuned like those of ``DPO``.
    """

    beta: float = 0.01
    """Weight of the KL penalty to the reference in the reward, in reward units per nat."""
    clip: float = 0.2
    """Bound of the sequence-level probability ratio, 1 - clip to 1 + clip."""
    lr: float = 1e-3
    """Learning rate of AdamW."""
    epochs: int = 1
    """Passes over a round's responses."""
    batch_size: int = 256
    """Responses an update."""
    schedule: Literal["cosine", "linear", "constant"] = "constant"
    """Learning rate within a round, after the warm-up."""
    warmup: float = 0.0
    """Share of a round's steps in which the learning rate rises."""
    reference: Literal["round", "initial"] = "initial"
    """Reference model of the KL penalty: the policy as it started, or at the round's start."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.beta < math.inf:
            raise ValueError(f"beta must be finite and not negative, got {self.beta}")
        if not self.clip > 0:
            raise ValueError(f"clip must be positive, got {self.clip}")

    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Ascend the advantage; responses of prompts without any difference are skipped."""
        n = round.rewards.shape[1]
        prompts = [prompt for prompt in round.prompts for _ in range(n)]
        responses = [response for row in round.responses for response in row]
        sampled = logprobs_in_chunks(solver.policy, prompts, responses)
        reference = sampled
        if self.reference == "initial":
            reference = logprobs_in_chunks(solver.initial, prompts, responses)
        kl = (sampled - reference).cpu().double()
        rewards = torch.from_numpy(np.ascontiguousarray(round.rewards))
        advantages = rloo_advantages(rewards, kl.view(-1, n), self.beta).flatten()
        advantages = advantages.to(sampled)
        useful = np.flatnonzero(advantages.abs().cpu().numpy() > 1e-12)
        logs = {"kl": kl.mean().item(), "no_gradient": 1 - len(useful) / len(prompts)}
        if not len(useful):
            return logs | {"gradient_steps": 0}

        def loss(index: np.ndarray) -> tuple[Tensor, dict[str, Tensor]]:
            index = useful[index]
            now = solver.policy.logprobs(
                [prompts[i] for i in index], [responses[i] for i in index]
            )
            samples = Samples(now, sampled[index], advantages[index])
            clipped = ((now - sampled[index]).exp() - 1).abs() > self.clip
            return rloo(samples, self.clip).mean(), {"clipped": clipped.float().mean()}

        if solver.optimizer is None:
            solver.optimizer = self.optimizer(solver.policy)
        return logs | optimise(solver.policy, loss, len(useful), self, rng, solver.optimizer)


AnyMethod = DPO | RLOO
"""Every registered method; add yours with ``| Mine``."""


def best_against_worst(round: Round) -> tuple[list[Any], list[Any], list[Any]]:
    """Prompts, chosen (best) and rejected (worst) responses; without pairs of equal reward."""
    best, worst = round.rewards.argmax(1), round.rewards.argmin(1)
    kept = np.flatnonzero(round.rewards.max(1) > round.rewards.min(1)).tolist()
    return (
        [round.prompts[i] for i in kept],
        [round.responses[i][best[i]] for i in kept],
        [round.responses[i][worst[i]] for i in kept],
    )
