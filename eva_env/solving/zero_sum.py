"""Zero-sum games: equilibrium, best responses, and how far from equilibrium a pair is."""

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
    """Nash equilibrium: min v s.t. payoffs @ column <= v, the row from the dual (HiGHS).

    Accurate to 1e-9 of the range of the payoffs. Where there are several, a vertex of their
    set; ``max_entropy_nash`` is the one in the middle. Missing cells: ``complete``, with NaN
    for what it drops. ValueError for infinite payoffs and if all are missing.
    """
    unit = normalised(payoffs)
    n_rows, n_columns = unit.shape
    found = linprog(
        np.r_[np.zeros(n_columns), 1.0],
        A_ub=np.c_[unit, -np.ones(n_rows)],
        b_ub=np.zeros(n_rows),
        A_eq=np.r_[np.ones(n_columns), 0.0][None],
        b_eq=[1.0],
        bounds=[(0, None)] * n_columns + [(None, None)],
        method="highs",
        options=PRECISION,
    )
    if not found.success:
        raise RuntimeError(f"the linear program was not solved: {found.message}")
    row, column = _distribution(-found.ineqlin.marginals), _distribution(found.x[:-1])
    return Equilibrium(float(row @ payoffs @ column), row, column)


def best_responses(
    payoffs: ArrayLike, row: ArrayLike, column: ArrayLike, tolerance: float = 1e-9
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows (R,) are best against ``column``, and which columns (C,) against ``row``.

    Booleans; all that come within ``tolerance`` of the best, as a share of the payoffs' range.
    Strategies dropped for missing cells are none.
    """
    cells, _, (rows, columns) = bimatrix(payoffs)
    shape = np.shape(payoffs)
    slack = tolerance * np.ptp(cells)
    gains = cells @ narrow(column, columns, shape[1])
    losses = narrow(row, rows, shape[0]) @ cells
    best_rows, best_columns = (np.zeros(size, dtype=np.bool_) for size in shape)
    best_rows[rows] = gains >= gains.max() - slack
    best_columns[columns] = losses <= losses.min() + slack
    return best_rows, best_columns


def upper_bound(payoffs: ArrayLike, column: ArrayLike) -> float:
    """max over rows of the payoff against ``column``; the game's value is at most this."""
    cells, _, (_, columns) = bimatrix(payoffs)
    return float((cells @ narrow(column, columns, np.shape(payoffs)[1])).max())


def lower_bound(payoffs: ArrayLike, row: ArrayLike) -> float:
    """min over columns of the payoff of ``row``; the game's value is at least this."""
    cells, _, (rows, _) = bimatrix(payoffs)
    return float((narrow(row, rows, np.shape(payoffs)[0]) @ cells).min())


def nash_conv(
    payoffs: ArrayLike,
    row: ArrayLike,
    column: ArrayLike,
    column_payoffs: ArrayLike | None = None,
) -> float:
    """What both players could gain by their best responses, summed, in units of payoff.

    0 at equilibrium only. ``column_payoffs`` (R, C) is what the column player gets, if that is
    not -``payoffs``. Cells that are missing in either: ``complete``; a ValueError if a strategy
    that it drops is played.
    """
    ours, theirs, (rows, columns) = bimatrix(payoffs, column_payoffs)
    shape = np.shape(payoffs)
    mixed_row, mixed_column = narrow(row, rows, shape[0]), narrow(column, columns, shape[1])
    gains, replies = ours @ mixed_column, mixed_row @ theirs
    return float(gains.max() - mixed_row @ gains + replies.max() - replies @ mixed_column)


def exploitability(payoffs: ArrayLike, row: ArrayLike, column: ArrayLike) -> float:
    """NashConv / 2, as OpenSpiel has it."""
    return nash_conv(payoffs, row, column) / 2


def normalised(payoffs: Floats) -> Floats:
    """The same game with payoffs in [0, 1]; all 0 if they are constant."""
    # By the largest first: the range of payoffs near the largest float is none.
    unit = payoffs / (np.abs(payoffs).max() or 1.0)
    unit = unit - unit.min()
    return unit / (unit.max() or 1.0)


def _distribution(weights: Floats) -> Floats:
    weights = np.maximum(weights, 0.0)
    return weights / weights.sum()
