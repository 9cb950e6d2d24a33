"""Exact ties: all arms have the same score, as where no policy has changed."""

from collections.abc import Mapping
from typing import Any

from experiments.comparison.wording import value

Summary = Mapping[str, Any]

ROUNDING = 1e-9
"""Largest difference of scores that are called equal."""

REMEDY = "play more rounds (--rounds) or take a larger learning rate (--solvers NAME:lr=...)"


def tied_score(summary: Summary) -> float | None:
    """Return the score that all competitors share exactly; None where they differ.

    The intervals of their differences are 0 too. The summary may lack keys, as older records.
    """
    metric, suite = summary.get("metric", "win_rate"), summary.get("suite")
    means = [
        arm.get("suites", {}).get(suite, {}).get(metric, {}).get("mean")
        for arm in summary.get("arms", {}).values()
        if not arm.get("ceiling")
    ]
    rows = [r for r in summary.get("comparisons") or [] if r.get("family", "main") == "main"]
    gaps = [row.get(key) or 0.0 for row in rows for key in ("mean", "low", "high")]
    if len(means) < 2 or not rows or not all(isinstance(mean, float) for mean in means):
        return None
    equal = max(means) - min(means) < ROUNDING and max(map(abs, gaps)) < ROUNDING
    return means[0] if equal else None


def is_unchanged(summary: Summary) -> bool:
    """Return whether all competitors tie exactly at the score of the starting policy."""
    score, start = tied_score(summary), (summary.get("power") or {}).get("start")
    return score is not None and start is not None and abs(score - start) < ROUNDING


def tie_sentence(summary: Summary) -> str:
    """Return the finding of a comparison whose arms tie exactly."""
    score, metric = tied_score(summary), summary.get("metric", "win_rate")
    arms = sum(not arm.get("ceiling") for arm in summary["arms"].values())
    shown = value(score if score is not None else float("nan"), metric)
    text = f"All {arms} arms tie exactly on {summary['suite']}, at {shown}"
    if is_unchanged(summary):
        return (
            f"{text}, the score of the starting policy: the policies did not change measurably."
        )
    return f"{text}: this suite and judge cannot tell them apart."


def tie_step(summary: Summary) -> str:
    """Return the next step after an exact tie."""
    if is_unchanged(summary):
        return f"Next: {REMEDY}; more seeds would not help."
    return "Next: use harder prompts or a finer judge; more seeds would not help."
