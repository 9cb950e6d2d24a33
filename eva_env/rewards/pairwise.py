"""A judge that compares two responses, reduced to a win rate for each response."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eva_env.require import require
from eva_env.rewards.base import Wrapper, base_rewards
from eva_env.types import Floats


def win_rates(preferred: Floats, include_self: bool = True) -> Floats:
    """Return each response's win rate among the n of its prompt, (B, n, n) -> (B, n).

    ``preferred[b, i, j]`` in [0, 1] is the probability that response i, shown first, is
    preferred to response j. Both orders are averaged, P(i > j) = (p_ij + 1 - p_ji) / 2, which
    cancels a bias for the first place. SPPO's estimate (Wu et al. 2024, arXiv 2405.00675) is
    the mean over all j including i, which counts as 1/2. With ``include_self=False`` the mean
    is over the other n - 1. A comparison that is NaN in one order is left out, and a response
    without any other comparison has no win rate (NaN). Raises ValueError for another shape.
    """
    preferred = np.asarray(preferred, dtype=np.float64)
    if preferred.ndim != 3 or not preferred.shape[1] == preferred.shape[2] >= 2:
        raise ValueError(
            f"preferences must have shape (B, n, n) with n of 2 or more, got {preferred.shape}"
        )
    n = preferred.shape[1]
    wins = (preferred + 1 - preferred.swapaxes(1, 2)) / 2
    if np.isnan(wins.sum()):
        others = np.where(np.eye(n, dtype=bool), np.nan, wins)
        counts = (~np.isnan(others)).sum(-1)
        total = np.nansum(others, -1)
        if include_self:
            total, counts = total + 0.5, counts + (counts > 0)
        return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)
    total = wins.sum(-1)
    return total / n if include_self else (total - 0.5) / (n - 1)


@dataclass(frozen=True)
class PairwiseWinRate(Wrapper):
    """Win rates in [0, 1] against the other samples, by a Bradley-Terry judge over the base.

    For your own judge, derive a class and override ``compare``, or use the function
    ``lambda prompts, responses: win_rates(judge(prompts, responses))``.
    """

    temperature: float = 1.0
    """Difference of the base's rewards that counts as one nat; small for a decisive judge."""
    position_bias: float = 0.0
    """Nats by which the judge favours the response that it sees first."""
    include_self: bool = True
    """Count a response as half a win over itself, as in the authors' code."""

    def __post_init__(self) -> None:
        require(self, "(0, inf)", "temperature")
        require(self, "(-inf, inf)", "position_bias")

    def compare(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the probability (B, n, n) that the judge prefers i, shown first, to j.

        sigmoid((r_i - r_j) / temperature + position_bias).
        """
        rewards = base_rewards(self.base, prompts, responses) / self.temperature
        return sigmoid(rewards[:, :, None] - rewards[:, None, :] + self.position_bias)

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the win rates (B, n)."""
        return win_rates(self.compare(prompts, responses), self.include_self)


def sigmoid(values: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), elementwise, without overflow."""
    return 0.5 * (1 + np.tanh(values / 2))
