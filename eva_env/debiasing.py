"""The noise floor: what a reward model's noise alone makes of a signal, and how to take it off.

A creator that follows a signal is drawn to the prompts on which the reward model is noisiest.
The noise is taken to be Gaussian and independent over responses, with a standard deviation by
prompt that is known (``TabularWorld.noise_std``) or estimated (``estimate_noise``). The noisy
reward models themselves are in ``eva_env.rewards``.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from eva_env.distributions import normal_cdf
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
"""Where the integrals below are evaluated; for a Gaussian tail the trapezoid rule is exact."""


@lru_cache
def normal_range(n: int) -> float:
    """d_n, the expected range of n standard normals: the integral of 1 - F^n - (1 - F)^n."""
    cdf = normal_cdf(ABSCISSAE)
    return float(np.trapezoid(1 - cdf**n - (1 - cdf) ** n, ABSCISSAE))


@lru_cache
def normal_lead(n: int) -> float:
    """Expected best minus second best of n standard normals: of n F^(n-1) (1 - F)."""
    cdf = normal_cdf(ABSCISSAE)
    return float(np.trapezoid(n * cdf ** (n - 1) * (1 - cdf), ABSCISSAE))


NOISE_FLOORS: dict[Signal, Callable[[int, Floats], Floats]] = {
    a_star_min: lambda n, std: normal_range(n) * std,
    a_star_avg: lambda n, std: normal_range(n) / 2 * std,
    a_star_dts: lambda n, std: normal_lead(n) * std,
    variance: lambda n, std: (n - 1) / n * std**2,
    leave_one_out: lambda n, std: math.sqrt(2 / math.pi * n / (n - 1)) * std,
}
"""Expectation of a signal of n rewards that are noise alone, by standard deviation."""


def debias(
    signal: str | Signal, rewards: Floats, std: Floats | float, clip: bool = True
) -> Floats:
    """The signal less its noise floor, (..., B), nowhere below 0 unless ``clip`` is False.

    ``std`` is the noise's standard deviation, (B,) or one for all, in reward-model units.
    Without clipping ``variance`` is unbiased: it estimates (n - 1) / n times the variance
    that the rewards have under the policy. ``a_star_min`` and ``a_star_avg`` are right where
    all responses are equally good and otherwise err on the low side, by the floor at most.
    Raises ValueError for a signal without a known floor and for a negative ``std``.
    """
    measure = SIGNALS.get(signal) if isinstance(signal, str) else signal
    if measure is None or measure not in NOISE_FLOORS:
        known = ", ".join(one for one, function in SIGNALS.items() if function in NOISE_FLOORS)
        raise ValueError(f"no noise floor is known of {signal!r}; there is one of: {known}")
    std = np.asarray(std, dtype=np.float64)
    if not (std >= 0).all():
        raise ValueError(f"std must not be negative or NaN, got {std.min()}")
    values = measure(rewards) - NOISE_FLOORS[measure](rewards.shape[-1], std)
    return np.maximum(values, 0.0) if clip else values


@dataclass(frozen=True)
class NoiseEstimate:
    """Standard deviation of a reward model's noise, pooled within groups; estimates add up.

    Start from ``NoiseEstimate()`` and add that of every round.
    """

    squares: Mapping[Hashable, float] = field(default_factory=dict)
    """By group, the sum of squared deviations from the mean of equal responses."""

    freedom: Mapping[Hashable, int] = field(default_factory=dict)
    """By group, degrees of freedom: responses less distinct ones."""

    def __add__(self, other: "NoiseEstimate") -> "NoiseEstimate":
        squares, freedom = dict(self.squares), dict(self.freedom)
        for group in other.squares:
            squares[group] = squares.get(group, 0.0) + other.squares[group]
            freedom[group] = freedom.get(group, 0) + other.freedom[group]
        return NoiseEstimate(squares, freedom)

    @property
    def pooled(self) -> float:
        """Over all groups; 0 as long as no response has come twice."""
        freedom = sum(self.freedom.values())
        return math.sqrt(sum(self.squares.values()) / freedom) if freedom else 0.0

    def std(self, groups: Sequence[Hashable] | Ints) -> Floats:
        """By prompt, (B,), each of its group; ``pooled`` for a group without repeats."""
        rest = self.pooled
        known = {
            group: math.sqrt(self.squares[group] / freedom)
            for group, freedom in self.freedom.items()
            if freedom
        }
        return np.array([known.get(group, rest) for group in groups])


def estimate_noise(
    prompts: Sequence[Any] | Ints,
    responses: Any,
    rewards: Floats,
    groups: Sequence[Hashable] | Ints | None = None,
) -> NoiseEstimate:
    """What rewards (B, n) of equal responses (B, n) to equal prompts (B,) say of the noise.

    ``groups`` (B,) names what has a noise of its own, such as each prompt's topic; None is
    one group for all, and worse than no correction where some prompts are noisier than others.
    Unbiased for the variance. Estimate rounds one by one: a reward model that changes between
    them is no noise, and forks of a round may see the same noise. An error that a response
    keeps however often it is scored does not show. Where responses hardly repeat, score some
    twice and give them here as two responses.
    """
    prompts, responses = _items(prompts), _items(responses)
    seen: dict[Any, int] = {}
    cell = np.array(
        [
            seen.setdefault((prompt, response), len(seen))
            for prompt, answers in zip(prompts, responses, strict=True)
            for response in answers
        ]
    )
    flat = np.asarray(rewards, dtype=np.float64).ravel()
    deviation = flat - (np.bincount(cell, flat) / np.bincount(cell))[cell]
    names: dict[Hashable, int] = {}
    named = [None] * len(prompts) if groups is None else _items(groups)
    ids = [names.setdefault(name, len(names)) for name in named]
    group = np.repeat(ids, len(flat) // len(prompts))
    first = np.unique(cell, return_index=True)[1]
    squares = np.bincount(group, deviation**2)
    freedom = np.bincount(group) - np.bincount(group[first], minlength=len(names))
    return NoiseEstimate(
        dict(zip(names, squares.tolist(), strict=True)),
        dict(zip(names, freedom.tolist(), strict=True)),
    )


def _items(values: Any) -> Any:
    return values.tolist() if isinstance(values, np.ndarray) else values
