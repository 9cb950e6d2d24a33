"""Intervals and tests of means over seeds and prompts, both of which are samples.

The pigeonhole bootstrap (Owen 2007, arXiv 0712.1111): rows and columns of a table, here seeds
and prompts, are each drawn anew with replacement, whatever belongs to a seed or a prompt going
with it. It needs no model of the variance. Supports of games are counted over such draws. For
intervals seeds and prompts are drawn one at a time, since their variances are known with very
different certainty: a few seeds, many prompts.

Values are (S, ..., P) everywhere: S seeds first, P prompts last, between them what is compared
(arms, pairs of players). NaN is a cell without a value, as of a seed that failed. One prompt
(P = 1) stands for prompts that are fixed. D draws come first.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from eva_env.types import Floats

Drawn = Literal["both", "seeds", "prompts"]


def mean(values: ArrayLike) -> Floats:
    """Mean over the seeds of the means over their prompts, (S, ..., P) -> (...)."""
    values = np.asarray(values, dtype=np.float64)
    ones = (np.ones((1, values.shape[0])), np.ones((1, values.shape[-1])))
    return over_seeds(over_prompts(values, ones[1]), ones[0])[0]


def resampled(
    values: ArrayLike, draws: int, rng: np.random.Generator, of: Drawn = "both"
) -> Floats:
    """``mean`` of seeds and prompts that were drawn anew, (S, ..., P) -> (D, ...).

    The seeds and prompts of a draw are the same for everything between. NaN where all cells
    that were drawn lack a value. ``of``: draw only seeds, or only prompts, anew.
    """
    values = np.asarray(values, dtype=np.float64)
    seeds, prompts = counts(values.shape[0], values.shape[-1], draws, rng)
    seeds = np.ones_like(seeds) if of == "prompts" else seeds
    prompts = np.ones_like(prompts) if of == "seeds" else prompts
    return over_seeds(over_prompts(values, prompts), seeds)


def counts(
    seeds: int, prompts: int, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """How often each seed (D, S) and each prompt (D, P) comes up in each draw.

    For statistics that are no means: ``over_seeds`` then averages what each seed gives.
    """
    return _counts(seeds, draws, rng), _counts(prompts, draws, rng)


def over_prompts(values: Floats, counts: Floats) -> Floats:
    """Means (S, D, ...) over prompts that came up ``counts`` (D, P) times, of (S, ..., P)."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0) @ counts.T
    number = known.astype(np.float64) @ counts.T if not known.all() else counts.sum(-1)
    return np.moveaxis(_ratio(total, number), -1, 1)


def over_seeds(values: Floats, counts: Floats) -> Floats:
    """Means (D, ...) over seeds that came up ``counts`` (D, S) times, of (S, D, ...)."""
    known = ~np.isnan(values)
    weights = counts.T.reshape(*counts.T.shape, *[1] * (values.ndim - 2))
    total = (np.where(known, values, 0.0) * weights).sum(0)
    return _ratio(total, (known * weights).sum(0))


def interval(
    estimate: ArrayLike,
    by_seed: Floats,
    by_prompt: Floats,
    sizes: tuple[ArrayLike, int],
    comparisons: int = 1,
) -> tuple[Floats, Floats]:
    """95 % interval (low, high) about an estimate (...) that need not be a mean.

    From its bootstrap draws (D, ...) with the seeds drawn anew alone, and with the prompts:
    what ``standard_error`` is for means. ``sizes`` are S and P; S for each estimate if an
    array. NaN for one seed. ``comparisons``: ``quantile``.
    """
    seeds, prompts = sizes
    part = _variance(by_seed) * _widening(seeds)
    other = _variance(by_prompt) * _widening(max(prompts, 2))
    error, freedom = _combined(part, other, seeds, prompts)
    half = quantile(freedom, comparisons) * error
    return np.asarray(estimate) - half, np.asarray(estimate) + half


def quantile(freedom: ArrayLike, comparisons: int = 1) -> Floats:
    """Student's t that a 95 % interval reaches; NaN without a degree of freedom.

    With several comparisons all their intervals cover at once with 95 % (Bonferroni).
    """
    return stats.t.ppf(1 - 0.025 / comparisons, freedom)


