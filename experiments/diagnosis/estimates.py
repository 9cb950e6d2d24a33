"""Reliability, heredity and selection gain of a signal, with a bootstrap over the parents.

Shape letters: P parents, C children, n responses that a signal reads, S random splits of a
parent's 2 n responses, D bootstrap draws. ``counts`` (D, P) say how often each parent occurs in
a draw; a parent's children are drawn with it. NaN is a signal that is missing or a statistic
that is undefined.
"""

from dataclasses import dataclass

import numpy as np

from eva_env.signals import Signal, signal_of
from eva_env.statistics.bootstrap import draw_counts
from eva_env.types import Floats, Ints

DRAWS = 1000
"""Bootstrap draws of an interval."""

SPLITS = 100
"""Random splits of the responses into two groups."""

LOWEST_RELIABILITY = 0.3
"""Reliability below which a correlation is not corrected, since it would divide by noise."""


@dataclass(frozen=True)
class Parents:
    """Resamples the P parents, which are the units of every interval."""

    counts: Floats
    """The parents themselves, once each, then D draws of them: (1 + D, P)."""

    @classmethod
    def of(cls, number: int, rng: np.random.Generator, draws: int = DRAWS) -> "Parents":
        """Return the draws of a number of parents."""
        drawn = draw_counts(1, number, draws, rng)[1]
        return cls(np.concatenate([np.ones((1, number)), drawn]))


def estimate(values: Floats) -> dict[str, float | None]:
    """Return a statistic's value and its 95 % percentile interval as JSON; None: undefined.

    The first of ``values`` (1 + D,) is the value, the others are its bootstrap draws. Draws in
    which the statistic is undefined are left out.
    """
    drawn = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(drawn):
        return dict.fromkeys(("value", "low", "high"))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"value": float(values[0]), "low": float(low), "high": float(high)}


