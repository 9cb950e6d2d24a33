"""Sentences that limit a comparison: untuned settings, unequal budgets, alarms, failures."""

from collections.abc import Mapping
from typing import Any

from experiments.run.judging import SAME
from experiments.run.wording import counted, join

Summary = Mapping[str, Any]

TOLERANCE = 0.02
"""Share of the budget by which an arm may miss it and its budget still be called equal."""


def tuning_caveats(summary: Summary) -> list[str]:
    """Return sentences about how settings were chosen, and what that does not allow."""
    tuned = summary["tuning"]
    if not tuned:
        return [
            "Settings were not tuned (--tune 0): a difference between strategies may be a "
            "difference between their settings."
        ]
    sentences = []
    edges = [
        f"{arm} ({join(choice['edges'])})" for arm, choice in tuned.items() if choice["edges"]
    ]
    if edges:
        sentences.append(
            f"The best setting is at the edge of the tried values for {join(edges)}: values "
            f"beyond may be better."
        )
    small = [arm for arm, choice in tuned.items() if len(choice["sweep"]) < summary["tune"]]
    if small:
        sentences.append(
            f"The grid of {join(small)} has fewer than {summary['tune']} configurations."
        )
    failed = [
        arm
        for arm, choice in tuned.items()
        if any(row["mean"] is None for row in choice["sweep"])
    ]
    if failed:
        sentences.append(
            f"Configurations of {join(failed)} failed, so the other arms chose from more. "
            f"--resume plays them again."
        )
    return sentences


def record_caveats(summary: Summary) -> list[str]:
    """Return sentences about estimated regret, unequal budgets, alarms and failed cells."""
    sentences = []
    if summary.get("crossplay", {}).get("unit", "regret") != "regret":
        sentences.append(
            "The world's gold reward does not know the best response, so cross-play is the "
            "regret estimate a_star_avg: the best minus the mean of a solver's own responses."
        )
    if summary.get("judged_by") == SAME:
        sentences.append(f"{SAME[0].upper()}{SAME[1:]}.")
    for suite, prompts in summary.get("left_out", {}).items():
        if prompts:
            sentences.append(
                f"{counted(prompts, 'prompt')} of the {suite} suite are left out, since an arm "
                f"has fewer than two scored responses there."
            )
    budget = summary["reward_calls"]
    spent = {name: arm["budget"]["reward_calls"] for name, arm in summary["arms"].items()}
    unequal = [
        f"{name} used {calls:,.0f}"
        for name, calls in spent.items()
        if abs(calls / budget - 1) > TOLERANCE
    ]
    if unequal:
        sentences.append(
            f"Budgets are not equal: of {budget:,} reward calls per seed, {join(unequal)}."
        )
    raised = sorted({row["alarm"] for rows in summary["alarms"].values() for row in rows})
    if raised:
        cells = f"{len(summary['alarms'])} of {summary['cells']} cells"
        sentences.append(f"Alarms ({join(raised)}) were raised in {cells}.")
    failed = sorted(summary["failures"])
    if failed:
        verb = "is" if len(failed) == 1 else "are"
        cells = counted(len(failed), "cell")
        sentences.append(f"{cells} failed and {verb} left out: {join(failed)}.")
    return sentences
