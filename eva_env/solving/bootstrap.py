"""Intervals and tests of means over seeds and prompts, both of which are samples.

The pigeonhole bootstrap (Owen 2007, arXiv 0712.1111): rows and columns of a table, here seeds
and prompts, are each drawn anew with replacement, whatever belongs to a seed or a prompt going
with it. It needs no model of the variance, and errs towards wide intervals.

Values are (S, ..., P) everywhere: S seeds first, P prompts last, between them what is compared
(arms, pairs of players). NaN is a cell without a value, as of a seed that failed. One prompt
(P = 1) stands for prompts that are fixed. D draws come first.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from eva_env.types import Floats, Ints


def mean(values: ArrayLike) -> Floats:
    """Mean over the seeds of the means over their prompts, (S, ..., P) -> (...)."""
    values = np.asarray(values, dtype=np.float64)
    ones = (np.ones((1, values.shape[0])), np.ones((1, values.shape[-1])))
    return over_seeds(over_prompts(values, ones[1]), ones[0])[0]


def resampled(values: ArrayLike, draws: int, rng: np.random.Generator) -> Floats:
    """``mean`` of seeds and prompts that were drawn anew, (S, ..., P) -> (D, ...).

    The seeds and prompts of a draw are the same for everything between. NaN where all cells
    that were drawn lack a value.
    """
    values = np.asarray(values, dtype=np.float64)
    seeds, prompts = counts(values.shape[0], values.shape[-1], draws, rng)
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
    draws: Floats, estimate: ArrayLike, seeds: ArrayLike, comparisons: int = 1
) -> tuple[Floats, Floats]:
    """95 % interval (low, high) about an estimate (...), by its bootstrap draws (D, ...).

    estimate -+ t sqrt(S / (S - 1)) sd(draws), t the quantile for S - 1 degrees of freedom; the
    widening makes up for few seeds. If the prompts are fixed this is Student's interval over
    seeds; if prompts or noise vary more than seeds do, it is wider than need be, with 3 seeds
    up to three times. ``seeds`` S is how many there are, for each estimate if an array; NaN for
    one. ``comparisons``: ``quantile``.
    """
    spread = np.ma.masked_invalid(draws).std(axis=0, ddof=1)
    half = quantile(seeds, comparisons) * _widening(seeds) * np.ma.filled(spread, np.nan)
    return np.asarray(estimate) - half, np.asarray(estimate) + half


def quantile(seeds: ArrayLike, comparisons: int = 1) -> Floats:
    """Student's t that a 95 % interval over the seeds reaches; NaN below two seeds.

    With several comparisons all their intervals cover at once with 95 % (Bonferroni).
    """
    return stats.t.ppf(1 - 0.025 / comparisons, np.asarray(seeds) - 1)


def standard_error(values: ArrayLike) -> tuple[Floats, Ints]:
    """Standard error of ``mean`` (...) and number of seeds, in closed form.

    What ``interval`` has from draws: with multinomial counts the bootstrap's variance is the
    sum of the squares of the seeds' effects / S^2, of the prompts' effects / P^2 and of what
    neither explains / (S P)^2; it is widened by S / (S - 1). A seed that lacks a value at any
    prompt is left out. NaN below two seeds.
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values.sum(-1, keepdims=True))
    seeds = known[..., 0].sum(0)
    centred = np.where(known, values, 0.0)
    scale = 1 / np.maximum(seeds, 1)
    by_prompt = centred.sum(0) * scale[..., None]
    centred = np.where(known, values - by_prompt, 0.0)
    by_seed = centred.mean(-1)
    rest = np.where(known, centred - by_seed[..., None], 0.0)
    prompts = values.shape[-1]
    variance = (by_seed**2).sum(0) * scale**2
    variance += by_prompt.var(-1) / prompts
    variance += (rest**2).sum((0, -1)) * scale**2 / prompts**2
    return np.sqrt(variance) * _widening(seeds), seeds


class Paired(NamedTuple):
    """Mean difference, its 95 % interval and the two-sided p value, (...) each."""

    mean: Floats
    low: Floats
    high: Floats
    p: Floats


def paired_test(differences: ArrayLike, comparisons: int = 1) -> Paired:
    """Whether paired differences (S, ..., P) are 0 in the mean: t with S - 1 degrees.

    With ``standard_error``; the paired t test over seeds if the prompts are fixed.
    ``comparisons`` widens the interval alone; p values are for ``holm``. NaN below two seeds.
    Differences that are 0 throughout have p = 1.
    """
    values = np.asarray(differences, dtype=np.float64)
    error, seeds = standard_error(values)
    centre = mean(np.where(np.isnan(values).any(-1, keepdims=True), np.nan, values))
    half = quantile(seeds, comparisons) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where((centre == 0) & (error == 0), 0.0, centre / error)
    p = 2 * stats.t.sf(np.abs(t), seeds - 1)
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


def _widening(seeds: ArrayLike) -> Floats:
    number = np.asarray(seeds, dtype=np.float64)
    return np.sqrt(number / np.where(number > 1, number - 1, np.nan))
