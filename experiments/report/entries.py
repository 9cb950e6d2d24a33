"""Entries of tables: words, numbers, and estimates with their intervals."""

from collections.abc import Callable, Mapping
from typing import Any

from experiments.report.blocks import Entry
from experiments.report.numbers import (
    ANYWHERE,
    CUT,
    NOTHING,
    Bounds,
    decimal,
    is_number,
    number,
    within,
)


def text_entry(text: Any) -> Entry:
    """Return an entry of words."""
    shown = NOTHING if text is None else str(text)
    return Entry(shown, None if text is None else shown)


def number_entry(value: Any, digits: int = 3) -> Entry:
    """Return an entry of a number."""
    return Entry(number(value, digits), value if is_number(value) else None)


def estimate_entry(
    value: Any, show: Callable[[Any], str] = decimal, bounds: Bounds = ANYWHERE
) -> Entry:
    """Return an entry of an estimate, {"mean", "low", "high"}, or of a plain number."""
    if not isinstance(value, Mapping):
        return Entry(show(value), value if is_number(value) else None)
    mean = value.get("mean")
    detail = interval_text(value, show, bounds)
    return Entry(show(mean), mean if is_number(mean) else None, detail)


def interval_text(
    estimate: Mapping[str, Any],
    show: Callable[[Any], str] = decimal,
    bounds: Bounds = ANYWHERE,
) -> str:
    """Return "89.9 to 98.9 %", cut at the bounds with a mark; empty without an interval."""
    low, high, cut = within(estimate, bounds)
    if low is None or low == high:
        return ""
    mark = f" {CUT}" if cut else ""
    return f"{show(low).removesuffix(' %')} to {show(high)}{mark}"
