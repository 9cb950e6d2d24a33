"""Payoff matrices with missing entries (NaN)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

import numpy as np
from numpy.typing import ArrayLike

from eva_env.types import Floats, Ints

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """A pair of mixed strategies and the row player's payoff.

    ``value`` is in units of payoff, ``row`` (R,) and ``column`` (C,) are probabilities; NaN for
    the strategies that ``complete`` drops.
    """

    value: float
    row: Floats
    column: Floats


def checked(payoffs: ArrayLike) -> Floats:
    """Return the payoffs as a float64 matrix; None and NaN are missing entries.

    ValueError if it is not a matrix, is empty, or has an infinite payoff.
    """
    matrix = np.asarray(payoffs, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(f"payoffs must be a matrix (R, C), got shape {matrix.shape}")
    if np.isinf(matrix).any():
        i, j = np.argwhere(np.isinf(matrix))[0]
        raise ValueError(
            f"payoffs must be finite, got {matrix[i, j]} at ({i}, {j}); a missing one is NaN"
        )
    return matrix


def square(payoffs: ArrayLike) -> Floats:
    """Return the ``checked`` payoffs (n, n) of a symmetric game; ValueError if not square."""
    matrix = checked(payoffs)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"a symmetric game has as many columns as rows, got payoffs of shape {matrix.shape}"
        )
    return matrix


def complete(payoffs: ArrayLike, symmetric: bool = False) -> tuple[Ints, Ints]:
    """Return the indices of rows and columns between which no entry is missing.

    Greedy: it drops the strategy with the largest share of missing entries, until none is
    missing. Of equals it drops one of the player with more strategies left, else a row, and the
    last of them. ``symmetric`` drops a strategy as row and as column together, and first
    those without a payoff against themselves. Something remains unless all entries are missing
    (with ``symmetric``, all on the diagonal), which is a ValueError.
    """
    missing = np.isnan(square(payoffs) if symmetric else checked(payoffs))
    if (missing.diagonal() if symmetric else missing).all():
        where = "on the diagonal " if symmetric else ""
        raise ValueError(f"all payoffs {where}are missing; give at least one that is a number")
    rows, columns = (np.arange(size) for size in missing.shape)
    if symmetric:
        rows = columns = np.flatnonzero(~missing.diagonal())
    while (still_missing := missing[np.ix_(rows, columns)]).any():
        by_row, by_column = still_missing.mean(1), still_missing.mean(0)
        if symmetric:
            rows = columns = np.delete(rows, _last_largest(by_row + by_column))
        elif (by_row.max(), len(rows)) >= (by_column.max(), len(columns)):
            rows = np.delete(rows, _last_largest(by_row))
        else:
            columns = np.delete(columns, _last_largest(by_column))
    return rows, columns


def bimatrix(
    payoffs: ArrayLike, column_payoffs: ArrayLike | None = None
) -> tuple[Floats, Floats, tuple[Ints, Ints]]:
    """Return both players' payoffs among the strategies that ``complete`` keeps, and those.

    ``column_payoffs`` are the column player's payoffs, -``payoffs`` if None. An entry missing
    in either is missing. ValueError if the shapes differ.
    """
    ours = checked(payoffs)
    theirs = -ours if column_payoffs is None else checked(column_payoffs)
    if ours.shape != theirs.shape:
        raise ValueError(
            f"both players' payoffs must have the same shape, got {ours.shape}, {theirs.shape}"
        )
    rows, columns = complete(np.where(np.isnan(theirs), np.nan, ours))
    kept = np.ix_(rows, columns)
    return ours[kept], theirs[kept], (rows, columns)


def widen(probabilities: Floats, kept: Ints, size: int) -> Floats:
    """Return values (..., size) of all strategies, NaN for those that were not ``kept``."""
    wide = np.full((*probabilities.shape[:-1], size), np.nan)
    wide[..., kept] = probabilities
    return wide


def narrow(strategy: ArrayLike, kept: Ints, size: int) -> Floats:
    """Return a mixed strategy (size,) restricted to the strategies that were ``kept``.

    ValueError if it is not a distribution, or has mass on a strategy that was dropped.
    """
    wide = np.asarray(strategy, dtype=np.float64)
    if wide.shape != (size,):
        raise ValueError(f"a strategy must have shape ({size},), got {wide.shape}")
    narrow_strategy = wide[kept]
    if not (narrow_strategy >= 0).all() or abs(np.nansum(wide) - 1) > 1e-6:
        raise ValueError(f"a strategy must be probabilities that sum to 1, got {wide}")
    if abs(narrow_strategy.sum() - 1) > 1e-6:
        dropped = np.setdiff1d(np.flatnonzero(wide > 0), kept)
        raise ValueError(
            f"payoffs of the strategies {dropped.tolist()}, which are played, are missing"
        )
    return narrow_strategy


def on_complete(
    solve: Callable[Concatenate[Floats, P], Equilibrium],
) -> Callable[Concatenate[ArrayLike, P], Equilibrium]:
    """Make a solver of full matrices accept missing entries, by ``complete``."""

    @wraps(solve)
    def solver(payoffs: ArrayLike, *args: P.args, **kwargs: P.kwargs) -> Equilibrium:
        matrix = checked(payoffs)
        rows, columns = complete(matrix)
        equilibrium = solve(matrix[np.ix_(rows, columns)], *args, **kwargs)
        return Equilibrium(
            equilibrium.value,
            widen(equilibrium.row, rows, len(matrix)),
            widen(equilibrium.column, columns, len(matrix.T)),
        )

    return solver


def _last_largest(values: Floats) -> int:
    return len(values) - 1 - int(values[::-1].argmax())
