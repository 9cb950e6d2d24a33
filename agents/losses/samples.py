"""Policy-gradient losses on sampled responses, (P,) each: their mean is minimised.

rho is the probability ratio of the policy now to the one that sampled, A the advantage. A ratio
above e^62 (float32) is continued by its tangent, see ``losses.precision.bounded_exp``. Before
the first update rho is 1 and the gradient is that of -A log pi(y|x), divided by the loss's
divisor.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.losses.precision import bounded_exp, bounded_expm1, widen_fields


@dataclass(frozen=True, slots=True)
class Samples:
    """P sampled responses of at most L tokens.

    ``logprobs``, ``sampled`` and ``reference`` (P, L) are log-probabilities by token, nats, of
    the policy now, of the policy that sampled, and of the reference model, 0 after the end;
    ``mask`` (P, L) is 1 on tokens; ``advantages`` (P,) in reward-model units. Fields of a type
    below float32 become float32.
    """

    logprobs: Tensor
    sampled: Tensor
    reference: Tensor
    mask: Tensor
    advantages: Tensor

    def __post_init__(self) -> None:
        widen_fields(self)

    @property
    def lengths(self) -> Tensor:
        """Tokens of each response, (P,); 1 for a response without any."""
        return self.mask.sum(-1).clamp(min=1)


def token_ratio(samples: Samples) -> Tensor:
    """Return rho of each token, (P, L)."""
    return bounded_exp(samples.logprobs - samples.sampled)


def response_ratio(samples: Samples) -> Tensor:
    """Return rho of whole responses, (P, 1): the product of their tokens' ratios."""
    return bounded_exp((samples.logprobs - samples.sampled).sum(-1, keepdim=True))


def mean_ratio(samples: Samples) -> Tensor:
    """Return GSPO's rho, (P, 1): the geometric mean of the tokens' ratios.

    Zheng et al. 2025 (arXiv 2507.18071), Sec. 4.
    """
    total = (samples.logprobs - samples.sampled).sum(-1, keepdim=True)
    return bounded_exp(total / samples.lengths[:, None])


def clipped(ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """Return -min(rho A, clip(rho, 1 - low, 1 + high) A), (P, L), for rho (P, L), A (P,).

    Schulman et al. 2017 (arXiv 1707.06347), Eq. 7; with ``low`` < ``high`` DAPO's
    "clip-higher", Yu et al. 2025 (arXiv 2503.14476), Sec. 3.1.
    """
    advantages = advantages[:, None]
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)


def k3(samples: Samples) -> Tensor:
    """Estimate KL(policy || reference) by token, (P, L) nats, never negative.

    q - log q - 1 with q = reference / policy; Shao et al. 2024 (arXiv 2402.03300), Eq. 4. Its
    mean over samples of the policy is the KL, but its gradient with the samples fixed is on
    average that of KL(reference || policy).
    """
    difference = samples.reference - samples.logprobs
    return bounded_expm1(difference) - difference


def ppo(samples: Samples, clip: float) -> Tensor:
    """Return ``clipped`` by the ratio of whole responses, which are one action each.

    Schulman et al. 2017 (arXiv 1707.06347), Eq. 7; with leave-one-out advantages it is RLOO,
    Ahmadian et al. 2024 (arXiv 2402.14740), Eq. 8.
    """
    return clipped(response_ratio(samples), samples.advantages, clip, clip)[:, 0]


def grpo_tokens(samples: Samples, low: float, high: float, beta: float) -> Tensor:
    """Return ``clipped`` by the token ratios + beta * ``k3``, (P, L), 0 after the end."""
    policy = clipped(token_ratio(samples), samples.advantages, low, high)
    return (policy + beta * k3(samples)) * samples.mask


def grpo(samples: Samples, clip: float, beta: float) -> Tensor:
    """Mean of ``grpo_tokens`` per response; Shao et al. 2024 (arXiv 2402.03300), Eq. 3."""
    return grpo_tokens(samples, clip, clip, beta).sum(-1) / samples.lengths


def dr_grpo(samples: Samples, clip: float, beta: float, length: float) -> Tensor:
    """Sum of ``grpo_tokens`` over a constant; Liu et al. 2025 (arXiv 2503.20783), Sec. 3.2."""
    return grpo_tokens(samples, clip, clip, beta).sum(-1) / length


def dapo(samples: Samples, low: float, high: float, beta: float) -> Tensor:
    """Return the sum of ``grpo_tokens``; the update divides by all its tokens.

    Yu et al. 2025 (arXiv 2503.14476), Sec. 3.3.
    """
    return grpo_tokens(samples, low, high, beta).sum(-1)


def gspo(samples: Samples, low: float, high: float, beta: float) -> Tensor:
    """Return ``clipped`` by ``mean_ratio`` + beta * mean of ``k3``.

    Zheng et al. 2025 (arXiv 2507.18071), Sec. 4; they have no KL penalty.
    """
    penalty = (k3(samples) * samples.mask).sum(-1) / samples.lengths
    return clipped(mean_ratio(samples), samples.advantages, low, high)[:, 0] + beta * penalty
