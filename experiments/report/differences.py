"""The differences of a comparison: who is ahead of whom, and the forest plot."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.report.blocks import Difference, Forest
from experiments.report.entries import interval_text
from experiments.report.lines import ticks
from experiments.report.numbers import ANYWHERE, Bounds, is_number, probability, within
from experiments.report.summary import Summary

Row = Mapping[str, Any]


def family(summary: Summary, name: str) -> list[Row]:
    """Return the tests of a family: main, or within one other player."""
    rows = summary.data.get("comparisons") or []
    return [row for row in rows if row.get("family", "main") == name]


def winner(row: Row) -> tuple[Any, Any] | None:
    """Return who is ahead of whom, None if the interval includes 0 or is missing."""
    low, high = row.get("low"), row.get("high")
    if not (is_number(low) and is_number(high)) or low <= 0 <= high:  # type: ignore[operator]
        return None
    pair = row.get("a"), row.get("b")
    return pair if low > 0 else pair[::-1]  # type: ignore[operator]


def corrected_p(row: Row, tests: int) -> float | None:
    """Return the p value that fits the interval: below 0.05 if and only if it excludes 0.

    Both are Bonferroni-corrected for the tests of the family. Older records lack the product.
    """
    if is_number(row.get("p_corrected")):
        return row["p_corrected"]
    p = row.get("p")
    return min(1.0, p * row.get("comparisons", tests)) if is_number(p) else None  # type: ignore[operator]


def forest(summary: Summary, rows: Sequence[Row], caption: str) -> Forest | None:
    """Return the differences with their intervals on one axis."""
    kept = [row for row in rows if is_number(row.get("mean"))]
    if not kept:
        return None
    limits: Bounds = (-1.0, 1.0) if summary.metric == "win_rate" else ANYWHERE
    ends = [within(row, limits)[:2] for row in kept]
    numbers = [0.0, *(row["mean"] for row in kept)]
    numbers += [end for pair in ends for end in pair if end is not None]
    least, most = min(numbers), max(numbers)
    pad = 0.04 * (most - least or 1.0)
    start, span = least - pad, most - least + 2 * pad

    def place(value: float) -> float:
        return (value - start) / span

    lines = []
    for row, (low, high) in zip(kept, ends, strict=True):
        pair = winner(row)
        lines.append(
            Difference(
                str(row.get("a")),
                str(row.get("b")),
                f"with {row['within']}" if row.get("within") else "",
                summary.show_difference(row["mean"]),
                interval_text(row, summary.show_difference, limits),
                probability(corrected_p(row, len(rows))),
                f"{pair[0]} is ahead" if pair else "cannot be distinguished",
                bool(pair),
                place(row["mean"]),
                None if low is None else place(low),
                None if high is None else place(high),
            )
        )
    values = ticks(least, most if most > least else least + 1, 5)
    marks = [(place(tick), axis_text(summary, tick)) for tick in values]
    unit = "points" if summary.metric == "win_rate" else ""
    score = summary.scores.get(summary.metric, "score").lower()
    where = f"{caption} in {score}, {summary.data.get('suite', 'deciding')} suite"
    return Forest(
        where, unit, lines, marks, place(0.0), note(kept, rows, bool(family(summary, "within")))
    )


def axis_text(summary: Summary, tick: float) -> str:
    """Return the label of a tick."""
    if summary.metric == "win_rate":
        return f"{100 * tick:+.3g}" if tick else "0"
    return f"{tick:+g}" if tick else "0"


def note(kept: Sequence[Row], rows: Sequence[Row], averaged: bool) -> str:
    """Return how the differences were tested."""
    seeds = sorted({row["seeds"] for row in kept if is_number(row.get("seeds"))})
    text = "Differences are paired by seed"
    if seeds:
        ends = dict.fromkeys((seeds[0], seeds[-1]))
        text += f" ({' to '.join(map(str, ends))} seeds)"
    if averaged and not any(row.get("within") for row in kept):
        text += " and averaged over the other player"
    tests = max((row.get("comparisons", len(rows)) for row in kept), default=1)
    if tests > 1:
        return (
            f"{text}. Intervals (95 %) and p values are Bonferroni-corrected for {tests} "
            f"comparisons; p is below 0.05 exactly where the interval excludes 0."
        )
    return f"{text}. Intervals cover 95 %; p is below 0.05 exactly where they exclude 0."
