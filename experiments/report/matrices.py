"""Payoff matrices between arms: win rates, and regrets in cross-play."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from experiments.report.blocks import Entry, Heat, Section, Switch
from experiments.report.entries import estimate_entry
from experiments.report.numbers import (
    ANYWHERE,
    NOT_NEGATIVE,
    SHARE,
    Bounds,
    decimal,
    is_number,
    percent,
)
from experiments.report.summary import Data, Summary
from experiments.run.judging import score_name


def wins(summary: Summary) -> Section | None:
    """Return the win rates of every solver against every other."""
    keys = {"raw": "wins", "length-controlled": "wins_length_controlled"}
    options = {}
    for label, key in keys.items():
        payoffs = summary.data.get(key)
        if payoffs:
            players = [*map(summary.label, payoffs.get("players", []))]
            caption = f"Win rate of the row against the column, {label}"
            heat = matrix(payoffs, players, players, caption, "solver", percent, 0.5, SHARE)
            options[label] = [heat]
    score = score_name(summary.judge)
    lead = f"How often a response of the row's solver has a higher {score} than one of the "
    lead += f"column's, on the {summary.data.get('suite', 'deciding')} suite. Blue: it wins; "
    lead += "orange: it loses."
    switch = Switch("Show", options)
    return Section("Solver against solver", [switch], lead) if options else None


def crossplay(summary: Summary) -> Section | None:
    """Return the trained solvers' regrets on the final prompts of each creator."""
    payoffs = summary.data.get("crossplay")
    if not payoffs:
        return None
    unit = payoffs.get("unit", "regret")
    caption = f"Mean {unit} of the column's solver on the row's prompts"
    rows, columns = ([*map(summary.label, payoffs.get(k, []))] for k in ("rows", "columns"))
    bounds = NOT_NEGATIVE if unit == "regret" else ANYWHERE
    lead = f"Every trained solver on the final prompts of every creator; the more {unit}, the "
    lead += "more orange. A pale column is a robust solver, an orange row a hard creator."
    heat = matrix(payoffs, rows, columns, caption, "prompts of", decimal, None, bounds)
    return Section("Cross-play", [heat], lead)


def matrix(
    payoffs: Data,
    rows: Sequence[str],
    columns: Sequence[str],
    caption: str,
    corner: str,
    show: Callable[[Any], str],
    middle: float | None = None,
    bounds: Bounds = ANYWHERE,
) -> Heat:
    """Return a payoff matrix with its intervals; values above ``middle``, if any, are blue."""
    mean, low, high = (payoffs.get(key) or [] for key in ("mean", "low", "high"))
    values = [value for row in mean for value in row if is_number(value)]
    least, most = min(values, default=0.0), max(values, default=0.0)
    origin, reach = least, most - least
    if middle is not None:
        origin, reach = middle, -max(most - middle, middle - least)
    table: list[tuple[str, list[Entry | None]]] = []
    for i, name in enumerate(rows):
        line: list[Entry | None] = []
        for j in range(len(columns)):
            estimate = {"mean": at(mean, i, j), "low": at(low, i, j), "high": at(high, i, j)}
            if not is_number(estimate["mean"]):
                line.append(None)
                continue
            share = (estimate["mean"] - origin) / reach if reach else 0.0
            line.append(replace(estimate_entry(estimate, show, bounds), share=share))
        table.append((name, line))
    return Heat(caption, corner, columns, table, "In small print: 95 % intervals.")


def at(matrix: Sequence[Sequence[Any]], i: int, j: int) -> Any:
    """Return an entry of a matrix, None if it has no such entry."""
    return matrix[i][j] if i < len(matrix) and j < len(matrix[i]) else None
