"""Losses: pure functions of log-probabilities, in nats, one value for each pair or response.

``chosen`` and ``rejected`` are sequence log-probabilities under the policy, ``reference_*``
the same under the reference model; shapes (P,). Adding a loss is one function here and a
method that calls it in ``agents.solvers``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


@dataclass(frozen=True, slots=True)
class Pairs:
    """Log-probabilities of P (chosen, rejected) pairs, (P,) nats each."""

    chosen: Tensor
    rejected: Tensor
    reference_chosen: Tensor
    reference_rejected: Tensor

    @property
    def margin(self) -> Tensor:
        """Chosen minus rejected log-ratio to the reference, (P,) nats."""
        return (self.chosen - self.reference_chosen) - (self.rejected - self.reference_rejected)


@dataclass(frozen=True, slots=True)
class Samples:
    """P sampled responses: log-probabilities (P,) now, when sampled, and of the reference."""

    logprobs: Tensor
    sampled: Tensor
    advantages: Tensor


def dpo(pairs: Pairs, beta: float) -> Tensor:
    """-log sigmoid(beta * margin); Rafailov et al. 2023 (arXiv 2305.18290), Eq. 7."""
    return -logsigmoid(beta * pairs.margin)


def rloo_advantages(rewards: Tensor, kl: Tensor, beta: float) -> Tensor:
    """Leave-one-out advantages of KL-penalised rewards, (B, n) -> (B, n).

    R_i - mean_{j != i} R_j with R = r - beta * kl, kl the log-ratio of policy to reference
    when sampled; Ahmadian et al. 2024 (arXiv 2402.14740), Eq. 8 and Sec. 2.1.
    """
    penalised = rewards - beta * kl
    n = rewards.shape[-1]
    return (penalised - penalised.mean(-1, keepdim=True)) * n / (n - 1)


def rloo(samples: Samples, clip: float) -> Tensor:
    """REINFORCE with sequence-level ratio, clipped as in PPO: -min(ratio A, clip(ratio) A).

    At the first step after sampling the ratio is 1 and the gradient that of
    -A log pi(y|x); Ahmadian et al. 2024, Eq. 8; Schulman et al. 2017 (1707.06347), Eq. 7.
    """
    ratio = torch.exp(samples.logprobs - samples.sampled)
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * samples.advantages, clipped * samples.advantages)
