"""The game grown by best responses, from one strategy of each player.

Double oracle (McMahan, Gordon and Blum 2003) where the best responses are exact; PSRO
(Lanctot et al. 2017, arXiv 1711.00832) where they are trained, or where the restricted game is
solved otherwise than by its equilibrium.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eva_env.solving.matrices import Equilibrium, checked, complete, widen
from eva_env.solving.zero_sum import nash
from eva_env.types import Floats

Payoff = Callable[[Any, Any], float]
Oracle = Callable[[Sequence[Any], Floats], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """An iteration: the restricted game's equilibrium, and what the best responses get.

    ``upper`` is the payoff of the row player's response to ``equilibrium.column``, ``lower``
    that of the column player's to ``equilibrium.row``. If the responses are exact, the value
    of the whole game lies between them; if they are trained, ``upper - lower`` is only a lower
    bound on the pair's NashConv. The gap needn't fall from step to step. ``shape`` is the size
    of the restricted game.
    """

    equilibrium: Equilibrium
    lower: float
    upper: float
    shape: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Expansion:
    """How the restricted game grew: its strategies, payoffs (r, c) and ``history``.

    ``equilibrium`` is the last one; ``converged`` is False where the iterations ended first.
    """

    rows: tuple[Any, ...]
    columns: tuple[Any, ...]
    payoffs: Floats
    equilibrium: Equilibrium
    history: tuple[Step, ...]
    converged: bool


def psro(
    payoff: Payoff,
    oracles: tuple[Oracle, Oracle],
    start: tuple[Any, Any],
    iterations: int = 100,
    tolerance: float = 1e-9,
    solve: Callable[[Floats], Equilibrium] = nash,
) -> Expansion:
    """Policy-space response oracles, by two callables for the best responses.

    ``oracles`` are the row's and the column player's: of the other's strategies and their
    probabilities to a strategy, of whatever type. ``payoff(row, column)`` says what a pair is
    worth to the row player, and must be finite (ValueError). A response joins if it does better
    against the other's mixture, by more than ``tolerance`` (units of payoff), than all that its
    player has; when none does, it has converged. ``solve`` mixes a restricted game.
    """
    rows, columns, history, converged = [start[0]], [start[1]], [], False
    cells = np.array([[_asked(payoff, *start)]])
    while not converged and len(history) < iterations:
        mixed = solve(cells)
        row = oracles[0](tuple(columns), mixed.column)
        column = oracles[1](tuple(rows), mixed.row)
        grown = np.pad(cells, (0, 1))
        grown[-1, :-1] = [_asked(payoff, row, other) for other in columns]
        grown[:-1, -1] = [_asked(payoff, other, column) for other in rows]
        upper, lower = grown[-1, :-1] @ mixed.column, mixed.row @ grown[:-1, -1]
        history.append(Step(mixed, float(lower), float(upper), cells.shape))
        more_rows = [row] if upper > (cells @ mixed.column).max() + tolerance else []
        more_columns = [column] if lower < (mixed.row @ cells).min() - tolerance else []
        if more_rows and more_columns:
            grown[-1, -1] = _asked(payoff, row, column)
        rows, columns = rows + more_rows, columns + more_columns
        cells = grown[: len(rows), : len(columns)]
        converged = not (more_rows or more_columns)
    last = history[-1].equilibrium if converged else solve(cells)
    return Expansion(tuple(rows), tuple(columns), cells, last, tuple(history), converged)


def double_oracle(
    payoffs: ArrayLike,
    start: tuple[int, int] | None = None,
    solve: Callable[[Floats], Equilibrium] = nash,
) -> Expansion:
    """``psro`` on a matrix, whose best responses are exact, to 1e-10 of the payoffs' range.

    With ``nash`` it ends, within R + C iterations, at an equilibrium of the whole game:
    ``equilibrium`` is over all strategies, ``rows`` and ``columns`` are the indices of those
    that had to be looked at. It starts from the first of each player, or from the pair
    ``start``. Missing cells: ``complete``; ValueError if it drops a strategy of ``start``.
    """
    matrix = checked(payoffs)
    rows, columns = complete(matrix)
    known = matrix[np.ix_(rows, columns)]
    first = (int(rows[0]), int(columns[0])) if start is None else start
    if first[0] not in rows or first[1] not in columns:
        raise ValueError(
            f"start must be a row and a column with all their payoffs, got {start}"
        )
    found = psro(
        lambda row, column: float(matrix[row, column]),
        (
            lambda others, mixed: int(rows[(matrix[np.ix_(rows, others)] @ mixed).argmax()]),
            lambda others, mixed: int(
                columns[(mixed @ matrix[np.ix_(others, columns)]).argmin()]
            ),
        ),
        first,
        iterations=sum(known.shape),
        tolerance=1e-10 * float(np.ptp(known)),
        solve=solve,
    )
    row, column = np.zeros(len(rows)), np.zeros(len(columns))
    row[np.searchsorted(rows, found.rows)] = found.equilibrium.row
    column[np.searchsorted(columns, found.columns)] = found.equilibrium.column
    whole = Equilibrium(
        found.equilibrium.value,
        widen(row, rows, len(matrix)),
        widen(column, columns, len(matrix.T)),
    )
    return replace(found, equilibrium=whole)


def _asked(payoff: Payoff, row: Any, column: Any) -> float:
    value = float(payoff(row, column))
    if not math.isfinite(value):
        raise ValueError(f"payoff({row!r}, {column!r}) must be finite, got {value}")
    return value
