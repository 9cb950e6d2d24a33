"""Replicator dynamics: a strategy's share grows as it does better than the average.

Taylor and Jonker 1978 for one population that plays a symmetric game against itself, Taylor
1979 for two. Time is in 1 / payoff. With missing entries, strategies that ``complete`` drops
are NaN; ValueError if they have a positive share.
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
    """Return d state / dt = state (payoffs @ state - its mean), (n,), in a symmetric game.

    ``payoffs[i, j]`` is the payoff of i against j.
    """
    kept_payoffs, kept, shares = _one_population(payoffs, state)
    return widen(_growth(shares, kept_payoffs @ shares), kept, np.size(state))


def replicator_pair(
    payoffs: ArrayLike,
    row: ArrayLike,
    column: ArrayLike,
    column_payoffs: ArrayLike | None = None,
) -> Pair:
    """Return d row / dt (R,) and d column / dt (C,) of two populations.

    ``column_payoffs`` (R, C) are the column player's payoffs, -``payoffs`` if None.
    """
    (ours, theirs), (rows, columns), (x, y) = _two_populations(
        payoffs, row, column, column_payoffs
    )
    return (
        widen(_growth(x, ours @ y), rows, np.size(row)),
        widen(_growth(y, x @ theirs), columns, np.size(column)),
    )


def trajectory(payoffs: ArrayLike, state: ArrayLike, times: ArrayLike) -> Floats:
    """Return the shares (T, n) at increasing ``times`` (T,), with ``state`` at the first.

    It integrates the equation of the logits, d logits / dt = payoffs @ softmax(logits), to
    1e-10, so shares stay in the simplex, and a share of 0 stays 0.
    """
    kept_payoffs, kept, shares = _one_population(payoffs, state)
    (paths,) = _solve(lambda x: [kept_payoffs @ x[0]], [shares], times)
    return widen(paths, kept, np.size(state))


def trajectory_pair(
    payoffs: ArrayLike,
    row: ArrayLike,
    column: ArrayLike,
    times: ArrayLike,
    column_payoffs: ArrayLike | None = None,
) -> Pair:
    """Return the shares (T, R) and (T, C) of two populations; see ``trajectory``."""
    (ours, theirs), (rows, columns), shares = _two_populations(
        payoffs, row, column, column_payoffs
    )
    paths = _solve(lambda x: [ours @ x[1], x[0] @ theirs], list(shares), times)
    return (
        widen(paths[0], rows, np.size(row)),
        widen(paths[1], columns, np.size(column)),
    )


def simplex_flow(payoffs: ArrayLike, resolution: int = 20) -> Pair:
    """Return the flow of a symmetric game of three strategies on a grid, for drawing it.

    A triangular grid of shares (P, 3), edges included, in ``resolution`` steps from corner to
    corner, and d state / dt there, (P, 3). ValueError for another number of strategies or
    missing entries.
    """
    matrix = square(payoffs)
    if matrix.shape != (3, 3) or np.isnan(matrix).any():
        raise ValueError(
            f"the flow needs three strategies with all their payoffs, got shape {matrix.shape} "
            f"with {int(np.isnan(matrix).sum())} entries missing"
        )
    if resolution < 1:
        raise ValueError(f"resolution must be at least 1, got {resolution}")
    first, second = np.indices((resolution + 1, resolution + 1)).reshape(2, -1)
    inside = first + second <= resolution
    corners = first[inside], second[inside], (resolution - first - second)[inside]
    points = np.stack(corners, -1) / resolution
    return points, _growth(points, points @ matrix.T)


def _growth(shares: Floats, fitness: Floats) -> Floats:
    """Return the replicator equation's growth: shares times (fitness - mean fitness)."""
    return shares * (fitness - (shares * fitness).sum(-1, keepdims=True))


def _one_population(payoffs: ArrayLike, state: ArrayLike) -> tuple[Floats, Ints, Floats]:
    """Return the payoffs among the strategies that are kept, their indices and shares."""
    matrix = square(payoffs)
    kept, _ = complete(matrix, symmetric=True)
    return matrix[np.ix_(kept, kept)], kept, narrow(state, kept, len(matrix))


def _two_populations(
    payoffs: ArrayLike, row: ArrayLike, column: ArrayLike, column_payoffs: ArrayLike | None
) -> tuple[Pair, tuple[Ints, Ints], Pair]:
    """Return the payoffs, indices and shares of the strategies kept in two populations."""
    ours, theirs, (rows, columns) = bimatrix(payoffs, column_payoffs)
    shape = np.shape(payoffs)
    mixed = narrow(row, rows, shape[0]), narrow(column, columns, shape[1])
    return (ours, theirs), (rows, columns), mixed


def _solve(
    fitness: Callable[[list[Floats]], list[Floats]], starts: list[Floats], times: ArrayLike
) -> list[Floats]:
    """Return the paths (T, n) of each population; a share of 0 at the start stays 0."""
    moments = np.asarray(times, dtype=np.float64)
    if moments.ndim != 1 or len(moments) < 2 or not (np.diff(moments) > 0).all():
        raise ValueError(f"times must be two or more increasing numbers, got {moments}")
    ends = np.cumsum([len(start) for start in starts])[:-1]
    absent = [np.where(start > 0, 0.0, -np.inf) for start in starts]

    def shares(logits: Floats) -> list[Floats]:
        parts = np.split(logits, ends, axis=-1)
        return [softmax(part + mask) for part, mask in zip(parts, absent, strict=True)]

    def velocity(_: float, logits: Floats) -> Floats:
        # Subtracting the mean changes no share and keeps the logits bounded.
        return np.concatenate([gain - gain.mean() for gain in fitness(shares(logits))])

    first = np.concatenate([np.log(np.where(start > 0, start, 1.0)) for start in starts])
    solution = solve_ivp(
        velocity, moments[[0, -1]], first, "DOP853", moments, rtol=1e-10, atol=1e-10
    )
    if not solution.success:
        raise RuntimeError(f"the dynamics were not solved: {solution.message}")
    return shares(solution.y.T)
