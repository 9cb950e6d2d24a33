"""What stands against a comparison: settings untuned, budgets unequal, alarms, failures."""

from collections.abc import Mapping
from typing import Any

from experiments.run.wording import join

Summary = Mapping[str, Any]

OFF = 0.02
"""Share by which a budget may be missed and still is called equal."""


def tuning(summary: Summary) -> list[str]:
    """What the settings were, and what that forbids."""
    tuned = summary["tuning"]
    if not tuned:
        return [
            "Settings were not tuned (--tune 0): a difference between strategies may be one "
            "between their settings."
        ]
    edges = [f"{arm} ({join(own['edges'])})" for arm, own in tuned.items() if own["edges"]]
    told = []
    if edges:
        told.append(
            f"The best setting lies at the edge of what was tried for {join(edges)}: better "
            f"ones may lie beyond."
        )
    fewer = [arm for arm, own in tuned.items() if len(own["sweep"]) < summary["tune"]]
    if fewer:
        told.append(
            f"The grid of {join(fewer)} holds fewer configurations than were asked for."
        )
    failed = [arm for arm, own in tuned.items() if None in [r["mean"] for r in own["sweep"]]]
    if failed:
        told.append(
            f"Configurations of {join(failed)} failed: others had more to choose from. "
            f"--resume plays them again."
        )
    return told


def trouble(summary: Summary) -> list[str]:
    """Budgets that are not equal, alarms and failed cells."""
    told = []
    budget = summary["reward_calls"]
    spent = {name: arm["budget"]["reward_calls"] for name, arm in summary["arms"].items()}
    unequal = [
        f"{name} {calls:,.0f}" for name, calls in spent.items() if abs(calls / budget - 1) > OFF
    ]
    if unequal:
        told.append(
            f"Budgets are not equal: of {budget:,} reward calls a seed, {join(unequal)} were "
            f"spent."
        )
    rung = sorted({row["alarm"] for rows in summary["alarms"].values() for row in rows})
    if rung:
        cells = f"{len(summary['alarms'])} of {summary['cells']} cells"
        told.append(f"Alarms ({join(rung)}) rang in {cells}.")
    if summary["failures"]:
        cells = sorted(summary["failures"])
        one = len(cells) == 1
        says = "1 cell failed and is" if one else f"{len(cells)} cells failed and are"
        told.append(f"{says} left out: {join(cells)}.")
    return told
