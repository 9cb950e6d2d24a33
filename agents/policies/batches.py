"""Cutting work into batches of similar length and bounded size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.losses.precision import at_least_float32
from agents.policies.base import Policy
from eva_env.types import Ints


def cut(lengths: Ints, max_tokens: int) -> list[Ints]:
    """Cut items, sorted by length, into parts of at most ``max_tokens``; return their indices.

    Padding counts: a part costs its longest item times its size. An item that is longer than
    ``max_tokens`` is a part by itself.
    """
    order = np.argsort(lengths, kind="stable")
    parts, start = [], 0
    for end in range(1, len(order)):
        if (end + 1 - start) * lengths[order[end]] > max_tokens:
            parts.append(order[start:end])
            start = end
    return [*parts, order[start:]] if len(order) else []


def exchange_lengths(
    policy: Policy, prompts: Sequence[Any], responses: Sequence[Sequence[Any]]
) -> Ints:
    """Return the tokens of each prompt and all its responses, (I,); the prompt counts once."""
    flat = [response for row in responses for response in row]
    ends = np.cumsum([len(row) for row in responses])
    starts = np.concatenate([[0], ends[:-1]]).astype(int)
    total = np.concatenate([[0], policy.lengths(flat).cpu().numpy().cumsum()])
    return policy.prompt_lengths(prompts).cpu().numpy() + total[ends] - total[starts]


@torch.no_grad()
def token_logprobs(
    policy: Policy,
    prompts: Sequence[Any],
    responses: Sequence[Sequence[Any]],
    max_tokens: int = 1 << 15,
) -> Tensor:
    """Return log-probabilities by token of I prompts' responses, k to each, without gradients.

    (I * k, longest) nats in float32 or wider, 0 after the end; at most ``max_tokens`` tokens
    are read at a time.
    """
    k = len(responses[0])
    flat = [response for row in responses for response in row]
    longest = int(policy.lengths(flat).max())
    logprobs: Tensor | None = None
    for part in cut(exchange_lengths(policy, prompts, responses), max_tokens):
        rows = (part[:, None] * k + np.arange(k)).ravel()
        values = policy.token_logprobs(
            [prompts[i] for i in part for _ in range(k)], [flat[i] for i in rows]
        )
        if logprobs is None:
            logprobs = at_least_float32(values).new_zeros(len(flat), longest)
        logprobs[torch.from_numpy(rows), : values.shape[1]] = values
    assert logprobs is not None
    return logprobs
