"""Matrices of payoffs of which some cells are missing (NaN)."""

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
    """A pair of mixed strategies and what the row player gets.

    ``value`` in units of payoff, ``row`` (R,) and ``column`` (C,) probabilities; NaN for the
    strategies that ``complete`` has dropped.
    """

    value: float
    row: Floats
    column: Floats


def checked(payoffs: ArrayLike) -> Floats:
    """The payoffs as a float64 matrix; None and NaN are missing cells.

    ValueError if it is no matrix, is empty, or has an infinite payoff.
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
    """``checked`` payoffs of a symmetric game, (n, n); ValueError if not square."""
    matrix = checked(payoffs)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"a symmetric game has as many columns as rows, got payoffs of shape {matrix.shape}"
        )
    return matrix


def complete(payoffs: ArrayLike, symmetric: bool = False) -> tuple[Ints, Ints]:
    """Rows and columns (indices) between which no cell is missing.

    Greedy: the strategy that misses the largest share of its cells is dropped, until none is
    missing. Of equals, one of the player with more strategies left goes, else a row, and the
    last of them. ``symmetric`` drops a strategy as row and as column together, and first
    those without a payoff against themselves. Something remains unless all cells are missing
    (with ``symmetric``, all on the diagonal), which is a ValueError.
    """
    missing = np.isnan(square(payoffs) if symmetric else checked(payoffs))
    if (missing.diagonal() if symmetric else missing).all():
        where = "on the diagonal " if symmetric else ""
        raise ValueError(f"all payoffs {where}are missing; give at least one that is a number")
    rows, columns = (np.arange(size) for size in missing.shape)
    if symmetric:
        rows = columns = np.flatnonzero(~missing.diagonal())
    while (left := missing[np.ix_(rows, columns)]).any():
        by_row, by_column = left.mean(1), left.mean(0)
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
    """Both players' payoffs between the strategies kept, and which those are.

    ``column_payoffs`` is what the column player gets, -``payoffs`` if None. A cell missing in
    either is missing. ValueError if the shapes differ.
    """
    ours = checked(payoffs)
    theirs = -ours if column_payoffs is None else checked(column_payoffs)
    if ours.shape != theirs.shape:
        raise ValueError(
            f"both players' payoffs must have one shape, got {ours.shape} and {theirs.shape}"
        )
    rows, columns = complete(np.where(np.isnan(theirs), np.nan, ours))
    kept = np.ix_(rows, columns)
    return ours[kept], theirs[kept], (rows, columns)


def widen(probabilities: Floats, kept: Ints, size: int) -> Floats:
    """Values of the strategies that were kept, among all (size,); NaN for the others."""
    wide = np.full((*probabilities.shape[:-1], size), np.nan)
    wide[..., kept] = probabilities
    return wide


def narrow(strategy: ArrayLike, kept: Ints, size: int) -> Floats:
    """A mixed strategy (size,) among those that were kept.

    ValueError if it is no distribution, or has mass on a strategy that was dropped.
    """
    wide = np.asarray(strategy, dtype=np.float64)
    if wide.shape != (size,):
        raise ValueError(f"a strategy must have shape ({size},), got {wide.shape}")
    inside = wide[kept]
    if not (inside >= 0).all() or abs(np.nansum(wide) - 1) > 1e-6:
        raise ValueError(f"a strategy must be probabilities that sum to 1, got {wide}")
    if abs(inside.sum() - 1) > 1e-6:
        dropped = np.setdiff1d(np.flatnonzero(wide > 0), kept)
        raise ValueError(
            f"payoffs of the strategies {dropped.tolist()}, which are played, are missing"
        )
    return inside


def on_complete(
    solve: Callable[Concatenate[Floats, P], Equilibrium],
) -> Callable[Concatenate[ArrayLike, P], Equilibrium]:
    """A solver of full matrices made one of matrices with missing cells, by ``complete``."""

    @wraps(solve)
    def solver(payoffs: ArrayLike, *args: P.args, **kwargs: P.kwargs) -> Equilibrium:
        matrix = checked(payoffs)
        rows, columns = complete(matrix)
        found = solve(matrix[np.ix_(rows, columns)], *args, **kwargs)
        return Equilibrium(
            found.value,
            widen(found.row, rows, len(matrix)),
            widen(found.column, columns, len(matrix.T)),
        )

    return solver


def _last_largest(values: Floats) -> int:
    return len(values) - 1 - int(values[::-1].argmax())
