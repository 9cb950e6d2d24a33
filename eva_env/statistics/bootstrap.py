"""Bootstrap draws of seeds and prompts, which are both samples.

The pigeonhole bootstrap (Owen 2007, arXiv 0712.1111) resamples the rows and the columns of a
table, here seeds and prompts, each with replacement; all values of a drawn seed or prompt are
drawn together. It needs no model of the variance. From n it draws n - 1, so that the variance
of the draws is that of a sample mean, and not (n - 1) / n of it (Rao & Wu 1988, JASA 83,
231-241). Support frequencies of games are counted over such draws. ``intervals`` uses draws of
the seeds alone and of the prompts alone, since a few seeds give a much less certain variance
than many prompts.

Values are (S, ..., P) everywhere: S seeds first, P prompts last, and between them the items
that are compared (arms, pairs of players). NaN is a missing value, as of a seed that failed.
One prompt (P = 1) represents prompts that are fixed. D draws come first.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eva_env.types import Floats

Drawn = Literal["both", "seeds", "prompts"]


def grand_mean(values: ArrayLike) -> Floats:
    """Return the mean over seeds of the means over their prompts, (S, ..., P) -> (...)."""
    values = np.asarray(values, dtype=np.float64)
    ones = (np.ones((1, values.shape[0])), np.ones((1, values.shape[-1])))
    return over_seeds(over_prompts(values, ones[1]), ones[0])[0]


def resampled(
    values: ArrayLike, draws: int, rng: np.random.Generator, of: Drawn = "both"
) -> Floats:
    """Return the ``grand_mean`` of resampled seeds and prompts, (S, ..., P) -> (D, ...).

    All compared items share the seeds and prompts of a draw. NaN where all drawn values are
    missing. ``of`` limits the resampling to seeds or to prompts.
    """
    values = np.asarray(values, dtype=np.float64)
    seeds, prompts = draw_counts(values.shape[0], values.shape[-1], draws, rng)
    seeds = np.ones_like(seeds) if of == "prompts" else seeds
    prompts = np.ones_like(prompts) if of == "seeds" else prompts
    return over_seeds(over_prompts(values, prompts), seeds)


def draw_counts(
    seeds: int, prompts: int, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw how often each seed (D, S) and each prompt (D, P) occurs in each draw.

    For statistics other than means: compute them per seed, then average by ``over_seeds``.
    """
    return _multiplicities(seeds, draws, rng), _multiplicities(prompts, draws, rng)


def over_prompts(values: Floats, counts: Floats) -> Floats:
    """Return means (S, D, ...) of (S, ..., P) over prompts drawn ``counts`` (D, P) times."""
    present = ~np.isnan(values)
    total = np.where(present, values, 0.0) @ counts.T
    number = present.astype(np.float64) @ counts.T if not present.all() else counts.sum(-1)
    return np.moveaxis(_ratio(total, number), -1, 1)


def over_seeds(values: Floats, counts: Floats) -> Floats:
    """Return means (D, ...) of (S, D, ...) over seeds drawn ``counts`` (D, S) times."""
    present = ~np.isnan(values)
    weights = counts.T.reshape(*counts.T.shape, *[1] * (values.ndim - 2))
    total = (np.where(present, values, 0.0) * weights).sum(0)
    return _ratio(total, (present * weights).sum(0))


def support_frequencies(
    solver: Callable[[Floats], ArrayLike], matrices: Floats, tolerance: float = 1e-6
) -> Floats:
    """Return the share of drawn matrices (D, ...) whose solution plays each strategy, (n,).

    ``solver`` maps a matrix to probabilities; a strategy is played if its probability exceeds
    ``tolerance``. Draws that lack an entry which others have are left out; ValueError if none
    remain.
    """
    usable = whole_draws(matrices)
    if not usable.any():
        raise ValueError(
            f"each of {len(matrices)} drawn matrices lacks entries; take more seeds"
        )
    played = [np.asarray(solver(matrix)) > tolerance for matrix in matrices[usable]]
    return np.mean(played, axis=0)


def whole_draws(matrices: Floats) -> NDArray[np.bool_]:
    """Return True for the drawn matrices (D, ...) with every entry that any draw has.

    A matrix that lacks an entry describes another game.
    """
    missing = np.isnan(matrices).reshape(len(matrices), -1)
    return np.all(~missing | missing.all(0), axis=1)


def _multiplicities(size: int, draws: int, rng: np.random.Generator) -> Floats:
    """Return how often each of ``size`` items occurs in each draw of size - 1, (D, size)."""
    indices = rng.integers(size, size=(draws, max(size - 1, 1)))
    # Give each draw a range of its own, so that one count serves all draws.
    shifted = indices + size * np.arange(draws)[:, None]
    number = np.bincount(shifted.ravel(), minlength=draws * size)
    return number.reshape(draws, size).astype(np.float64)


def _ratio(total: Floats, number: Floats) -> Floats:
    number = np.broadcast_to(number, total.shape)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
