"""Sentences that limit a comparison: untuned settings, unequal budgets, alarms, failures."""

from collections.abc import Mapping
from typing import Any

from experiments.run.judging import judging_remark
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
    if is_estimated(summary):
        gold = summary.get("judged_by", "gold") == "gold"
        judge = "world's gold reward" if gold else "judge"
        sentences.append(
            f"The {judge} does not know the best response, so cross-play is the "
            "regret estimate a_star_avg: the best minus the mean of a solver's own responses."
        )
    judged = judging_remark(summary.get("judged_by", "gold"), conditions_of(summary))
    if judged:
        sentences.append(judged)
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
    sentences += alarm_sentence(summary)
    failed = sorted(summary["failures"])
    if failed:
        verb = "is" if len(failed) == 1 else "are"
        cells = counted(len(failed), "cell")
        sentences.append(f"{cells} failed and {verb} left out: {join(failed)}.")
    return sentences


def alarm_sentence(summary: Summary) -> list[str]:
    """Return the sentence that counts the cells of each alarm; none without an alarm."""
    by_cell = [{row["alarm"] for row in rows} for rows in summary["alarms"].values()]
    counts = {
        alarm: sum(alarm in raised for raised in by_cell) for alarm in set().union(*by_cell)
    }
    if not counts:
        return []
    cells = summary["cells"]
    if len(counts) == 1:
        ((alarm, count),) = counts.items()
        return [f"Alarms ({alarm}) were raised in {count} of {cells} cells."]
    each = [f"{alarm} in {count}" for alarm, count in sorted(counts.items())]
    return [f"Alarms were raised: {join(each)} of {cells} cells."]


def is_estimated(summary: Summary) -> bool:
    """Return whether cross-play is the regret estimate, not the true regret."""
    return summary.get("crossplay", {}).get("unit", "regret") != "regret"


def conditions_of(summary: Summary) -> Mapping[str, Any]:
    """Return the settings that all cells share, as JSON; empty where there are none."""
    return summary.get("settings", {}).get("conditions", {})
