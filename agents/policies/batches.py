"""Cutting work into batches of similar length and bounded size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.policies.base import Policy
from eva_env.types import Ints


def cut(lengths: Ints, budget: int) -> list[Ints]:
    """Indices of the items by length, cut so that none holds more than ``budget`` tokens.

    Padding counts: a part costs its longest item times its size. An item that is longer than
    the budget is a part of its own.
    """
    order = np.argsort(lengths, kind="stable")
    parts, start = [], 0
    for end in range(1, len(order)):
        if (end + 1 - start) * lengths[order[end]] > budget:
            parts.append(order[start:end])
            start = end
    return [*parts, order[start:]] if len(order) else []


def exchange_lengths(
    policy: Policy, prompts: Sequence[Any], answers: Sequence[Sequence[Any]]
) -> Ints:
    """Tokens of each prompt with all its answers, (I,), the prompt counted once."""
    flat = [answer for row in answers for answer in row]
    ends = np.cumsum([len(row) for row in answers])
    total = np.concatenate([[0], policy.lengths(flat).cpu().numpy().cumsum()])
    starts = np.concatenate([[0], ends[:-1]]).astype(int)
    return policy.prompt_lengths(prompts).cpu().numpy() + total[ends] - total[starts]


@torch.no_grad()
def token_logprobs(
    policy: Policy,
    prompts: Sequence[Any],
    answers: Sequence[Sequence[Any]],
    budget: int = 1 << 15,
) -> Tensor:
    """Log-probabilities by token, without gradients, of I prompts' answers, k to each.

    (I * k, longest) nats, 0 behind the end; at most ``budget`` tokens at a time.
    """
    k = len(answers[0])
    flat = [answer for row in answers for answer in row]
    width = int(policy.lengths(flat).max())
    found: Tensor | None = None
    for part in cut(exchange_lengths(policy, prompts, answers), budget):
        rows = (part[:, None] * k + np.arange(k)).ravel()
        now = policy.token_logprobs(
            [prompts[i] for i in part for _ in range(k)], [flat[i] for i in rows]
        )
        if found is None:
            found = now.new_zeros(len(flat), width)
        found[torch.from_numpy(rows), : now.shape[1]] = now
    assert found is not None
    return found
