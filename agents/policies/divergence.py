"""How far a policy has moved from another one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.policies.base import Policy
from agents.policies.batches import token_logprobs
from agents.policies.table import TablePolicy


def kl(
    policy: Policy, other: Policy, prompts: Sequence[Any], responses: Sequence[Sequence[Any]]
) -> float:
    """KL(policy || other) per response, in nats, as the mean over prompts.

    Exact for a table. Else the mean of log policy - log other over the responses (P, n): an
    unbiased estimate if these are samples of the policy at temperature 1, which may come out
    negative near 0; far below 0 if a broken model writes tokens that its text does not show.
    """
    if isinstance(policy, TablePolicy):
        return _exact(policy, other, prompts)
    ours, theirs = (token_logprobs(one, prompts, responses).sum(-1) for one in (policy, other))
    return float((ours - theirs).double().mean())


def _exact(policy: TablePolicy, other: Policy, prompts: Sequence[int]) -> float:
    count = policy.reference_logits.shape[1]
    asked: Any = np.repeat(prompts, count)
    given: Any = np.tile(np.arange(count), len(prompts))
    ours, theirs = (one.logprobs(asked, given).detach() for one in (policy, other))
    return float((ours.exp() * (ours - theirs)).sum() / len(prompts))
