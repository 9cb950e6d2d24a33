"""Clip intervals to what a score can be, where an estimate becomes text or a row of a table.

Intervals in summary.json are symmetric about the mean, and with few seeds they reach beyond 0
or 1. The true value cannot, so a clipped interval covers it exactly as often. A clipped end is
always marked, since it says nothing about the data.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple


class Range(NamedTuple):
    """The least and the greatest value that a score can take."""

    least: float
    most: float


SHARE = Range(0.0, 1.0)
"""Of win rates, pass rates and probabilities."""
SHARE_DIFFERENCE = Range(-1.0, 1.0)
REGRET = Range(0.0, math.inf)
"""Of true regret and NashConv, which are never negative."""
UNBOUNDED = Range(-math.inf, math.inf)


def range_of(score: str) -> Range:
    """Return the range of a score by its name in summary.json; gold rewards are unbounded."""
    return SHARE if score.removesuffix("_area") in ("win_rate", "pass_rate") else UNBOUNDED


class Clipped(NamedTuple):
    """An interval after clipping, and which of its ends were clipped."""

    low: float | None
    high: float | None
    low_clipped: bool
    high_clipped: bool

    @property
    def mark(self) -> str:
        """``low``, ``high``, both, or nothing, as tables mark it."""
        ends = {"low": self.low_clipped, "high": self.high_clipped}
        return " ".join(end for end, is_clipped in ends.items() if is_clipped)


def clip(estimate: Mapping[str, Any], possible: Range) -> Clipped:
    """Clip the interval of an estimate, None for both ends where it has none."""
    low, high = estimate["low"], estimate["high"]
    if low is None or high is None:
        return Clipped(None, None, False, False)
    return Clipped(
        max(low, possible.least), min(high, possible.most),
        low < possible.least, high > possible.most,
    )  # fmt: skip


def mean_with_interval(
    estimate: Mapping[str, Any], possible: Range, scale: float, digits: int, between: str = " "
) -> str:
    """Return ``70.9 ±0.7`` as a cell of a table; ``-`` for a missing cell.

    The half-width is left out with one seed. Where the interval is clipped its other end takes
    the place of the half-width: ``98.1 ≥94.2`` is 94.2 to 100.
    """
    mean = estimate["mean"]
    if mean is None:
        return "-"
    text = f"{scale * mean:.{digits}f}"
    low, high, low_clipped, high_clipped = clip(estimate, possible)
    if low is None or high is None:
        return text
    if low_clipped and high_clipped:
        return f"{text}{between}any"
    if high_clipped:
        return f"{text}{between}≥{scale * low:.{digits}f}"
    if low_clipped:
        return f"{text}{between}≤{scale * high:.{digits}f}"
    return f"{text}{between}±{scale * (high - low) / 2:.{digits}f}"
