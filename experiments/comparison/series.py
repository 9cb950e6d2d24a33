"""Curves of an arm over its seeds: scores against the budget, and what its creator did."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eva_env.statistics.intervals import mean_interval
from eva_env.types import Floats
from experiments.comparison.figures import figure, nested

SCORES = ("gold", "win_rate", "pass_rate", "kl", "length", "proxy")
TRENDS = (
    "entropy", "effective", "distinct_prompts", "cluster_share", "no_gradient", "complexity",
    "signal_mean", "reward_mean", "response_length",
)  # fmt: skip

Named = dict[str, Any]
Records = Mapping[int, Sequence[Mapping[str, Any]]]
"""Rows of a file of a run, by seed."""


def curves(evaluations: Records, played: Records) -> tuple[dict[str, Named], dict[str, Named]]:
    """From rows of evaluations.jsonl and rounds.jsonl, by suite: the areas under the curves
    (means over the rounds judged, without the start) as figures, and the curves against each
    part of the budget, means.

    A round counts if all seeds were judged there: alarms may have ended some before the last.
    """
    rows = list(evaluations.values())
    ends: dict[str, Named] = {}
    found: dict[str, Named] = {}
    for suite in dict.fromkeys(row["suite"] for row in rows[0]):
        seeds = [{row["round"]: row for row in own if row["suite"] == suite} for own in rows]
        rounds = sorted(set.intersection(*map(set, seeds)))
        table = {
            score: np.array([[_number(own[r].get(score)) for r in rounds] for own in seeds])
            for score in SCORES
        }
        ends[suite] = {
            f"{score}_area": figure(_area(table[score]), list(evaluations))
            for score in ("gold", "win_rate")
        }
        budgets = [[own[r]["budget"] for r in rounds] for own in seeds]
        found[suite] = {
            "rounds": rounds,
            "budget": {
                name: np.mean([[b[name] for b in own] for own in budgets], 0).tolist()
                for name in budgets[0][0]
            }
            | {"seconds": _seconds(played, rounds)},
        } | {score: _band(values) for score, values in table.items()}
    return ends, found


def trends(played: Records) -> dict[str, list[float | None]]:
    """Means over seeds, by round, of what rounds.jsonl says of the prompts."""
    rows = list(played.values())
    length = min(map(len, rows))
    return {
        name: nested(
            np.array([[_number(row.get(name)) for row in own[:length]] for own in rows]).mean(0)
        )
        for name in TRENDS
    }


def spent(played: Records) -> dict[str, float]:
    """Mean budget of a run, its seconds without evaluations among it."""
    rows = list(played.values())
    budget = {
        name: float(np.mean([own[-1]["budget"][name] for own in rows]))
        for name in rows[0][-1]["budget"]
    }
    return budget | {
        "seconds": float(np.mean([sum(r["seconds"] for r in own) for own in rows]))
    }


def _area(scores: Floats) -> Floats:
    """Mean (S,) of scores (S, rounds) but for the first, which is the start's."""
    return scores[:, 1:].mean(1) if scores.shape[1] > 1 else np.full(len(scores), np.nan)


def _band(values: Any) -> Named:
    found = mean_interval(values[..., None])
    return {name: nested(getattr(found, name)) for name in ("mean", "low", "high")}


def _seconds(played: Records, rounds: list[int]) -> list[float]:
    """Mean seconds that playing took up to each of the rounds."""
    by_run = []
    for own in played.values():
        total = np.cumsum([0.0, *(row["seconds"] for row in own)])
        by_run.append(total[np.minimum(rounds, len(total) - 1)])
    return np.mean(by_run, 0).tolist()


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
