"""Nash averaging: skill against the opponents, or the tasks, that matter.

Balduzzi et al. 2018, "Re-evaluating evaluation" (arXiv 1806.02643). What is averaged over is
the Nash equilibrium of highest entropy (``max_entropy_nash``), so that weak opponents, easy
tasks and copies of either change nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eva_env.solving.matrices import bimatrix, complete, square, widen
from eva_env.solving.max_entropy import max_entropy_nash
from eva_env.types import Floats


@dataclass(frozen=True, slots=True)
class NashAverage:
    """``probabilities`` (n,) of the agents at equilibrium, and ``skills`` (n,) against them.

    Skill is in units of payoff; it is 0 for every agent that the equilibrium plays, and less
    for those that it does not. NaN for agents dropped for missing cells.
    """

    probabilities: Floats
    skills: Floats


@dataclass(frozen=True, slots=True)
class TaskAverage:
    """Agents against tasks: a game in which the tasks are chosen to make the scores low.

    ``value`` is the score at equilibrium, ``agents`` (R,) and ``tasks`` (C,) its probabilities,
    ``skills`` (R,) the agents' mean scores over those tasks, ``difficulties`` (C,) minus those
    agents' mean scores on each task; in units of score.
    """

    value: float
    agents: Floats
    tasks: Floats
    skills: Floats
    difficulties: Floats


def nash_averaging(payoffs: ArrayLike) -> NashAverage:
    """Agents against each other, by antisymmetric payoffs (n, n): ``log_odds`` or ``centred``.

    The diagonal may be missing. Missing cells: ``complete``, symmetric. ValueError if payoffs
    are not antisymmetric to 1e-9 of the largest.
    """
    matrix = square(payoffs).copy()
    _antisymmetric(matrix, matrix + matrix.T, "payoffs + their transpose must be 0")
    np.fill_diagonal(matrix, 0.0)
    kept, _ = complete(matrix, symmetric=True)
    # Rounding apart, both players of the game have one strategy.
    cells = (matrix[np.ix_(kept, kept)] - matrix[np.ix_(kept, kept)].T) / 2
    found = max_entropy_nash(cells)
    size = len(matrix)
    return NashAverage(widen(found.row, kept, size), widen(cells @ found.row, kept, size))


def task_averaging(scores: ArrayLike) -> TaskAverage:
    """Agents (R,) against tasks (C,) by their ``scores`` (R, C), higher is better.

    Scores of all tasks must be in one unit. Missing cells: ``complete``.
    """
    cells, _, (rows, columns) = bimatrix(scores)
    found = max_entropy_nash(cells)
    agents, tasks = np.shape(scores)
    return TaskAverage(
        found.value,
        widen(found.row, rows, agents),
        widen(found.column, columns, tasks),
        widen(cells @ found.column, rows, agents),
        widen(-(found.row @ cells), columns, tasks),
    )


def log_odds(win_rates: ArrayLike, floor: float = 0.01) -> Floats:
    """log(w / (1 - w)) of win rates (n, n), nats; kept within [floor, 1 - floor], so finite."""
    if not 0 < floor < 0.5:
        raise ValueError(f"floor must be in (0, 0.5), got {floor}")
    rates = _win_rates(win_rates).clip(floor, 1 - floor)
    return np.log(rates) - np.log1p(-rates)


def centred(win_rates: ArrayLike) -> Floats:
    """2 w - 1 of win rates (n, n): wins minus losses, in [-1, 1]."""
    return 2 * _win_rates(win_rates) - 1


def _win_rates(win_rates: ArrayLike) -> Floats:
    """Checked: in [0, 1], and w_ij + w_ji = 1 where both are there."""
    matrix = square(win_rates)
    if (matrix < 0).any() or (matrix > 1).any():
        raise ValueError(
            f"win rates must be in [0, 1], got {np.nanmin(matrix)} to {np.nanmax(matrix)}"
        )
    _antisymmetric(matrix, matrix + matrix.T - 1, "win rates + their transpose must be 1")
    return matrix


def _antisymmetric(matrix: Floats, off: Floats, law: str) -> None:
    if (np.abs(off) > 1e-9 * np.nanmax(np.abs(matrix), initial=0.0)).any():
        i, j = np.unravel_index(np.nanargmax(np.abs(off)), off.shape)
        raise ValueError(
            f"{law}, got {matrix[i, j]} at ({i}, {j}), {matrix[j, i]} at ({j}, {i})"
        )
