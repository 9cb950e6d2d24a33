"""Estimates (means with 95 % intervals) and contrasts (paired differences of two strategies).

Estimates are plain JSON: ``mean``, ``low``, ``high``, None in place of NaN. They may reach
beyond what is possible; ``ranges.py`` clips them where they become text or a table row.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eva_env.statistics import intervals, power
from eva_env.types import Floats
from experiments.comparison.arms import Arm

Row = dict[str, Any]

Draws = tuple[Floats, Floats]
"""Bootstrap draws of a statistic: with only the seeds redrawn, and with only the prompts."""

Estimate = dict[str, Any]
"""``mean``, ``low`` and ``high``; a mean over seeds also has ``values`` by seed."""


def mean_estimate(values: ArrayLike, seeds: Sequence[int]) -> Estimate:
    """Estimate the mean of scores (S, P), or (S,) where the prompts are fixed.

    Seeds are a sample, and so are prompts where they are given.
    """
    table = np.asarray(values, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    mean, low, high = map(float, intervals.mean_interval(table))
    by_seed = {str(seed): or_none(row.mean()) for seed, row in zip(seeds, table, strict=True)}
    return _estimate(mean, low, high) | {"values": by_seed}


def bootstrap_estimate(value: float, draws: Draws, sizes: tuple[int, int]) -> Estimate:
    """Return a statistic that is not a mean, with an interval from its bootstrap draws (D,).

    ``sizes`` are the numbers of seeds and of prompts.
    """
    low, high = intervals.interval(value, *draws, sizes)
    return _estimate(value, float(low), float(high))


def mean_matrix(values: Floats) -> dict[str, Any]:
    """Return means (R, C) of scores (S, R, C, P) with their intervals, as nested lists."""
    mean, low, high = intervals.mean_interval(values)
    return {"mean": as_lists(mean), "low": as_lists(low), "high": as_lists(high)}


def bootstrap_matrix(matrix: Floats, draws: Draws, sizes: tuple[Any, int]) -> dict[str, Any]:
    """Return a matrix (R, C) that is not a mean, with intervals from its draws (D, R, C).

    ``sizes`` are the numbers of seeds, by cell of the matrix, and of prompts.
    """
    low, high = intervals.interval(matrix, *draws, sizes)
    return {"mean": as_lists(matrix), "low": as_lists(low), "high": as_lists(high)}


def as_lists(values: Floats) -> Any:
    """Return an array as nested lists, with None for NaN."""
    if values.ndim:
        return [as_lists(row) for row in values]
    return or_none(float(values))


def or_none(value: float) -> float | None:
    """Return the number, or None for NaN, which JSON cannot hold."""
    return None if math.isnan(value) else float(value)


def _estimate(mean: float, low: float, high: float) -> Estimate:
    return {"mean": or_none(mean), "low": or_none(low), "high": or_none(high)}


def contrasts(values: Floats, arms: Sequence[Arm]) -> list[Row]:
    """Compare every two competing creators, and every two solvers, by scores (S, A, P) of arms.

    The main family averages over the strategies of the other player. The family ``within``
    compares under each of these alone, which shows where a difference comes from. Each family
    is corrected for its size: its intervals cover simultaneously (Bonferroni).
    """
    families: dict[str, list[tuple[Row, Floats]]] = {"main": [], "within": []}
    for names, gaps in differences(values, arms):
        families[names["family"]].append((names, gaps))
    return [row for family in families.values() for row in _tested(family)]


def differences(values: Floats, arms: Sequence[Arm]) -> Iterator[tuple[Row, Floats]]:
    """Yield the names of each comparison and its paired differences (S, P): ``a`` minus ``b``.

    ``a`` is named later on the command line than ``b``.
    """
    index = {(arm.creator, arm.solver): i for i, arm in enumerate(arms) if not arm.ceiling}
    creators = list(dict.fromkeys(creator for creator, _ in index))
    solvers = list(dict.fromkeys(solver for _, solver in index))
    by_creator = [[index[creator, solver] for solver in solvers] for creator in creators]
    by_solver = [[index[creator, solver] for creator in creators] for solver in solvers]
    yield from _side("creators", creators, solvers, by_creator, values)
    yield from _side("solvers", solvers, creators, by_solver, values)


def _side(
    kind: str, players: list[str], opponents: list[str], columns: Any, values: Floats
) -> Iterator[tuple[Row, Floats]]:
    """Yield the comparisons of one side; ``columns`` are its arms by player and opponent."""
    for b, a in combinations(range(len(players)), 2):
        gaps = values[:, columns[a]] - values[:, columns[b]]
        names = {"kind": kind, "a": players[a], "b": players[b]}
        yield names | {"family": "main", "within": None}, gaps.mean(1)
        if len(opponents) > 1:
            for k, opponent in enumerate(opponents):
                yield names | {"family": "within", "within": opponent}, gaps[:, k]


def _tested(family: list[tuple[Row, Floats]]) -> list[Row]:
    """Return the rows of one family: mean, interval, p values and the seeds still needed.

    ``p`` is not corrected. ``p_corrected`` is (Bonferroni): it is below 0.05 exactly where
    ``low`` to ``high`` excludes 0. ``p_holm`` is Holm's, at most ``p_corrected``.
    """
    rows = []
    for names, gaps in family:
        mean, low, high = map(float, intervals.mean_interval(gaps, len(family)))
        p = float(intervals.p_value(gaps))
        row = names | _estimate(mean, low, high)
        row |= {"p": or_none(p), "p_corrected": or_none(min(p * len(family), 1.0))}
        row |= {"seeds": int((~np.isnan(gaps).any(-1)).sum()), "comparisons": len(family)}
        rows.append(row | {"seeds_needed": _seeds_needed(mean, gaps, len(family))})
    adjusted = intervals.holm([np.nan if row["p"] is None else row["p"] for row in rows])
    return [row | {"p_holm": or_none(float(p))} for row, p in zip(rows, adjusted, strict=True)]


def variation(gaps: Floats) -> tuple[float, float, int]:
    """Return how paired differences (S, P) vary: ``sd``, ``floor`` and the number of seeds.

    ``sd`` is the standard deviation over seeds. ``floor`` is the prompts' part of the standard
    error of the mean, which more seeds do not reduce. ``sd`` is NaN below two seeds.
    """
    by_seed, by_prompt, seeds = intervals.variances(gaps)
    sd, floor = math.sqrt(float(by_seed) * float(seeds)), math.sqrt(float(by_prompt))
    return sd, floor, int(seeds)


def _seeds_needed(mean: float, gaps: Floats, comparisons: int) -> int | None:
    """Return the seeds that find a true difference of ``mean`` with 80 % power.

    None if no number does (the suite has too few prompts), or if nothing can be said: below
    two seeds, or where the measured difference is 0.
    """
    sd, floor, seeds = variation(gaps)
    if seeds < 2 or not mean:
        return None
    return power.seeds_needed(mean, sd, comparisons, floor=floor)


def main_comparisons(summary: Mapping[str, Any]) -> list[Row]:
    """Return a summary's comparisons of the main family."""
    return [row for row in summary["comparisons"] if row["family"] == "main"]


def decided(row: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return winner and loser of a comparison; None for both if its interval contains 0."""
    if row["low"] is None or row["low"] <= 0 <= row["high"]:
        return None, None
    return (row["a"], row["b"]) if row["mean"] > 0 else (row["b"], row["a"])
