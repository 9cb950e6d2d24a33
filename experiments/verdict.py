"""What a comparison of arms over seeds shows, and what it does not."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from agents.evaluate import interval
from experiments.records import Run

SUITE = "hard"
SCORES = ("win_rate", "gold", "pass_rate")

Runs = Mapping[str, Mapping[int, Run]]
"""Finished runs by arm and seed."""


def measure(runs: Mapping[int, Run]) -> dict[str, Any]:
    """An arm over its seeds: every score by suite, and the mean budget spent."""
    seeds = [run.rows("evaluations") for run in runs.values()]
    suites: dict[str, dict[str, Any]] = {}
    for suite in dict.fromkeys(row["suite"] for row in seeds[0]):
        rows = [[row for row in own if row["suite"] == suite] for own in seeds]
        suites[suite] = {score: summarise(rows, score) for score in SCORES}
    spent = [own[-1]["budget"] for own in seeds]
    budget = {name: _mean([own[name] for own in spent]) for name in spent[0]}
    return {"seeds": list(runs), "suites": suites, "budget": budget}


def summarise(seeds: Sequence[Sequence[Mapping[str, Any]]], score: str) -> dict[str, Any]:
    """A score's curve by seed, its area as the mean over rounds, and the end with interval."""
    curves = [[row[score] for row in rows] for rows in seeds]
    last = [curve[-1] for curve in curves]
    mean, half = interval(last)
    return {
        "rounds": [row["round"] for row in seeds[0]],
        "curves": curves,
        "area": [_mean(curve[1:]) for curve in curves],
        "last": last,
        "mean": mean,
        "half": _known(half),
    }


def difference(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], comparisons: int = 1
) -> dict[str, Any]:
    """Last win rate on the hard suite, ours minus theirs, paired by seed.

    The interval is corrected for the number of comparisons that are made at once.
    """
    seeds = [seed for seed in ours["seeds"] if seed in theirs["seeds"]]
    own, other = (
        dict(zip(arm["seeds"], arm["suites"][SUITE]["win_rate"]["last"], strict=True))
        for arm in (ours, theirs)
    )
    differences = [own[seed] - other[seed] for seed in seeds]
    mean, half = interval(differences, comparisons) if seeds else (0.0, None)
    return {"seeds": seeds, "mean": mean, "half": _known(half), "comparisons": comparisons}


def verdict(arm: str, other: str, result: Mapping[str, Any]) -> str:
    """One line: what the paired difference supports."""
    mean, half, seeds = 100 * result["mean"], result["half"], len(result["seeds"])
    if half is None:
        return f"{arm} - {other}: {mean:+.1f} points on {seeds} seed; one seed shows nothing."
    low, high = mean - 100 * half, mean + 100 * half
    says = f"{arm} - {other}: {mean:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"
    if result["comparisons"] > 1:
        says += f" (corrected for {result['comparisons']} comparisons)"
    if low > 0:
        return f"{says}, {seeds} seeds: {arm} is ahead of {other}."
    if high < 0:
        return f"{says}, {seeds} seeds: {arm} is behind {other}."
    return f"{says}, {seeds} seeds: these data do not tell which of the two is ahead."


def table(arms: Mapping[str, Mapping[str, Any]]) -> Table:
    """The arms side by side: hard suite, and what they have spent; 80 columns wide."""
    header = ("arm", "seeds", f"win % {SUITE}", "rounds", "gold reward")
    title = f"Win rate on the {SUITE} suite against the starting model, 95 % intervals"
    caption = (
        "win %: after the last round; rounds: mean over the rounds judged. Intervals\n"
        "are over training seeds; the suite and the judge's draws are fixed."
    )
    shown = Table(*header, "prompts", "responses", title=title, caption=caption)
    for arm, own in arms.items():
        wins, gold = own["suites"][SUITE]["win_rate"], own["suites"][SUITE]["gold"]
        spent = own["budget"]
        shown.add_row(
            arm,
            str(len(own["seeds"])),
            f"{100 * wins['mean']:.1f}" + _plus_minus(wins["half"], 100, 1),
            f"{100 * _mean(wins['area']):.1f}",
            f"{gold['mean']:.3f}" + _plus_minus(gold["half"], 1, 3),
            f"{spent['prompts']:,.0f}",
            f"{spent['responses']:,.0f}",
        )
    return shown


def transcripts(run: Run) -> list[str]:
    """Three evolved prompts of the last round, the first answer before and after training."""
    rows = [row for row in run.rows("transcripts") if row["operator"] is not None]
    return [
        f"\nprompt  {row['prompt']}\n"
        f"  from  {row['parent']}  ({row['operator']})\n"
        f"before  {row['before'][0]}  (gold reward {row['before_rewards'][0]:.2f})\n"
        f" after  {row['after'][0]}  (gold reward {row['after_rewards'][0]:.2f})"
        for row in rows[-3:]
    ]


def _plus_minus(half: float | None, scale: float, digits: int) -> str:
    return "" if half is None else f" ± {scale * half:.{digits}f}"


def _known(half: float | None) -> float | None:
    """JSON has no NaN."""
    return None if half is None or math.isnan(half) else half


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
