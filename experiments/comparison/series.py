"""Series of an arm over its seeds: scores against the budget, and its creator's prompts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eva_env.statistics.intervals import mean_interval
from eva_env.types import Floats
from experiments.comparison.contrasts import as_lists, mean_estimate

SCORES = ("gold", "win_rate", "pass_rate", "kl", "length", "proxy")
TRENDS = (
    "entropy", "effective", "distinct_prompts", "cluster_share", "no_gradient", "complexity",
    "signal_mean", "reward_mean", "response_length",
)  # fmt: skip

Named = dict[str, Any]
Records = Mapping[int, Sequence[Mapping[str, Any]]]
"""Rows of a file of a run, by seed."""


def learning_curves(
    evaluations: Records, rounds: Records
) -> tuple[dict[str, Named], dict[str, Named]]:
    """Return, by suite, the areas under the learning curves, and the curves.

    From rows of evaluations.jsonl and rounds.jsonl. An area is the mean over the evaluated
    rounds without the starting policy's, as an estimate. A curve has means with intervals by
    round, and the mean of each part of the budget. A round counts if all seeds were evaluated
    there: alarms may have ended some earlier.
    """
    first_rows = next(iter(evaluations.values()))
    areas: dict[str, Named] = {}
    curves: dict[str, Named] = {}
    for suite in dict.fromkeys(row["suite"] for row in first_rows):
        # 1. Rows of this suite by seed and round; the rounds that all seeds have.
        by_seed = [
            {row["round"]: row for row in rows if row["suite"] == suite}
            for rows in evaluations.values()
        ]
        shared = sorted(set.intersection(*map(set, by_seed)))
        # 2. Each score as a table (seeds, rounds).
        tables = {
            score: np.array([[_number(rows[r].get(score)) for r in shared] for rows in by_seed])
            for score in SCORES
        }
        areas[suite] = {
            f"{score}_area": mean_estimate(_area(tables[score]), list(evaluations))
            for score in ("gold", "win_rate")
        }
        # 3. What the curves are drawn against.
        budget = _mean_budgets([[rows[r]["budget"] for r in shared] for rows in by_seed])
        budget["seconds"] = _seconds(rounds, shared)
        curves[suite] = {"rounds": shared, "budget": budget}
        curves[suite] |= {score: _band(table) for score, table in tables.items()}
    return areas, curves


def trends(rounds: Records) -> dict[str, list[float | None]]:
    """Return means over seeds, by round, of the statistics of prompts in rounds.jsonl."""
    runs = list(rounds.values())
    length = min(map(len, runs))
    return {
        name: as_lists(
            np.array([[_number(row.get(name)) for row in run[:length]] for run in runs]).mean(0)
        )
        for name in TRENDS
    }


def spent(rounds: Records) -> dict[str, float]:
    """Return the mean budget of a run, and its seconds without evaluations."""
    runs = list(rounds.values())
    last = [run[-1]["budget"] for run in runs]
    budget = {name: float(np.mean([parts.get(name, 0) for parts in last])) for name in last[0]}
    seconds = [sum(row["seconds"] for row in run) for run in runs]
    return budget | {"seconds": float(np.mean(seconds))}


def _mean_budgets(budgets: Sequence[Sequence[Mapping[str, float]]]) -> Named:
    """Return each part of the budget by round, the mean over the seeds."""
    return {
        name: np.mean([[parts.get(name, 0) for parts in run] for run in budgets], 0).tolist()
        for name in budgets[0][0]
    }


def _area(scores: Floats) -> Floats:
    """Return the mean (S,) of scores (S, rounds) without the first, the starting policy's."""
    return scores[:, 1:].mean(1) if scores.shape[1] > 1 else np.full(len(scores), np.nan)


def _band(table: Floats) -> Named:
    """Return means over seeds of a table (S, rounds), with their intervals."""
    mean, low, high = mean_interval(table[..., None])
    return {"mean": as_lists(mean), "low": as_lists(low), "high": as_lists(high)}


def _seconds(rounds: Records, shared: list[int]) -> list[float]:
    """Return the mean seconds of play up to each of the shared rounds."""
    by_run = []
    for rows in rounds.values():
        total = np.cumsum([0.0, *(row["seconds"] for row in rows)])
        by_run.append(total[np.minimum(shared, len(total) - 1)])
    return np.mean(by_run, 0).tolist()


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
