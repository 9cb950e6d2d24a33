"""Draws of seeds and prompts, both of which are samples, and what they do to a game.

The pigeonhole bootstrap (Owen 2007, arXiv 0712.1111): rows and columns of a table, here seeds
and prompts, are each drawn anew with replacement, whatever belongs to a seed or a prompt going
with it. It needs no model of the variance. One fewer is drawn than there are, so that draws
vary as samples do, and not by (n - 1) / n of that (Rao & Wu 1988, JASA 83, 231-241). Supports
of games are counted over such draws. For ``intervals`` seeds and prompts are drawn one at a
time, since their variances are known with very different certainty: a few seeds, many prompts.

Values are (S, ..., P) everywhere: S seeds first, P prompts last, between them what is compared
(arms, pairs of players). NaN is a cell without a value, as of a seed that failed. One prompt
(P = 1) stands for prompts that are fixed. D draws come first.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def support_frequencies(
    solver: Callable[[Floats], ArrayLike], matrices: Floats, tolerance: float = 1e-6
) -> Floats:
    """Share of drawn matrices (D, ...) in whose solution a strategy is played, (strategies,).

    ``solver`` gives a matrix's probabilities; what exceeds ``tolerance`` is played. Draws that
    lack a cell which others have are left out; ValueError if that leaves none.
    """
    usable = whole_draws(matrices)
    if not usable.any():
        raise ValueError(f"each of {len(matrices)} drawn matrices lacks cells; take more seeds")
    played = [np.asarray(solver(matrix)) > tolerance for matrix in matrices[usable]]
    return np.mean(played, axis=0)


def whole_draws(matrices: Floats) -> NDArray[np.bool_]:
    """Which drawn matrices (D, ...) lack no cell that others have; another game has fewer."""
    missing = np.isnan(matrices).reshape(len(matrices), -1)
    return np.all(~missing | missing.all(0), axis=1)


def _counts(size: int, draws: int, rng: np.random.Generator) -> Floats:
    drawn = max(size - 1, 1)
    picked = rng.integers(size, size=(draws, drawn)) + size * np.arange(draws)[:, None]
    number = np.bincount(picked.ravel(), minlength=draws * size)
    return number.reshape(draws, size).astype(np.float64)


def _ratio(total: Floats, number: Floats) -> Floats:
    number = np.broadcast_to(number, total.shape)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
