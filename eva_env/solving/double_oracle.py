"""Double oracle and PSRO: a restricted game that grows by best responses.

It starts from one strategy of each player. With exact best responses it is double oracle
(McMahan, Gordon and Blum 2003). With trained responses, or another solution of the restricted
game than its equilibrium, it is PSRO (Lanctot et al. 2017, arXiv 1711.00832).
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
    """An iteration: the restricted game's equilibrium, and the payoffs of the best responses.

    ``upper`` is the payoff of the row player's response to ``equilibrium.column``, ``lower``
    that of the column player's to ``equilibrium.row``. If the responses are exact, the value
    of the whole game lies between them. If they are trained, ``upper - lower`` is only a lower
    bound on the pair's NashConv. The gap need not fall from step to step. ``shape`` is the size
    of the restricted game.
    """

    equilibrium: Equilibrium
    lower: float
    upper: float
    shape: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Expansion:
    """The final restricted game: its strategies, payoffs (r, c), and the ``history`` of steps.

    ``equilibrium`` is the last one. ``converged`` is False if the iterations ran out first.
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
    """Run policy-space response oracles, with one callable per player for the best response.

    ``oracles`` are the row's and the column player's. Each maps the opponent's strategies and
    their probabilities to a strategy of any type. ``payoff(row, column)`` is the row player's
    payoff, and must be finite (ValueError). A response joins the restricted game if it is
    better against the opponent's mixture, by more than ``tolerance`` (units of payoff), than
    all strategies that its player has. The iteration converges when neither response joins.
    ``solve`` returns the mixtures of a restricted game.
    """
    rows, columns, history, converged = [start[0]], [start[1]], [], False
    restricted = np.array([[_finite_payoff(payoff, *start)]])
    while not converged and len(history) < iterations:
        # 1. Solve the restricted game, and let both players respond to its solution.
        solution = solve(restricted)
        row = oracles[0](tuple(columns), solution.column)
        column = oracles[1](tuple(rows), solution.row)
        # 2. Evaluate the responses against the strategies that are in the game.
        grown = np.pad(restricted, (0, 1))
        grown[-1, :-1] = [_finite_payoff(payoff, row, other) for other in columns]
        grown[:-1, -1] = [_finite_payoff(payoff, other, column) for other in rows]
        upper, lower = grown[-1, :-1] @ solution.column, solution.row @ grown[:-1, -1]
        history.append(Step(solution, float(lower), float(upper), restricted.shape))
        # 3. Add those that improve on their player's strategies.
        row_joins = upper > (restricted @ solution.column).max() + tolerance
        column_joins = lower < (solution.row @ restricted).min() - tolerance
        if row_joins and column_joins:
            grown[-1, -1] = _finite_payoff(payoff, row, column)
        if row_joins:
            rows.append(row)
        if column_joins:
            columns.append(column)
        restricted = grown[: len(rows), : len(columns)]
        converged = not (row_joins or column_joins)
    last = history[-1].equilibrium if converged else solve(restricted)
    return Expansion(tuple(rows), tuple(columns), restricted, last, tuple(history), converged)


def double_oracle(
    payoffs: ArrayLike,
    start: tuple[int, int] | None = None,
    solve: Callable[[Floats], Equilibrium] = nash,
) -> Expansion:
    """Run ``psro`` on a matrix, with exact best responses to 1e-10 of the payoffs' range.

    With ``nash`` it ends, within R + C iterations, at an equilibrium of the whole game:
    ``equilibrium`` is over all strategies, ``rows`` and ``columns`` are the indices of those in
    the restricted game. It starts from the first strategy of each player, or from the pair
    ``start``. With missing entries it uses what ``complete`` keeps; ValueError if that drops a
    strategy of ``start``.
    """
    matrix = checked(payoffs)
    rows, columns = complete(matrix)
    kept_payoffs = matrix[np.ix_(rows, columns)]
    first = (int(rows[0]), int(columns[0])) if start is None else start
    if first[0] not in rows or first[1] not in columns:
        raise ValueError(
            f"start must be a row and a column with all their payoffs, got {start}"
        )

    def best_row(opponents: Sequence[Any], mixture: Floats) -> int:
        return int(rows[(matrix[np.ix_(rows, opponents)] @ mixture).argmax()])

    def best_column(opponents: Sequence[Any], mixture: Floats) -> int:
        return int(columns[(mixture @ matrix[np.ix_(opponents, columns)]).argmin()])

    expansion = psro(
        lambda row, column: float(matrix[row, column]),
        (best_row, best_column),
        first,
        iterations=sum(kept_payoffs.shape),
        tolerance=1e-10 * float(np.ptp(kept_payoffs)),
        solve=solve,
    )
    restricted = expansion.equilibrium
    row, column = np.zeros(len(rows)), np.zeros(len(columns))
    row[np.searchsorted(rows, expansion.rows)] = restricted.row
    column[np.searchsorted(columns, expansion.columns)] = restricted.column
    whole = Equilibrium(
        restricted.value,
        widen(row, rows, len(matrix)),
        widen(column, columns, len(matrix.T)),
    )
    return replace(expansion, equilibrium=whole)


def _finite_payoff(payoff: Payoff, row: Any, column: Any) -> float:
    value = float(payoff(row, column))
    if not math.isfinite(value):
        raise ValueError(f"payoff({row!r}, {column!r}) must be finite, got {value}")
    return value
