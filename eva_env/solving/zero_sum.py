"""Zero-sum games: equilibrium, best responses, and the distance of a pair from equilibrium."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from eva_env.solving.matrices import Equilibrium as Equilibrium
from eva_env.solving.matrices import bimatrix, narrow, on_complete
from eva_env.types import Floats

PRECISION = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
"""The finest tolerances that HiGHS accepts."""


@on_complete
def nash(payoffs: Floats) -> Equilibrium:
    """Return a Nash equilibrium by linear programming (HiGHS).

    min v s.t. payoffs @ column <= v; the row strategy is the dual solution. Accurate to 1e-9 of
    the range of the payoffs. If there are several, it is a vertex of their set;
    ``max_entropy_nash`` is an interior one. With missing entries, strategies that ``complete``
    drops are NaN. ValueError for infinite payoffs and if all are missing.
    """
    unit = normalised(payoffs)
    n_rows, n_columns = unit.shape
    solution = linprog(
        np.r_[np.zeros(n_columns), 1.0],
        A_ub=np.c_[unit, -np.ones(n_rows)],
        b_ub=np.zeros(n_rows),
        A_eq=np.r_[np.ones(n_columns), 0.0][None],
        b_eq=[1.0],
        bounds=[(0, None)] * n_columns + [(None, None)],
        method="highs",
        options=PRECISION,
    )
    if not solution.success:
        raise RuntimeError(f"the linear program was not solved: {solution.message}")
    row, column = _distribution(-solution.ineqlin.marginals), _distribution(solution.x[:-1])
    return Equilibrium(float(row @ payoffs @ column), row, column)


def best_responses(
    payoffs: ArrayLike, row: ArrayLike, column: ArrayLike, tolerance: float = 1e-9
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the best responses as booleans, (R,) and (C,).

    True for rows that are best against ``column``, and columns that are best against ``row``.
    All strategies within ``tolerance`` of the best count, as a share of the payoffs' range.
    Strategies dropped because of missing entries are False.
    """
    kept_payoffs, _, (rows, columns) = bimatrix(payoffs)
    shape = np.shape(payoffs)
    slack = tolerance * np.ptp(kept_payoffs)
    gains = kept_payoffs @ narrow(column, columns, shape[1])
    losses = narrow(row, rows, shape[0]) @ kept_payoffs
    best_rows, best_columns = (np.zeros(size, dtype=np.bool_) for size in shape)
    best_rows[rows] = gains >= gains.max() - slack
    best_columns[columns] = losses <= losses.min() + slack
    return best_rows, best_columns


def upper_bound(payoffs: ArrayLike, column: ArrayLike) -> float:
    """Return the highest payoff against ``column``, an upper bound on the value."""
    kept_payoffs, _, (_, columns) = bimatrix(payoffs)
    return float((kept_payoffs @ narrow(column, columns, np.shape(payoffs)[1])).max())


def lower_bound(payoffs: ArrayLike, row: ArrayLike) -> float:
    """Return the lowest payoff of ``row``, a lower bound on the value."""
    kept_payoffs, _, (rows, _) = bimatrix(payoffs)
    return float((narrow(row, rows, np.shape(payoffs)[0]) @ kept_payoffs).min())


def nash_conv(
    payoffs: ArrayLike,
    row: ArrayLike,
    column: ArrayLike,
    column_payoffs: ArrayLike | None = None,
) -> float:
    """Return the sum of both players' gains by best responses, in units of payoff.

    0 only at equilibrium. ``column_payoffs`` (R, C) are the column player's payoffs,
    -``payoffs`` if None. With entries missing in either, ``complete`` drops strategies;
    ValueError if one of them is played.
    """
    ours, theirs, (rows, columns) = bimatrix(payoffs, column_payoffs)
    shape = np.shape(payoffs)
    mixed_row, mixed_column = narrow(row, rows, shape[0]), narrow(column, columns, shape[1])
    gains, column_gains = ours @ mixed_column, mixed_row @ theirs
    row_regret = gains.max() - mixed_row @ gains
    return float(row_regret + column_gains.max() - column_gains @ mixed_column)


def exploitability(payoffs: ArrayLike, row: ArrayLike, column: ArrayLike) -> float:
    """Return NashConv / 2, OpenSpiel's convention."""
    return nash_conv(payoffs, row, column) / 2


def normalised(payoffs: Floats) -> Floats:
    """Return the same game with payoffs in [0, 1]; all 0 if they are constant."""
    # Divide first: the range of payoffs near the largest float would overflow.
    unit = payoffs / (np.abs(payoffs).max() or 1.0)
    unit = unit - unit.min()
    return unit / (unit.max() or 1.0)


def _distribution(weights: Floats) -> Floats:
    weights = np.maximum(weights, 0.0)
    return weights / weights.sum()
