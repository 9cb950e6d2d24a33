"""Intervals and tests of means over seeds and prompts, both of which are samples.

Values are (S, ..., P), as in ``bootstrap``: S seeds first, P prompts last.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from eva_env.statistics.bootstrap import mean
from eva_env.types import Floats


def interval(
    estimate: ArrayLike,
    by_seed: Floats,
    by_prompt: Floats,
    sizes: tuple[ArrayLike, int],
    comparisons: int = 1,
) -> tuple[Floats, Floats]:
    """95 % interval (low, high) about an estimate (...) that need not be a mean.

    From its bootstrap draws (D, ...) with the seeds drawn anew alone, and with the prompts,
    in place of ``variances``. ``sizes`` are S and P; S for each estimate if an array. NaN for
    one seed. ``comparisons``: as in ``mean_interval``.
    """
    parts = _variance(by_seed), _variance(by_prompt)
    half = half_width(*parts, sizes, 0.05 / comparisons)
    return np.asarray(estimate) - half, np.asarray(estimate) + half


def variances(values: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Of ``mean`` (...): the part of the seeds, that of the prompts, and how many seeds.

    The variance over seeds, of their means over prompts, / S, and that over prompts / P. What
    neither explains is in both, so that their sum errs upwards by it, / (S P). A seed that
    lacks a value at any prompt is left out. The seeds' part is NaN below two.
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values).any(-1)
    seeds, prompts = known.sum(0), values.shape[-1]
    whole = np.where(np.isnan(values).any(-1, keepdims=True), 0.0, values)
    scale = 1 / np.maximum(seeds, 1)
    by_prompt = whole.sum(0) * np.expand_dims(scale, -1)
    by_seed = np.where(known, whole.mean(-1) - by_prompt.mean(-1), 0.0)
    part = (by_seed**2).sum(0) * scale / np.where(seeds > 1, seeds - 1, np.nan)
    other = by_prompt.var(-1, ddof=1) / prompts if prompts > 1 else np.zeros(seeds.shape)
    return part, other, seeds


class Estimate(NamedTuple):
    """A mean and its 95 % interval, (...) each."""

    mean: Floats
    low: Floats
    high: Floats


def mean_interval(values: ArrayLike, comparisons: int = 1) -> Estimate:
    """``mean`` of the seeds that have all their prompts, (S, ..., P), with its interval.

    Student's over the seeds if the prompts are fixed. With several ``comparisons`` all their
    intervals cover at once with 95 % (Bonferroni). NaN below two seeds.
    """
    by_seed, by_prompt, seeds = variances(values)
    centre = _centre(values)
    half = half_width(by_seed, by_prompt, (seeds, np.shape(values)[-1]), 0.05 / comparisons)
    return Estimate(centre, centre - half, centre + half)


def half_width(
    by_seed: ArrayLike, by_prompt: ArrayLike, sizes: tuple[ArrayLike, ArrayLike], p: ArrayLike
) -> Floats:
    """Half the width of an interval that misses with probability ``p`` at most.

    sqrt(t_{S-1}^2 by_seed + t_{P-1}^2 by_prompt): each of the two variances is as uncertain as
    its own sample leaves it (Howe 1974, JASA 69, 789-794). Pooled degrees of freedom
    (Satterthwaite's) are too many whenever a few seeds happen to lie close together.
    """
    seeds, prompts = (np.asarray(size, dtype=np.float64) for size in sizes)
    own = stats.t.isf(np.asarray(p) / 2, np.where(seeds > 1, seeds - 1, np.nan))
    other = stats.t.isf(np.asarray(p) / 2, np.maximum(prompts - 1, 1))
    return np.sqrt(own**2 * by_seed + other**2 * by_prompt)


def p_value(differences: ArrayLike) -> Floats:
    """Two-sided p (...) of paired differences (S, ..., P) being 0 in the mean.

    The p whose interval (``half_width``) just touches 0; the paired t test's if the prompts are
    fixed. For ``holm``. NaN below two seeds; 1 for differences that are 0 throughout.
    """
    by_seed, by_prompt, seeds = variances(differences)
    distance = np.abs(_centre(differences))
    sizes = (seeds, np.shape(differences)[-1])
    low, high = np.full(distance.shape, -100.0), np.zeros(distance.shape)
    for _ in range(50):
        middle = (low + high) / 2
        inside = distance <= half_width(by_seed, by_prompt, sizes, 10**middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    certain = (by_seed == 0) & (by_prompt == 0)
    found = np.where(certain, np.where(distance == 0, 1.0, 0.0), 10**high)
    return np.where(seeds > 1, found, np.nan)


def holm(p_values: ArrayLike) -> Floats:
    """Adjusted p values (m,) of m tests: the chance of any false alarm stays below alpha.

    max over j <= i of (m - j + 1) p_(j), at most 1 (Holm 1979). NaN is no test, and stays.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    steps = np.arange(len(order), 0, -1) * p[order]
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def _centre(values: ArrayLike) -> Floats:
    """``mean`` of the seeds that have all their prompts."""
    values = np.asarray(values, dtype=np.float64)
    return mean(np.where(np.isnan(values).any(-1, keepdims=True), np.nan, values))


def _variance(draws: Floats) -> Floats:
    """Variance of draws (D, ...), those that lack a value left out."""
    return np.ma.filled(np.ma.masked_invalid(draws).var(axis=0, ddof=1), np.nan)
