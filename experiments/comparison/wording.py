"""Numbers and intervals as they appear in sentences."""

from collections.abc import Mapping
from typing import Any

from experiments.comparison.ranges import Range, clip, range_of

Named = Mapping[str, Any]


def value(number: float, metric: str) -> str:
    """Return a score of the deciding metric: ``70.9 %`` or ``0.8312``."""
    return f"{100 * number:.1f} %" if metric == "win_rate" else f"{number:.4f}"


def gap(number: float, metric: str) -> str:
    """Return a difference of scores: ``6.1 points`` or ``0.0213``."""
    return f"{100 * number:.1f} points" if metric == "win_rate" else f"{number:.4f}"


def score_interval(estimate: Named, metric: str) -> str:
    """Return the interval of a score in brackets; empty where it has none."""
    low, high, *clipped = clip(estimate, range_of(metric))
    if low is None or high is None:
        return ""
    mark = ", clipped" if any(clipped) else ""
    start = value(low, metric).removesuffix(" %")
    return f" (95 % interval {start} to {value(high, metric)}{mark})"


def interval(estimate: Named, digits: int, possible: Range) -> str:
    """Return the interval of any estimate in brackets; empty where it has none."""
    low, high, *clipped = clip(estimate, possible)
    if low is None:
        return ""
    mark = ", clipped" if any(clipped) else ""
    return f" (95 % interval {low:.{digits}f} to {high:.{digits}f}{mark})"
