"""Noise floors: the part of a signal that a reward model's noise produces, and its removal.

A creator that follows a signal is drawn to the prompts on which the reward model is noisiest.
The noise is assumed Gaussian and independent over responses. Its standard deviation by prompt
is given (``TabularWorld.noise_std``) or estimated (``estimate_noise``). The noisy reward
models are in ``eva_env.rewards``.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from eva_env.distributions import normal_cdf
from eva_env.missing import groups_by_count, has_missing
from eva_env.signals import (
    SIGNALS,
    Signal,
    a_star_avg,
    a_star_dts,
    a_star_min,
    leave_one_out,
    variance,
)
from eva_env.types import Floats, Ints

ABSCISSAE = np.linspace(-12, 12, 1201)
"""Points of the integrals below. With Gaussian tails the trapezoid rule is exact."""


@lru_cache
def normal_range(n: int) -> float:
    """d_n, the expected range of n standard normals: the integral of 1 - F^n - (1 - F)^n."""
    cdf = normal_cdf(ABSCISSAE)
    return float(np.trapezoid(1 - cdf**n - (1 - cdf) ** n, ABSCISSAE))


@lru_cache
def normal_lead(n: int) -> float:
    """Expected best minus second best of n normals: the integral of n F^(n-1) (1 - F)."""
    cdf = normal_cdf(ABSCISSAE)
    return float(np.trapezoid(n * cdf ** (n - 1) * (1 - cdf), ABSCISSAE))


NOISE_FLOORS: dict[Signal, Callable[[int, Floats], Floats]] = {
    a_star_min: lambda n, std: normal_range(n) * std,
    a_star_avg: lambda n, std: normal_range(n) / 2 * std,
    a_star_dts: lambda n, std: normal_lead(n) * std,
    variance: lambda n, std: (n - 1) / n * std**2,
    leave_one_out: lambda n, std: math.sqrt(2 / math.pi * n / (n - 1)) * std,
}
"""Noise floor by signal: (n, std) -> the signal's expectation when rewards are noise alone."""


def debias(
    signal: str | Signal, rewards: Floats, std: Floats | float, clip: bool = True
) -> Floats:
    """Return the signal minus its noise floor, (..., B), clipped at 0 if ``clip``.

    ``std`` is the standard deviation of the noise, (B,) or one number for all, in reward-model
    units. Without clipping ``variance`` is unbiased: it estimates (n - 1) / n times the
    variance of the rewards under the policy. ``a_star_min`` and ``a_star_avg`` are unbiased
    where all responses are equally good; elsewhere they are too low, by at most the floor.
    Missing rewards (NaN) are left out; a prompt with fewer than two others gets NaN.
    Raises ValueError for a signal without a noise floor and for a negative ``std``.
    """
    function = SIGNALS.get(signal) if isinstance(signal, str) else signal
    if function is None or function not in NOISE_FLOORS:
        names = ", ".join(floored.__name__ for floored in NOISE_FLOORS)  # type: ignore[attr-defined]
        raise ValueError(
            f"signal {signal!r} has no noise floor; choose a signal that has one: {names}"
        )
    std = np.asarray(std, dtype=np.float64)
    if not (std >= 0).all():
        raise ValueError(f"std must not be negative or NaN, got {std.min()}")
    if not has_missing(rewards):
        values = function(rewards) - NOISE_FLOORS[function](rewards.shape[-1], std)
        return np.maximum(values, 0.0) if clip else values
    # The floor depends on the number of scored responses, so go by that number.
    stds = np.broadcast_to(std, rewards.shape[:-1]).ravel()
    values = np.full(stds.shape, np.nan)
    for rows, scored in groups_by_count(rewards.reshape(-1, rewards.shape[-1])):
        floor = NOISE_FLOORS[function](scored.shape[-1], stds[rows])
        values[rows] = function(scored) - floor
    values = values.reshape(rewards.shape[:-1])
    return np.maximum(values, 0.0) if clip else values


