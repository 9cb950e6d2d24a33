"""Replicator dynamics: a strategy's share grows as it does better than the average.

Taylor and Jonker 1978 of one population that plays a symmetric game with itself, Taylor 1979
of two. Time is in 1 / payoff. Missing cells: ``complete``, with NaN for what it drops; a
ValueError if that is played.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from eva_env.distributions import softmax
from eva_env.solving.matrices import bimatrix, complete, narrow, square, widen
from eva_env.types import Floats, Ints

Pair = tuple[Floats, Floats]


def replicator(payoffs: ArrayLike, state: ArrayLike) -> Floats:
    """d state / dt = state (payoffs @ state - its mean), (n,), in a symmetric game.

    ``payoffs[i, j]`` is what i gets against j.
    """
    cells, kept, shares = _one(payoffs, state)
    return widen(_growth(shares, cells @ shares), kept, np.size(state))


def replicator_pair(
    payoffs: ArrayLike,
    row: ArrayLike,
    column: ArrayLike,
    column_payoffs: ArrayLike | None = None,
) -> Pair:
    """d row / dt (R,) and d column / dt (C,), a population each.

    ``column_payoffs`` (R, C) is what the column player gets, -``payoffs`` if None.
    """
    (ours, theirs), (rows, columns), (x, y) = _two(payoffs, row, column, column_payoffs)
    return (
        widen(_growth(x, ours @ y), rows, np.size(row)),
        widen(_growth(y, x @ theirs), columns, np.size(column)),
    )


def trajectory(payoffs: ArrayLike, state: ArrayLike, times: ArrayLike) -> Floats:
    """Shares (T, n) at ``times`` (T,), increasing, from ``state`` at the first of them.

    What is solved is the logits' equation, d logits / dt = payoffs @ softmax(logits), to
    1e-10; so shares stay in the simplex, and those that are 0 stay 0.
    """
    cells, kept, shares = _one(payoffs, state)
    (paths,) = _solve(lambda x: [cells @ x[0]], [shares], times)
    return widen(paths, kept, np.size(state))


def trajectory_pair(
    payoffs: ArrayLike,
    row: ArrayLike,
    column: ArrayLike,
    times: ArrayLike,
    column_payoffs: ArrayLike | None = None,
) -> Pair:
    """Shares (T, R) and (T, C) of two populations; see ``trajectory``."""
    (ours, theirs), (rows, columns), shares = _two(payoffs, row, column, column_payoffs)
    paths = _solve(lambda x: [ours @ x[1], x[0] @ theirs], list(shares), times)
    return (
        widen(paths[0], rows, np.size(row)),
        widen(paths[1], columns, np.size(column)),
    )


def simplex_flow(payoffs: ArrayLike, resolution: int = 20) -> Pair:
    """The flow of a symmetric game of three strategies, as a picture needs it.

    A triangular grid of shares (P, 3), in ``resolution`` steps from corner to corner, edges
    too, and d state / dt there, (P, 3). ValueError for another number of strategies or missing
    cells.
    """
    cells = square(payoffs)
    if cells.shape != (3, 3) or np.isnan(cells).any():
        raise ValueError(
            f"the flow is of three strategies with all their payoffs, got shape {cells.shape} "
            f"with {int(np.isnan(cells).sum())} cells missing"
        )
    if resolution < 1:
        raise ValueError(f"resolution must be at least 1, got {resolution}")
    first, second = np.indices((resolution + 1, resolution + 1)).reshape(2, -1)
    inside = first + second <= resolution
    corners = first[inside], second[inside], (resolution - first - second)[inside]
    points = np.stack(corners, -1) / resolution
    return points, _growth(points, points @ cells.T)


def _growth(shares: Floats, fitness: Floats) -> Floats:
    return shares * (fitness - (shares * fitness).sum(-1, keepdims=True))


def _one(payoffs: ArrayLike, state: ArrayLike) -> tuple[Floats, Ints, Floats]:
    """Cells of the strategies that are kept, which those are, their shares."""
    matrix = square(payoffs)
    kept, _ = complete(matrix, symmetric=True)
    return matrix[np.ix_(kept, kept)], kept, narrow(state, kept, len(matrix))


def _two(
    payoffs: ArrayLike, row: ArrayLike, column: ArrayLike, column_payoffs: ArrayLike | None
) -> tuple[Pair, tuple[Ints, Ints], Pair]:
    """The same of two populations."""
    ours, theirs, (rows, columns) = bimatrix(payoffs, column_payoffs)
    shape = np.shape(payoffs)
    mixed = narrow(row, rows, shape[0]), narrow(column, columns, shape[1])
    return (ours, theirs), (rows, columns), mixed


def _solve(
    fitness: Callable[[list[Floats]], list[Floats]], starts: list[Floats], times: ArrayLike
) -> list[Floats]:
    """Paths (T, n) of each population, by its logits; what is not there at first never is."""
    moments = np.asarray(times, dtype=np.float64)
    if moments.ndim != 1 or len(moments) < 2 or not (np.diff(moments) > 0).all():
        raise ValueError(f"times must be two or more, and increase, got {moments}")
    ends = np.cumsum([len(start) for start in starts])[:-1]
    absent = [np.where(start > 0, 0.0, -np.inf) for start in starts]

    def shares(logits: Floats) -> list[Floats]:
        parts = np.split(logits, ends, axis=-1)
        return [softmax(part + mask) for part, mask in zip(parts, absent, strict=True)]

    def velocity(_: float, logits: Floats) -> Floats:
        return np.concatenate([gain - gain.mean() for gain in fitness(shares(logits))])

    first = np.concatenate([np.log(np.where(start > 0, start, 1.0)) for start in starts])
    found = solve_ivp(
        velocity, moments[[0, -1]], first, "DOP853", moments, rtol=1e-10, atol=1e-10
    )
    if not found.success:
        raise RuntimeError(f"the dynamics were not solved: {found.message}")
    return shares(found.y.T)
