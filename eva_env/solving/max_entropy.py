"""Of a game's equilibria the most even one, which names no winner among equals."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space
from scipy.optimize import linprog, nnls

from eva_env.solving.matrices import Equilibrium, on_complete
from eva_env.solving.zero_sum import nash, normalised
from eva_env.types import Floats, Ints

FINEST = 1e-7
"""Differences that count as none, of payoffs as a share of their range."""


@on_complete
def max_entropy_nash(payoffs: Floats) -> Equilibrium:
    """The Nash equilibrium whose two strategies have the highest entropy each; it is unique.

    Strategies with the same payoffs throughout count as one, which they share equally: a copy
    changes nothing for the others. (Without that, copies would pull entropy towards
    themselves wherever the equilibrium is not unique.) Accurate to about 1e-7 of the payoffs'
    range. Missing cells: ``complete``, with NaN for what it drops.
    """
    unit = normalised(payoffs)
    rows, row_copies = _distinct(unit)
    columns, column_copies = _distinct(unit.T)
    cells = unit[np.ix_(rows, columns)]
    value = nash(cells).value
    row = _shared(_most_even(cells - value), row_copies)
    column = _shared(_most_even(value - cells.T), column_copies)
    return Equilibrium(float(row @ payoffs @ column), row, column)


def _most_even(gains: Floats) -> Floats:
    """The x in the simplex with x @ gains >= 0 that has the highest entropy."""
    inside, strict = _relative_interior(gains)
    support = inside > 0
    x, gains = inside[support], gains[support]
    equal = np.c_[gains[:, ~strict], np.ones(len(x))].T
    target = np.r_[np.zeros(len(equal) - 1), 1.0]
    x = x + np.linalg.lstsq(equal, target - equal @ x, rcond=FINEST)[0]
    directions = null_space(equal, rcond=FINEST)
    if directions.size:
        x = _climb(x, directions, gains[:, strict])
    found = np.zeros(len(support))
    found[support] = np.maximum(x, 0.0)
    return found / found.sum()


def _relative_interior(gains: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """An x with x @ gains >= 0 that is positive, as are its gains, wherever one can be.

    x is a distribution; second, which of the gains are positive. One linear program over the
    cone of such x: as many as can be of x = rest + t and x @ gains >= u reach t = 1 and u = 1.
    """
    n, k = gains.shape
    both = np.r_[gains, gains].round(12)
    for tolerance in (1e-7, 1e-6):  # HiGHS gives up on one in 10 000 at the first
        found = linprog(
            -np.r_[np.zeros(n), np.ones(n + k)],
            A_ub=np.c_[-both.T, np.eye(k)],
            b_ub=np.full(k, 1e-9),  # the value is rounded: without slack there might be no x
            bounds=[(0, 1e4)] * n + [(0, 1)] * (n + k),  # wider ones are too hard for HiGHS
            method="highs",
            # Presolve takes some for infeasible, though 0 always is feasible.
            options={"presolve": False, "primal_feasibility_tolerance": tolerance},
        )
        if found.success:
            break
    else:
        raise RuntimeError(f"the linear program was not solved: {found.message}")
    rest, present, strict = np.split(found.x, [n, 2 * n])
    x = np.where(present > 1e-3, rest + present, 0.0)
    return x / x.sum(), strict > 1e-3


def _climb(x: Floats, directions: Floats, slacks: Floats) -> Floats:
    """Highest entropy on x + the span of ``directions`` with x @ slacks >= 0.

    Newton's method; where a whole step leaves the set, it is the nearest in the metric of the
    curvature, diag(1 / x), that does not.
    """
    for _ in range(200):
        root = np.sqrt(x)
        basis = np.linalg.qr(directions / root[:, None])[0]
        free = -basis.T @ (root * np.log(x))
        walls = basis.T @ (root[:, None] * slacks)
        step = free + _least_distance(walls, -(x @ slacks) - free @ walls)
        move = root * (basis @ step)
        for size in 0.5 ** np.arange(60):
            ahead = x + size * move
            if (ahead > 0).all() and ahead @ np.log(ahead) <= x @ np.log(x):
                x = ahead
                break
        if step @ step < 1e-20:
            break
    return x


def _least_distance(walls: Floats, short: Floats) -> Floats:
    """The shortest w with w @ walls >= short, by NNLS; Lawson and Hanson 1974, chapter 23."""
    if not (short > 0).any():
        return np.zeros(len(walls))
    system, target = np.r_[walls, short[None]], np.eye(len(walls) + 1)[-1]
    residual = system @ nnls(system, target)[0] - target
    return -residual[:-1] / residual[-1]


def _distinct(payoffs: Floats) -> tuple[Ints, Ints]:
    """Indices of one row of each kind, and of which kind every row is, (n,)."""
    _, first, kind = np.unique(payoffs.round(9), axis=0, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)


def _shared(mass: Floats, kind: Ints) -> Floats:
    """The mass of each kind in equal parts for those that are of it."""
    return (mass / np.bincount(kind))[kind]