@dataclass(frozen=True)
class NoiseEstimate:
    """Standard deviation of a reward model's noise, pooled within groups of prompts.

    Estimates add: start from ``NoiseEstimate()`` and add the estimate of each round.
    """

    squares: Mapping[Hashable, float] = field(default_factory=dict)
    """By group, the sum of squared deviations from the mean of equal responses."""

    freedom: Mapping[Hashable, int] = field(default_factory=dict)
    """By group, degrees of freedom: the number of responses minus that of distinct ones."""

    def __add__(self, other: "NoiseEstimate") -> "NoiseEstimate":
        squares, freedom = dict(self.squares), dict(self.freedom)
        for group in other.squares:
            squares[group] = squares.get(group, 0.0) + other.squares[group]
            freedom[group] = freedom.get(group, 0) + other.freedom[group]
        return NoiseEstimate(squares, freedom)

    @property
    def pooled(self) -> float:
        """Standard deviation over all groups; 0 until a response has been scored twice."""
        freedom = sum(self.freedom.values())
        return math.sqrt(sum(self.squares.values()) / freedom) if freedom else 0.0

    def std(self, groups: Sequence[Hashable] | Ints) -> Floats:
        """Return the standard deviation by prompt, (B,), from the groups of the prompts.

        A group without repeated responses gets ``pooled``.
        """
        pooled = self.pooled
        std_by_group = {
            group: math.sqrt(self.squares[group] / freedom)
            for group, freedom in self.freedom.items()
            if freedom
        }
        return np.array([std_by_group.get(group, pooled) for group in groups])


def estimate_noise(
    prompts: Sequence[Any] | Ints,
    responses: Any,
    rewards: Floats,
    groups: Sequence[Hashable] | Ints | None = None,
) -> NoiseEstimate:
    """Estimate the noise from rewards (B, n) of repeated responses (B, n) to prompts (B,).

    ``groups`` (B,) names the group of each prompt, such as its topic; each group has its own
    noise. None puts all prompts in one group, which is worse than no correction where some
    prompts are noisier than others. The estimate is unbiased for the variance.

    Estimate each round by itself: a change of the reward model between rounds is not noise,
    and forks of a round can share their noise. An error that a response keeps however often it
    is scored stays invisible. Where responses hardly repeat, score some of them twice and pass
    them as two responses.
    """
    prompts, responses = _items(prompts), _items(responses)
    # 1. Number the distinct pairs of prompt and response; ``pair`` (B * n,) is that of each.
    numbers: dict[Any, int] = {}
    pair = np.array(
        [
            numbers.setdefault((prompt, response), len(numbers))
            for prompt, row in zip(prompts, responses, strict=True)
            for response in row
        ]
    )
    # 2. Number the groups; ``group`` (B * n,) is that of each reward.
    flat = np.asarray(rewards, dtype=np.float64).ravel()
    group_numbers: dict[Hashable, int] = {}
    names = [None] * len(prompts) if groups is None else _items(groups)
    ids = [group_numbers.setdefault(name, len(group_numbers)) for name in names]
    group = np.repeat(ids, len(flat) // len(prompts))
    # 3. Leave out missing rewards.
    scored = ~np.isnan(flat)
    flat, pair, group = flat[scored], pair[scored], group[scored]
    # 4. Deviation of each reward from the mean of its pair.
    deviation = flat - (np.bincount(pair, flat) / np.maximum(np.bincount(pair), 1))[pair]
    # 5. By group, the sum of squares and its degrees of freedom: rewards minus pairs.
    first, size = np.unique(pair, return_index=True)[1], len(group_numbers)
    squares = np.bincount(group, deviation**2, minlength=size)
    freedom = np.bincount(group, minlength=size) - np.bincount(group[first], minlength=size)
    return NoiseEstimate(
        dict(zip(group_numbers, squares.tolist(), strict=True)),
        dict(zip(group_numbers, freedom.tolist(), strict=True)),
    )


def _items(values: Any) -> Any:
    return values.tolist() if isinstance(values, np.ndarray) else values
