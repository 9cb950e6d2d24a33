"""A forest plot in text: each paired difference as a dot on its corrected interval."""

from collections.abc import Mapping
from typing import Any

from experiments.comparison.contrasts import main_comparisons
from experiments.comparison.wording import gap

WIDTH = 48
"""Columns of the scale."""


def forest(summary: Mapping[str, Any]) -> list[str]:
    """Return a line for each comparison of the main family, and the scale; none without any."""
    rows = [row for row in main_comparisons(summary) if row["low"] is not None]
    if not rows:
        return []
    low = min(0.0, *(row["low"] for row in rows))
    high = max(0.0, *(row["high"] for row in rows))
    span = (high - low) or 1.0
    names = [f"{row['a']} - {row['b']}" for row in rows]
    width = max(map(len, names))

    def column(value: float) -> int:
        return round((WIDTH - 1) * (value - low) / span)

    lines = []
    for name, row in zip(names, rows, strict=True):
        marks = [" "] * WIDTH
        marks[column(0.0)] = "|"
        start, end = column(row["low"]), column(row["high"])
        marks[start : end + 1] = ["-"] * (end + 1 - start)
        marks[column(row["mean"])] = "o"
        size = gap(abs(row["mean"]), summary["metric"])
        sign = "+" if row["mean"] >= 0 else "-"
        lines.append(f"{name:{width}}  {''.join(marks)}  {sign}{size}")
    scale = [" "] * WIDTH
    scale[column(0.0)] = "0"
    return [*lines, f"{'':{width}}  {''.join(scale).rstrip()}"]
