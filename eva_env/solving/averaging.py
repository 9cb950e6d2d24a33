"""Nash averaging: skill against the opponents, or on the tasks, of an equilibrium.

Balduzzi et al. 2018, "Re-evaluating evaluation" (arXiv 1806.02643). The average is weighted by
the Nash equilibrium of maximum entropy (``max_entropy_nash``), so weak opponents, easy tasks
and copies of either change nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eva_env.solving.matrices import bimatrix, complete, square, widen
from eva_env.solving.max_entropy import max_entropy_nash
from eva_env.types import Floats


@dataclass(frozen=True, slots=True)
class NashAverage:
    """The agents' equilibrium ``probabilities`` (n,), and their ``skills`` (n,) against it.

    Skill is in units of payoff: 0 for every agent in the support of the equilibrium, and at
    most 0 for the others. NaN for agents dropped because of missing entries.
    """

    probabilities: Floats
    skills: Floats


@dataclass(frozen=True, slots=True)
class TaskAverage:
    """The equilibrium of agents against tasks, whose player minimises the score.

    ``value`` is the score at equilibrium, ``agents`` (R,) and ``tasks`` (C,) are its
    probabilities, ``skills`` (R,) the agents' mean scores over these tasks, ``difficulties``
    (C,) minus these agents' mean scores on each task; in units of score.
    """

    value: float
    agents: Floats
    tasks: Floats
    skills: Floats
    difficulties: Floats


ROUNDING = 1e-12
"""Largest rounding error of a sum of payoffs, in units of payoff."""


def nash_averaging(payoffs: ArrayLike) -> NashAverage:
    """Average agents over each other, given antisymmetric payoffs (n, n).

    ``log_odds`` and ``centred`` make such payoffs from win rates. The diagonal may be missing.
    With other missing entries, agents that ``complete`` (symmetric) drops are NaN. ValueError
    if payoffs are not antisymmetric to 1e-9 of the largest.
    """
    matrix = square(payoffs).copy()
    _require_antisymmetric(matrix, matrix + matrix.T, "payoffs + their transpose must be 0")
    np.fill_diagonal(matrix, 0.0)
    kept, _ = complete(matrix, symmetric=True)
    # Remove rounding errors: in an antisymmetric game both players have the same strategy.
    kept_payoffs = matrix[np.ix_(kept, kept)]
    kept_payoffs = (kept_payoffs - kept_payoffs.T) / 2
    agents = max_entropy_nash(kept_payoffs).row
    size = len(matrix)
    return NashAverage(widen(agents, kept, size), widen(kept_payoffs @ agents, kept, size))


def task_averaging(scores: ArrayLike) -> TaskAverage:
    """Average agents (R,) over tasks (C,), given their ``scores`` (R, C), higher is better.

    Scores of all tasks must be in the same unit. With missing entries, agents and tasks that
    ``complete`` drops are NaN.
    """
    kept_scores, _, (rows, columns) = bimatrix(scores)
    equilibrium = max_entropy_nash(kept_scores)
    agents, tasks = np.shape(scores)
    return TaskAverage(
        equilibrium.value,
        widen(equilibrium.row, rows, agents),
        widen(equilibrium.column, columns, tasks),
        widen(kept_scores @ equilibrium.column, rows, agents),
        widen(-(equilibrium.row @ kept_scores), columns, tasks),
    )


def log_odds(win_rates: ArrayLike, floor: float = 0.01) -> Floats:
    """Return log(w / (1 - w)), in nats, of win rates (n, n) clipped to [floor, 1 - floor]."""
    if not 0 < floor < 0.5:
        raise ValueError(f"floor must lie in (0, 0.5), got {floor}")
    rates = _win_rates(win_rates).clip(floor, 1 - floor)
    return np.log(rates) - np.log1p(-rates)


def centred(win_rates: ArrayLike) -> Floats:
    """Return 2 w - 1 of win rates (n, n): wins minus losses, in [-1, 1]."""
    return 2 * _win_rates(win_rates) - 1


def _win_rates(win_rates: ArrayLike) -> Floats:
    """Return win rates (n, n) after checking that they lie in [0, 1] and w_ij + w_ji = 1."""
    matrix = square(win_rates)
    if (matrix < 0).any() or (matrix > 1).any():
        raise ValueError(
            f"win rates must lie in [0, 1], got {np.nanmin(matrix)} to {np.nanmax(matrix)}"
        )
    _require_antisymmetric(
        matrix, matrix + matrix.T - 1, "win rates + their transpose must be 1"
    )
    return matrix


def _require_antisymmetric(matrix: Floats, error: Floats, condition: str) -> None:
    """Raise ValueError unless the ``error`` (n, n) of a condition is 0 up to rounding.

    ``ROUNDING`` keeps a matrix of equal players from failing, whose entries are all errors.
    """
    if (np.abs(error) > 1e-9 * np.nanmax(np.abs(matrix), initial=0.0) + ROUNDING).any():
        i, j = np.unravel_index(np.nanargmax(np.abs(error)), error.shape)
        raise ValueError(
            f"{condition}, got {matrix[i, j]} at ({i}, {j}), {matrix[j, i]} at ({j}, {i})"
        )