def standard_error(values: ArrayLike) -> tuple[Floats, Floats]:
    """Standard error of ``mean`` (...), and its degrees of freedom, in closed form.

    The variances over seeds, of their means over prompts, / S and over prompts / P add up; so
    errs the sum, upwards, by what neither explains / (S P). The degrees of freedom are
    Satterthwaite's (1946, Biometrics Bulletin 2, 110-114): near S - 1 if the seeds make up most
    of it, more if the prompts do. Two seeds are too few for that, and have 1. A seed that lacks
    a value at any prompt is left out. NaN below two seeds.
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values).any(-1)
    seeds, prompts = known.sum(0), values.shape[-1]
    whole = np.where(np.isnan(values).any(-1, keepdims=True), 0.0, values)
    scale = 1 / np.maximum(seeds, 1)
    by_prompt = whole.sum(0) * np.expand_dims(scale, -1)
    by_seed = np.where(known, whole.mean(-1) - by_prompt.mean(-1), 0.0)
    part = (by_seed**2).sum(0) * scale**2 * _widening(seeds)
    other = by_prompt.var(-1, ddof=1) / prompts if prompts > 1 else np.zeros(seeds.shape)
    return _combined(part, other, seeds, prompts)


def _combined(
    by_seed: Floats, by_prompt: Floats, seeds: ArrayLike, prompts: int
) -> tuple[Floats, Floats]:
    """Standard error and degrees of freedom of a sum of two estimated variances."""
    total, few = by_seed + by_prompt, np.asarray(seeds, dtype=np.float64) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = by_seed**2 / few + by_prompt**2 / max(prompts - 1, 1)
        freedom = np.where(spread > 0, total**2 / spread, few)
    freedom = np.where(few > 1, freedom, few)
    return np.where(few > 0, np.sqrt(total), np.nan), np.where(few > 0, freedom, np.nan)


class Paired(NamedTuple):
    """Mean difference, its 95 % interval and the two-sided p value, (...) each."""

    mean: Floats
    low: Floats
    high: Floats
    p: Floats


def paired_test(differences: ArrayLike, comparisons: int = 1) -> Paired:
    """Whether paired differences (S, ..., P) are 0 in the mean, by Student's t.

    With ``standard_error``; the paired t test over seeds if the prompts are fixed.
    ``comparisons`` widens the interval alone; p values are for ``holm``. NaN below two seeds.
    Differences that are 0 throughout have p = 1.
    """
    values = np.asarray(differences, dtype=np.float64)
    error, freedom = standard_error(values)
    centre = mean(np.where(np.isnan(values).any(-1, keepdims=True), np.nan, values))
    half = quantile(freedom, comparisons) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where((centre == 0) & (error == 0), 0.0, centre / error)
    p = 2 * stats.t.sf(np.abs(t), freedom)
    return Paired(centre, centre - half, centre + half, p)


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


def support_frequencies(
    solver: Callable[[Floats], ArrayLike], matrices: Floats, tolerance: float = 1e-6
) -> Floats:
    """Share of drawn matrices (D, ...) in whose solution a strategy is played, (strategies,).

    ``solver`` gives a matrix's probabilities; what exceeds ``tolerance`` is played. Draws that
    lack a cell which others have are left out; ValueError if that leaves none.
    """
    missing = np.isnan(matrices)
    usable = ~(missing & ~missing.all(0)).any(axis=tuple(range(1, matrices.ndim)))
    if not usable.any():
        raise ValueError(f"each of {len(matrices)} drawn matrices lacks cells; take more seeds")
    played = [np.asarray(solver(matrix)) > tolerance for matrix in matrices[usable]]
    return np.mean(played, axis=0)


def _counts(size: int, draws: int, rng: np.random.Generator) -> Floats:
    picked = rng.integers(size, size=(draws, size)) + size * np.arange(draws)[:, None]
    number = np.bincount(picked.ravel(), minlength=draws * size)
    return number.reshape(draws, size).astype(np.float64)


def _ratio(total: Floats, number: Floats) -> Floats:
    number = np.broadcast_to(number, total.shape)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)


def _variance(draws: Floats) -> Floats:
    """Variance of draws (D, ...), those that lack a value left out."""
    return np.ma.filled(np.ma.masked_invalid(draws).var(axis=0, ddof=1), np.nan)


def _widening(size: ArrayLike) -> Floats:
    """n / (n - 1), by which the variance of a sample of n falls short."""
    number = np.asarray(size, dtype=np.float64)
    return number / np.where(number > 1, number - 1, np.nan)
