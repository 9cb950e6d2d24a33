"""The KL divergence between two policies."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.policies.base import Policy
from agents.policies.batches import token_logprobs
from agents.policies.table import TablePolicy


def kl(
    policy: Policy, other: Policy, prompts: Sequence[Any], responses: Sequence[Sequence[Any]]
) -> float:
    """Return KL(policy || other) per response, in nats, as the mean over prompts.

    Exact for a table. Otherwise the mean of log policy - log other over the responses (P, n):
    an unbiased estimate if these are samples of the policy at temperature 1. It may be slightly
    negative near 0; it is far below 0 if a broken model writes tokens that its text does not
    show.
    """
    if isinstance(policy, TablePolicy):
        return _exact(policy, other, prompts)
    log_policy = token_logprobs(policy, prompts, responses).sum(-1)
    log_other = token_logprobs(other, prompts, responses).sum(-1)
    return float((log_policy - log_other).double().mean())


def _exact(policy: TablePolicy, other: Policy, prompts: Sequence[int]) -> float:
    count = policy.reference_logits.shape[1]
    repeated: Any = np.repeat(prompts, count)
    responses: Any = np.tile(np.arange(count), len(prompts))
    log_policy = policy.logprobs(repeated, responses).detach()
    log_other = other.logprobs(repeated, responses).detach()
    return float((log_policy.exp() * (log_policy - log_other)).sum() / len(prompts))
