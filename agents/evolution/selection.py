"""The sample step: turn informativeness into weights, then draw prompts without replacement.

Ye et al. 2025 (arXiv 2411.00062), Alg. 1 step (b). Values are (N,); weights are
log-probabilities (N,), -inf for a weight of zero, so no temperature underflows.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from eva_env.types import Floats, Ints

Weighting = Literal["proportional", "minmax", "softmax", "rank"]
Draw = Literal["weighted", "greedy", "stratified"]

ROUNDING = 1e-9
"""Values down to minus this are rounding errors, as in a payoff minus its mean."""

EQUAL = 1e-12
"""Values that differ by less, as a share of the largest, are equal: the means of the same
rewards in another order differ by rounding."""


def share(fraction: float, n: int) -> int:
    """Return floor(fraction * n) without rounding errors: 0.29 of 100 is 29."""
    return int(fraction * n + ROUNDING)


def weigh(
    values: Floats, weighting: Weighting = "proportional", tau: float = 1.0, alpha: float = 1.0
) -> Floats:
    """Return log-probabilities (N,) of values (N,); uniform if all are equal up to rounding.

    - ``proportional``: v / sum v, as Alg. 1 says. A negative value raises ValueError.
    - ``minmax``: (v - min) / (max - min), normalised: the authors' code. The lowest gets 0.
    - ``softmax``: exp(v / tau), with tau > 0 in units of the values.
    - ``rank``: rank^alpha, with rank 1 for the lowest and N for the highest value; ties share
      their mean rank. alpha = 0 is uniform, infinity greedy. Outliers have no effect.

    Raises ValueError for a value that is not finite.
    """
    values = _finite(values)
    if not len(values) or np.ptp(values) <= EQUAL * np.abs(values).max():
        return np.full(len(values), -np.log(max(len(values), 1)))
    if weighting == "softmax":
        if not tau > 0:
            raise ValueError(f"tau must be positive, got {tau}")
        logits = (values - values.max()) / tau
    elif weighting == "rank":
        if not alpha >= 0:
            raise ValueError(f"alpha must not be negative, got {alpha}")
        ranks = _ranks(values)
        logits = np.zeros(len(values))  # of the highest, also where alpha is infinite
        lower = ranks < ranks.max()
        logits[lower] = alpha * np.log(ranks[lower] / ranks.max())
    elif weighting in ("proportional", "minmax"):
        weights = values - values.min() if weighting == "minmax" else _not_negative(values)
        with np.errstate(divide="ignore"):
            logits = np.log(weights / (weights.max() or 1.0))
    else:
        names = "proportional, minmax, softmax, rank"
        raise ValueError(f"unknown weighting {weighting!r}; known: {names}")
    return _normalised(logits)


def balance_topics(log_weights: Floats, topics: Sequence[str], c: float = 0.25) -> Floats:
    """Return (1 - c) * weights + c * (1 / frequency of the topic, normalised).

    The authors' code calls it iw_topic.
    """
    if not 0 <= c <= 1:
        raise ValueError(f"topic balance c must lie in [0, 1], got {c}")
    _, topic, counts = np.unique(topics, return_inverse=True, return_counts=True)
    rare = _normalised(-np.log(counts[topic]))
    with np.errstate(divide="ignore"):
        return np.logaddexp(np.log(1 - c) + log_weights, np.log(c) + rare)


def mix_staleness(log_weights: Floats, ages: Floats | Ints, rho: float) -> Floats:
    """Return (1 - rho) * weights + rho * (age / sum of ages): P_replay of level replay.

    Jiang et al. 2021 (arXiv 2010.03934), Sec. 3; ``ages`` (N,) are c - C_i, the rounds since
    each prompt was last drawn. Ages that are all 0 count equally; a negative one raises
    ValueError.
    """
    if not 0 <= rho <= 1:
        raise ValueError(f"staleness rho must lie in [0, 1], got {rho}")
    ages = _finite(np.asarray(ages, dtype=np.float64))
    if len(ages) and ages.min() < 0:
        raise ValueError(
            f"ages must not be negative, got {ages.min()} at index {ages.argmin()}"
        )
    with np.errstate(divide="ignore"):
        stale = _normalised(np.log(ages if ages.any() else np.ones(len(ages))))
        return np.logaddexp(np.log(1 - rho) + log_weights, np.log(rho) + stale)


def weighted(log_weights: Floats, size: int, rng: np.random.Generator) -> Ints:
    """Return the indices of ``size`` successive weighted draws without replacement.

    By Gumbel top-k: Kool et al. 2019 (arXiv 1903.06059), Sec. 2.3. If fewer weights than
    ``size`` are positive, all of these are taken and the others are drawn uniformly.
    """
    _check_size(size, len(log_weights))
    zero = np.isneginf(log_weights)
    keys = np.where(zero, 0.0, log_weights) + rng.gumbel(size=len(log_weights))
    return np.lexsort((-keys, zero))[:size]


def greedy(values: Floats, size: int, rng: np.random.Generator) -> Ints:
    """Return the indices of the ``size`` highest values, best first; ties break at random."""
    values = _finite(values)
    _check_size(size, len(values))
    return np.lexsort((rng.random(len(values)), -values))[:size]


def stratified(
    values: Floats, log_weights: Floats, size: int, rng: np.random.Generator, bins: int = 10
) -> Ints:
    """Return indices drawn by weight within each quantile bin of the values.

    Every bin gives its share of ``size``; if that is not a whole number, upper bins are
    preferred.
    """
    n = len(values)
    _check_size(size, n)
    order = greedy(values, n, rng)[::-1]  # from the lowest value to the highest
    edges = np.arange(bins + 1) * n // bins
    quotas = np.diff(edges * size // max(n, 1))
    drawn = [
        members[weighted(log_weights[members], quota, rng)]
        for members, quota in zip(np.split(order, edges[1:-1]), quotas, strict=True)
    ]
    return np.concatenate(drawn)


def _finite(values: Floats) -> Floats:
    """Return the values as float64; ValueError if one is not finite."""
    values = np.asarray(values, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(
            f"values must be finite, got {values[bad[0]]} at index {bad[0]} "
            f"({len(bad)} of {len(values)} are not)"
        )
    return values


def _not_negative(values: Floats) -> Floats:
    """Return the values with rounding errors below 0 removed; ValueError below that."""
    if values.min() < -max(ROUNDING, EQUAL * values.max()):
        raise ValueError(
            f"proportional weights need values >= 0, got {values.min()} at index "
            f"{values.argmin()}; take minmax, softmax or rank"
        )
    return values.clip(min=0.0)


def _ranks(values: Floats) -> Floats:
    """Return the ranks, 1 for the lowest value; ties share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return ((last - counts + 1 + last) / 2)[inverse]


def _normalised(logits: Floats) -> Floats:
    """Return the log-probabilities of a softmax."""
    if not len(logits):
        return logits
    top = logits.max()
    return logits - top - np.log(np.exp(logits - top).sum())


def _check_size(size: int, n: int) -> None:
    if not 0 <= size <= n:
        raise ValueError(f"size must lie between 0 and the number of prompts {n}, got {size}")
