"""Advantages of sampled responses, their weights in a policy gradient, (B, n) -> (B, n).

Rewards are in reward-model units, n responses to each of B prompts. Where a KL penalty is part
of the reward, R = r - beta * kl with kl the response's log-ratio of policy to reference when it
was sampled, nats.
"""

import torch
from torch import Tensor

from agents.losses.precision import at_least_float32


def rloo_advantages(rewards: Tensor, kl: Tensor, beta: float) -> Tensor:
    """Return leave-one-out advantages of KL-penalised rewards, (B, n) -> (B, n).

    R_i - mean_{j != i} R_j; Ahmadian et al. 2024 (arXiv 2402.14740), Eq. 8 and Sec. 2.1. 0 for
    a response without others.
    """
    n = rewards.shape[-1]
    return centred(rewards - beta * kl) * n / max(n - 1, 1)


def centred(rewards: Tensor) -> Tensor:
    """Return r_i - mean_j r_j, as in Dr. GRPO; Liu et al. 2025 (arXiv 2503.20783), Sec. 3.2.

    Its expectation given response i is (n - 1) / n (r_i - V): the leave-one-out advantage times
    a constant. Exactly 0 where all r of a row are equal, whose mean may differ from them by
    rounding.
    """
    rewards = at_least_float32(rewards)
    return torch.where(equal(rewards), 0.0, rewards - rewards.mean(-1, keepdim=True))


def standardised(rewards: Tensor, ddof: int, eps: float) -> Tensor:
    """Return (r_i - mean_j r_j) / (std_j r_j + eps), no unit; 0 where all r of a row are equal.

    GRPO's advantage; ``ddof`` 0 is the standard deviation of the row itself. Shao et al. 2024
    (DeepSeekMath, arXiv 2402.03300), Sec. 4.1.2. TRL has ddof 1 and eps 1e-4.
    """
    wide = rewards.double()  # the squares of 1e30 overflow in float32
    deviation = wide.std(-1, correction=min(ddof, rewards.shape[-1] - 1), keepdim=True)
    advantages = torch.where(equal(wide), 0.0, centred(wide) / (deviation + eps))
    return advantages.to(at_least_float32(rewards).dtype)


def equal(rewards: Tensor) -> Tensor:
    """Return which rows hold one value n times, (B, n) -> (B, 1) booleans; none with NaN."""
    return rewards.amax(-1, keepdim=True) == rewards.amin(-1, keepdim=True)


def preferred(rewards: Tensor, opponents: Tensor) -> Tensor:
    """Return the mean over opponents of sigmoid(r - r') - 1/2, (B, m) and (B, k) -> (B, m).

    The payoff of Nash-MD-PG and its control variate; Munos et al. 2023 (arXiv 2312.00886). 0
    without opponents.
    """
    rewards, opponents = at_least_float32(rewards), at_least_float32(opponents)
    if not opponents.shape[-1]:
        return torch.zeros_like(rewards)
    gap = rewards[..., :, None] - opponents[..., None, :]
    return gap.sigmoid().mean(-1) - 0.5