def finite(value: float) -> float | None:
    """Return the value as JSON: None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None


def halves(
    rewards: Floats, signal: Signal, rng: np.random.Generator, n: int, splits: int = SPLITS
) -> tuple[Floats, Floats]:
    """Return the signals of two disjoint random groups of n responses, twice (S, P).

    ``rewards`` are (P, at least 2 n).
    """
    order = rng.random((splits, *rewards.shape)).argsort(-1)
    shuffled = np.take_along_axis(np.broadcast_to(rewards, order.shape), order, -1)
    first, second = (
        # One batch at a time, since a signal may compare the prompts of a batch.
        np.stack([signal_of(signal, batch) for batch in group])
        for group in (shuffled[..., :n], shuffled[..., n : 2 * n])
    )
    return first, second


def mean_over(values: Floats, counts: Floats) -> Floats:
    """Return the means over parents, and over splits, of values (S, P) -> (D,)."""
    present = ~np.isnan(values)
    total = np.where(present, values, 0.0) @ counts.T
    return _mean_of_splits(_ratio(total, present @ counts.T))


def correlation(first: Floats, second: Floats, counts: Floats) -> Floats:
    """Return Pearson's correlation over pairs, averaged over splits, (S, Q) twice -> (D,).

    ``counts`` (D, Q) weigh the pairs. A pair with a missing value is left out; NaN where either
    side does not vary.
    """
    present = ~(np.isnan(first) | np.isnan(second))
    # 1. Centre, so that the sums of squares below do not cancel.
    x, y = (
        np.where(present, side - np.mean(side[present]) if present.any() else 0.0, 0.0)
        for side in (first, second)
    )
    # 2. Weighted moments of all splits and draws by matrix products.
    weight = present @ counts.T
    mean_x, mean_y = _ratio(x @ counts.T, weight), _ratio(y @ counts.T, weight)
    covariance = _ratio((x * y) @ counts.T, weight) - mean_x * mean_y
    variance_x = _ratio(x**2 @ counts.T, weight) - mean_x**2
    variance_y = _ratio(y**2 @ counts.T, weight) - mean_y**2
    # 3. Rounding leaves tiny variances where a side does not vary.
    scale = np.sqrt(np.maximum(variance_x, 0) * np.maximum(variance_y, 0))
    scale[scale < 1e-12 * max(1.0, float(np.abs(x).max() * np.abs(y).max()))] = 0
    return _mean_of_splits(_ratio(covariance, scale))


def spearman_brown(reliability: Floats, factor: float) -> Floats:
    """Return the reliability at ``factor`` times as many responses.

    r' = f r / (1 + (f - 1) r); Spearman 1910 and Brown 1910. It assumes that the signal of more
    responses is the mean of the signals of fewer. That holds for means and only roughly for
    best minus worst. NaN where a negative reliability leaves no positive denominator.
    """
    reliability = np.asarray(reliability, dtype=np.float64)
    denominator = 1 + (factor - 1) * reliability
    return factor * reliability / np.where(denominator > 0, denominator, np.nan)


def spearman_brown_samples(reliability: float, n: int, target: float) -> float | None:
    """Return the n at which ``spearman_brown`` reaches a target; None if it never does."""
    if not 0 < reliability < 1:
        return None
    return n * target * (1 - reliability) / (reliability * (1 - target))


def heredity(parents: Floats, children: Floats, parent_of: Ints, counts: Floats) -> Floats:
    """Return the correlation of the signals of parent and child, -> (D,).

    ``parents`` (S, P) are measured on n responses, ``children`` (C,) on n as well;
    ``parent_of`` (C,) is the row of each child's parent.
    """
    paired = np.broadcast_to(children, (len(parents), len(children)))
    return correlation(parents[:, parent_of], paired, counts[:, parent_of])


def attenuation_corrected(raw: Floats, first: Floats, second: Floats) -> Floats:
    """Return raw / sqrt(reliability * reliability), (D,): the correlation without noise.

    Spearman 1904. NaN where a reliability is below ``LOWEST_RELIABILITY``. Values above 1 occur
    by chance and are kept.
    """
    usable = (first >= LOWEST_RELIABILITY) & (second >= LOWEST_RELIABILITY)
    product = np.where(usable, first * second, np.nan)
    return raw / np.sqrt(product)


def selection_gain(weights: Floats, outcome: Floats, counts: Floats) -> Floats:
    """Return the relative gain of drawing parents by weight instead of equally, -> (D,).

    sum(w o) / sum(w) over mean(o), minus 1, averaged over splits; 0.1 is 10 %. That draws with
    replacement; a draw without replacement gains less. ``weights`` and
    ``outcome`` are (S, P); parents without either are left out. Where a weight is negative, the
    lowest weight is subtracted from all. NaN where the mean outcome is not positive.
    """
    present = ~(np.isnan(weights) | np.isnan(outcome))
    lowest = min(0.0, float(np.min(weights, where=present, initial=0.0)))
    w, o = np.where(present, weights - lowest, 0.0), np.where(present, outcome, 0.0)
    chosen = _ratio((w * o) @ counts.T, w @ counts.T)
    equal = _ratio(o @ counts.T, present @ counts.T)
    return _mean_of_splits(_ratio(chosen, np.where(equal > 1e-12, equal, 0.0)) - 1)


def children_means(values: Floats, parent_of: Ints, parents: int) -> Floats:
    """Return the mean of each parent's children, (C,) -> (P,); NaN for a parent without any."""
    present = ~np.isnan(values)
    total: Floats = np.bincount(parent_of[present], values[present], parents).astype(float)
    return _ratio(total, np.bincount(parent_of[present], minlength=parents).astype(float))


def _mean_of_splits(values: Floats) -> Floats:
    """The mean over splits (S, D) -> (D,) of those that are defined; NaN without any."""
    present = np.isfinite(values)
    return _ratio(np.where(present, values, 0.0).sum(0), present.sum(0, dtype=np.float64))


def _ratio(total: Floats, number: Floats) -> Floats:
    """The ratio; NaN where the denominator is 0."""
    shape = np.broadcast_shapes(total.shape, number.shape)
    blank = np.full(shape, np.nan)
    return np.divide(total, number, out=blank, where=np.broadcast_to(number, shape) != 0)
