"""Of a game's equilibria the most even one, which names no winner among equals."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from eva_env.solving.cells import Equilibrium, on_complete
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
    correction, _, rank, _ = np.linalg.lstsq(equal, target - equal @ x, rcond=FINEST)
    x = x + correction
    if rank < len(x):
        x = _climb(x, equal, gains[:, strict])
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
    found = linprog(
        -np.r_[np.zeros(n), np.ones(n + k)],
        A_ub=np.c_[-both.T, np.eye(k)],
        b_ub=np.full(k, 1e-9),  # the value is rounded: without slack there might be no x
        bounds=[(0, 1e4)] * n + [(0, 1)] * (n + k),  # wider ones are too hard for HiGHS
        method="highs",
        options={"presolve": False},  # which takes some for infeasible, though 0 always is
    )
    if not found.success:
        raise RuntimeError(f"the linear program was not solved: {found.message}")
    rest, present, strict = np.split(found.x, [n, 2 * n])
    x = np.where(present > 1e-3, rest + present, 0.0)
    return x / x.sum(), strict > 1e-3


def _climb(x: Floats, equal: Floats, slacks: Floats) -> Floats:
    """Highest entropy with ``equal`` @ x as it is and x @ slacks > 0: an interior point.

    Newton's method on entropy with a logarithmic barrier, whose weight falls to 1e-14. Its
    steps come by the inverse of the curvature, diag(x) but for the barrier: the curvature
    itself grows beyond all bounds where the barrier pushes an x towards 0.
    """
    for weight in 10.0 ** -np.arange(1, 15):
        for _ in range(50):
            pull = slacks / (x @ slacks)
            gradient = np.log(x) - weight * pull.sum(1)
            scaled = x[:, None] * np.c_[gradient, equal.T]
            barrier = np.eye(pull.shape[1]) / weight + pull.T @ (x[:, None] * pull)
            scaled -= x[:, None] * (pull @ np.linalg.solve(barrier, pull.T @ scaled))
            downhill, across = scaled[:, 0], scaled[:, 1:]
            kept = np.linalg.lstsq(equal @ across, equal @ downhill, rcond=FINEST)[0]
            move = across @ kept - downhill
            x = _stepped(x, move, slacks, weight)
            if -gradient @ move < 1e-18:
                break
    return x


def _stepped(x: Floats, move: Floats, slacks: Floats, weight: float) -> Floats:
    """x + as much of ``move`` as stays inside and does not raise what is minimised."""

    def height(at: Floats) -> float:
        return float(at @ np.log(at) - weight * np.log(at @ slacks).sum())

    start = height(x)
    for size in 0.5 ** np.arange(60):
        ahead = x + size * move
        if (ahead > 0).all() and (ahead @ slacks > 0).all() and height(ahead) <= start:
            return ahead
    return x


def _distinct(payoffs: Floats) -> tuple[Ints, Ints]:
    """Indices of one row of each kind, and of which kind every row is, (n,)."""
    _, first, kind = np.unique(payoffs.round(9), axis=0, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)


def _shared(mass: Floats, kind: Ints) -> Floats:
    """The mass of each kind in equal parts for those that are of it."""
    return (mass / np.bincount(kind))[kind]
