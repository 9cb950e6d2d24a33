"""Numbers as they stand in sentences."""

from collections.abc import Mapping
from typing import Any

Named = Mapping[str, Any]


def value(number: float, summary: Named) -> str:
    """A score of the deciding metric."""
    return f"{100 * number:.1f} %" if summary["metric"] == "win_rate" else f"{number:.4f}"


def gap(number: float, metric: str) -> str:
    """A difference of scores."""
    return f"{100 * number:.1f} points" if metric == "win_rate" else f"{number:.4f}"


def spread(figure: Named, summary: Named) -> str:
    """The interval of a score in brackets."""
    if figure["low"] is None:
        return ""
    low, high = (value(figure[end], summary) for end in ("low", "high"))
    return f" (95 % interval {low.removesuffix(' %')} to {high})"


def interval(figure: Named, digits: int) -> str:
    """The interval of any figure in brackets."""
    if figure["low"] is None:
        return ""
    return f" (95 % interval {figure['low']:.{digits}f} to {figure['high']:.{digits}f})"
