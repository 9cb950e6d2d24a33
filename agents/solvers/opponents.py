"""Responses of the policy next to those of an opponent."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.policies.base import Policy
from agents.policies.sampled import without_logprobs
from agents.solvers.base import PolicySolver


def join_responses(left: Any, right: Any) -> Any:
    """Return responses (B, m) and (B, k) to the same prompts as (B, m + k)."""
    if isinstance(left, np.ndarray):
        return np.concatenate([left, right], 1)
    return [[*first, *second] for first, second in zip(left, right, strict=True)]


def respond_with_opponent(
    solver: PolicySolver,
    opponent: Policy,
    prompts: Sequence[Any],
    n: int,
    rng: np.random.Generator,
) -> Any:
    """Draw n - n // 2 responses of the policy, then n // 2 of the opponent, (B, n).

    The opponent's tokens are metered as the solver's. Its log-probabilities are left out, since
    methods would take them for the policy's.
    """
    drawn = solver.policy.sample(prompts, n - n // 2, rng)
    tokens_before = opponent.tokens
    opposed = without_logprobs(opponent.sample(prompts, n // 2, rng))
    solver.policy.tokens += opponent.tokens - tokens_before
    return join_responses(drawn, opposed)
