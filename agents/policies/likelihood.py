"""How likely a policy finds responses: mean log-probabilities per token."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from agents.policies.base import Policy
from agents.policies.batches import cut, exchange_lengths
from eva_env.types import Floats, Likelihood

MAX_TOKENS = 1 << 13
"""Most tokens that are read at a time."""


@torch.no_grad()
def mean_logprobs(
    policy: Policy, prompts: Sequence[Any], responses: Sequence[Sequence[Any]]
) -> Floats:
    """Return the mean log-probability per token of each response, in nats, without gradients.

    ``responses`` holds any number of responses to each prompt; the result (R,) has one number
    for each of them, in their order. A prompt is read once for all its responses.
    """
    flat = [response for row in responses for response in row]
    ends = np.cumsum([len(row) for row in responses])
    means = np.zeros(len(flat))
    for part in cut(exchange_lengths(policy, prompts, responses), MAX_TOKENS):
        rows = [j for i in part for j in range(ends[i] - len(responses[i]), ends[i])]
        repeated = [prompts[i] for i in part for _ in responses[i]]
        chosen = [flat[j] for j in rows]
        sums = policy.logprobs(repeated, chosen).double()
        means[rows] = (sums / policy.lengths(chosen).to(sums).clamp(min=1)).cpu().numpy()
    return means


def likelihood_under(policy: Callable[[], Policy]) -> Likelihood:
    """Return ``mean_logprobs`` under the policy that a call returns."""

    def likelihood(prompts: Sequence[Any], responses: Sequence[Sequence[Any]]) -> Floats:
        return mean_logprobs(policy(), prompts, responses)

    return likelihood
