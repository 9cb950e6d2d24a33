"""The Nash equilibrium of maximum entropy, which treats equal strategies equally."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space
from scipy.optimize import linprog, nnls

from eva_env.solving.matrices import Equilibrium, on_complete
from eva_env.solving.zero_sum import nash, normalised
from eva_env.types import Floats, Ints

FINEST = 1e-7
"""Differences of payoffs that count as 0, as a share of the payoffs' range."""


@on_complete
def max_entropy_nash(payoffs: Floats) -> Equilibrium:
    """Return the unique Nash equilibrium whose two strategies have the highest entropy each.

    Strategies with identical payoffs count as one and share its mass equally, so a copy changes
    nothing for the others. (Otherwise copies would attract mass wherever the equilibrium is not
    unique.) Accurate to about 1e-7 of the payoffs' range. With missing entries, strategies that
    ``complete`` drops are NaN.
    """
    # 1. Merge copies.
    unit = normalised(payoffs)
    rows, row_copies = _distinct(unit)
    columns, column_copies = _distinct(unit.T)
    distinct = unit[np.ix_(rows, columns)]
    # 2. A strategy is in equilibrium exactly if it guarantees the value, against every strategy
    #    of the opponent; so each player's set is a polytope of its own. Maximise entropy there.
    value = nash(distinct).value
    row = _shared(_max_entropy(distinct - value), row_copies)
    column = _shared(_max_entropy(value - distinct.T), column_copies)
    return Equilibrium(float(row @ payoffs @ column), row, column)


def _max_entropy(gains: Floats) -> Floats:
    """Return the x in the simplex with x @ gains >= 0 that has the highest entropy."""
    # 1. Start inside the polytope. The entropy's maximum has the support of the interior, where
    #    each gain is either always 0 (an equation) or can be positive (an inequality).
    interior, is_strict = _relative_interior(gains)
    support = interior > 0
    x, gains = interior[support], gains[support]
    # 2. Move to the nearest point that satisfies the equations and sums to 1.
    equal = np.c_[gains[:, ~is_strict], np.ones(len(x))].T
    target = np.r_[np.zeros(len(equal) - 1), 1.0]
    x = x + np.linalg.lstsq(equal, target - equal @ x, rcond=FINEST)[0]
    # 3. Climb in the directions that keep the equations.
    directions = null_space(equal, rcond=FINEST)
    if directions.size:
        x = _climb(x, directions, gains[:, is_strict])
    strategy = np.zeros(len(support))
    strategy[support] = np.maximum(x, 0.0)
    return strategy / strategy.sum()


def _relative_interior(gains: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return a distribution x with x @ gains >= 0, and True for the gains that are positive.

    Each x and each gain is positive if any feasible x makes it so. One linear program over the
    cone of feasible x finds it: with x = rest + t and x @ gains >= u, it maximises the sum of t
    and u in [0, 1], so each reaches 1 where it can.
    """
    n, k = gains.shape
    both = np.r_[gains, gains].round(12)
    for tolerance in (1e-7, 1e-6):  # HiGHS fails on one in 10 000 at the first
        solution = linprog(
            -np.r_[np.zeros(n), np.ones(n + k)],
            A_ub=np.c_[-both.T, np.eye(k)],
            b_ub=np.full(k, 1e-9),  # the value is rounded: without slack no x may be feasible
            bounds=[(0, 1e4)] * n + [(0, 1)] * (n + k),  # HiGHS fails with wider bounds
            method="highs",
            # Presolve declares some infeasible, although 0 is always feasible.
            options={"presolve": False, "primal_feasibility_tolerance": tolerance},
        )
        if solution.success:
            break
    else:
        raise RuntimeError(f"the linear program was not solved: {solution.message}")
    rest, t, u = np.split(solution.x, [n, 2 * n])
    x = np.where(t > 1e-3, rest + t, 0.0)
    return x / x.sum(), u > 1e-3


def _climb(x: Floats, directions: Floats, slacks: Floats) -> Floats:
    """Return the point of highest entropy on x + span(``directions``) with x @ slacks >= 0.

    Newton's method. If the full step leaves the set, it takes the nearest step that does not,
    in the metric of the curvature diag(1 / x).
    """
    for _ in range(200):
        # 1. In coordinates dx = root * (basis @ step) the curvature is the identity.
        root = np.sqrt(x)
        basis = np.linalg.qr(directions / root[:, None])[0]
        # 2. The Newton step, then the nearest step within the inequalities.
        free = -basis.T @ (root * np.log(x))
        walls = basis.T @ (root[:, None] * slacks)
        step = free + _least_distance(walls, -(x @ slacks) - free @ walls)
        move = root * (basis @ step)
        # 3. Halve it until x is positive and the entropy does not fall.
        for size in 0.5 ** np.arange(60):
            ahead = x + size * move
            if (ahead > 0).all() and ahead @ np.log(ahead) <= x @ np.log(x):
                x = ahead
                break
        if step @ step < 1e-20:
            break
    return x


def _least_distance(walls: Floats, short: Floats) -> Floats:
    """Return the shortest w with w @ walls >= short; Lawson and Hanson 1974, chapter 23.

    It is the residual of a nonnegative least-squares problem.
    """
    if not (short > 0).any():
        return np.zeros(len(walls))
    system, target = np.r_[walls, short[None]], np.eye(len(walls) + 1)[-1]
    residual = system @ nnls(system, target)[0] - target
    return -residual[:-1] / residual[-1]


def _distinct(payoffs: Floats) -> tuple[Ints, Ints]:
    """Return the indices of one row of each kind, and the kind of every row, (n,)."""
    _, first, kind = np.unique(payoffs.round(9), axis=0, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)


def _shared(mass: Floats, kind: Ints) -> Floats:
    """Return the mass of each kind, split equally among the strategies of that kind."""
    return (mass / np.bincount(kind))[kind]
