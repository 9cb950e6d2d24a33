"""Policy-gradient losses on sampled responses, and the advantages that they weigh by."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Samples:
    """P sampled responses of at most L tokens.

    ``logprobs``, ``sampled`` and ``reference`` (P, L) are log-probabilities by token, nats, of
    the policy now, of the policy that sampled, and of the reference model, 0 behind the end;
    ``mask`` (P, L) is 1 on tokens; ``advantages`` (P,) in reward-model units.
    """

    logprobs: Tensor
    sampled: Tensor
    reference: Tensor
    mask: Tensor
    advantages: Tensor


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
    ratio = (samples.logprobs - samples.sampled).sum(-1).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * samples.advantages, clipped * samples.advantages)
