"""Confidence intervals and tests of means over seeds and prompts, which are both samples.

Values are (S, ..., P), as in ``bootstrap``: S seeds first, P prompts last, and between them the
items that are compared.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from eva_env.statistics.bootstrap import grand_mean
from eva_env.types import Floats


def interval(
    estimate: ArrayLike,
    by_seed: Floats,
    by_prompt: Floats,
    sizes: tuple[ArrayLike, int],
    comparisons: int = 1,
) -> tuple[Floats, Floats]:
    """Return the 95 % interval (low, high) of an estimate (...) that need not be a mean.

    ``by_seed`` and ``by_prompt`` (D, ...) are its bootstrap draws with only the seeds, and
    only the prompts, resampled; their variances replace ``variances``. ``sizes`` are S and P;
    S may be an array, one for each estimate. NaN for one seed. ``comparisons`` as in
    ``mean_interval``.
    """
    half = half_width(_variance(by_seed), _variance(by_prompt), sizes, 0.05 / comparisons)
    return np.asarray(estimate) - half, np.asarray(estimate) + half


def variances(values: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the seeds' and the prompts' part of the variance of ``grand_mean``, and S.

    All three have shape (...). The seeds' part is the variance over seeds of their means over
    prompts, / S; the prompts' part is the variance over prompts of their means over seeds, / P.
    The residual variance is in both, so their sum is too large by residual / (S P). A seed that
    lacks the value of any prompt is left out. The seeds' part is NaN below two seeds.
    """
    values = np.asarray(values, dtype=np.float64)
    is_whole = ~np.isnan(values).any(-1)
    seeds, prompts = is_whole.sum(0), values.shape[-1]
    whole = np.where(np.expand_dims(is_whole, -1), values, 0.0)
    scale = 1 / np.maximum(seeds, 1)
    by_prompt = whole.sum(0) * np.expand_dims(scale, -1)
    deviation = np.where(is_whole, whole.mean(-1) - by_prompt.mean(-1), 0.0)
    of_seeds = (deviation**2).sum(0) * scale / np.where(seeds > 1, seeds - 1, np.nan)
    of_prompts = by_prompt.var(-1, ddof=1) / prompts if prompts > 1 else np.zeros(seeds.shape)
    return of_seeds, of_prompts, seeds


class Estimate(NamedTuple):
    """A mean and its 95 % interval, (...) each."""

    mean: Floats
    low: Floats
    high: Floats


def mean_interval(values: ArrayLike, comparisons: int = 1) -> Estimate:
    """Return ``grand_mean`` of the seeds with values for all prompts, and its 95 % interval.

    If the prompts are fixed (P = 1), this is Student's interval over the seeds. With several
    ``comparisons`` all their intervals cover jointly with 95 % (Bonferroni). NaN below two
    seeds.
    """
    by_seed, by_prompt, seeds = variances(values)
    centre = _centre(values)
    half = half_width(by_seed, by_prompt, (seeds, np.shape(values)[-1]), 0.05 / comparisons)
    return Estimate(centre, centre - half, centre + half)


def half_width(
    by_seed: ArrayLike, by_prompt: ArrayLike, sizes: tuple[ArrayLike, ArrayLike], p: ArrayLike
) -> Floats:
    """Return half the width of an interval that misses with probability ``p`` at most.

    sqrt(t_{S-1}^2 by_seed + t_{P-1}^2 by_prompt) (Howe 1974, JASA 69, 789-794).
    """
    # Each variance keeps the degrees of freedom of its sample: S - 1 and P - 1. Satterthwaite's
    # pooled degrees of freedom are too many whenever a few seeds happen to lie close together:
    # by_seed is then too small, and the many prompts decide the quantile.
    seeds, prompts = (np.asarray(size, dtype=np.float64) for size in sizes)
    t_seeds = stats.t.isf(np.asarray(p) / 2, np.where(seeds > 1, seeds - 1, np.nan))
    t_prompts = stats.t.isf(np.asarray(p) / 2, np.maximum(prompts - 1, 1))
    return np.sqrt(t_seeds**2 * by_seed + t_prompts**2 * by_prompt)


def p_value(differences: ArrayLike) -> Floats:
    """Return the two-sided p (...) of the hypothesis that paired differences have mean 0.

    ``differences`` are (S, ..., P). The p is that whose interval (``half_width``) just touches
    0, which is the paired t test's p if the prompts are fixed. Correct several by ``holm``. NaN
    below two seeds; 1 if all differences are 0.
    """
    by_seed, by_prompt, seeds = variances(differences)
    distance = np.abs(_centre(differences))
    sizes = (seeds, np.shape(differences)[-1])
    # Bisection over log10 p: the half-width falls as p grows.
    low, high = np.full(distance.shape, -100.0), np.zeros(distance.shape)
    for _ in range(50):
        middle = (low + high) / 2
        inside = distance <= half_width(by_seed, by_prompt, sizes, 10**middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    # Without any variance the mean is certain: p is 1 if it is 0, and else 0.
    certain = (by_seed == 0) & (by_prompt == 0)
    p = np.where(certain, np.where(distance == 0, 1.0, 0.0), 10**high)
    return np.where(seeds > 1, p, np.nan)


def holm(p_values: ArrayLike) -> Floats:
    """Return adjusted p values (m,) of m tests, which control the familywise error rate.

    max over j <= i of (m - j + 1) p_(j), at most 1 (Holm 1979). NaN marks a missing test: it
    stays NaN and does not count.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    steps = np.arange(len(order), 0, -1) * p[order]
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def _centre(values: ArrayLike) -> Floats:
    """Return ``grand_mean`` of the seeds with values for all prompts."""
    values = np.asarray(values, dtype=np.float64)
    return grand_mean(np.where(np.isnan(values).any(-1, keepdims=True), np.nan, values))


def _variance(draws: Floats) -> Floats:
    """Return the variance of draws (D, ...), without those that lack a value."""
    return np.ma.filled(np.ma.masked_invalid(draws).var(axis=0, ddof=1), np.nan)
