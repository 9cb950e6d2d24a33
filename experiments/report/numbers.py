"""Numbers as people read them, and intervals that stay where their quantity can be."""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

NOTHING = "\N{EN DASH}"

CUT = "\N{DAGGER}"
"""Marks an interval that is cut at a bound of its quantity."""
CUT_NOTE = f"{CUT} Cut: the computed interval reaches beyond what is possible."

Bounds = tuple[float, float]

ANYWHERE: Bounds = (-math.inf, math.inf)
SHARE: Bounds = (0.0, 1.0)
"""Where shares, probabilities and win rates lie."""
NOT_NEGATIVE: Bounds = (0.0, math.inf)
"""Where regrets and distances lie."""


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value of the record is a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)


def number(value: Any, digits: int = 3) -> str:
    """Return a number with separated thousands, tiny ones with an exponent, a dash for none."""
    if is_number(value) and 0 < abs(value) < 10**-digits:
        return f"{value:.2e}"
    return decimal(value, digits)


def decimal(value: Any, digits: int = 3) -> str:
    """Return a number without an exponent; large numbers get fewer digits after the point."""
    if not is_number(value):
        return NOTHING
    if isinstance(value, int):
        return f"{value:,}"
    before = len(f"{abs(value):.0f}")
    return f"{value:z,.{max(0, digits + 1 - before)}f}"  # z: no minus before a zero


def percent(value: Any) -> str:
    """Return a share in [0, 1] as a percentage."""
    return f"{100 * value:.1f} %" if is_number(value) else NOTHING


def points(value: Any) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return f"{100 * value:+z.1f}" if is_number(value) else NOTHING


def signed(value: Any) -> str:
    """Return a difference with its sign."""
    return f"{value:+z.3f}" if is_number(value) else NOTHING


def probability(value: Any) -> str:
    """Return a p value; one below 0.0001 is only called that."""
    if not is_number(value):
        return NOTHING
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def counted(count: int, noun: str) -> str:
    """Return "1 seed", "2 seeds"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def title(key: str) -> str:
    """Return a key of the record as a title: "signal_mean" is "Signal mean"."""
    return key[:1].upper() + key[1:].replace("_", " ")


def within(estimate: Mapping[str, Any], bounds: Bounds) -> tuple[Any, Any, bool]:
    """Return an estimate's interval cut at the bounds of its quantity, and whether it was cut.

    An interval that is symmetric about the mean may reach beyond what is possible. The cut
    interval covers as often as the whole one, since nothing true lies in what is cut off.
    """
    low, high = estimate.get("low"), estimate.get("high")
    if not (is_number(low) and is_number(high)):
        return None, None, False
    inside = max(low, bounds[0]), min(high, bounds[1])  # type: ignore[type-var] - numbers
    slack = 1e-12  # of rounding is no cut
    cut = low < bounds[0] - slack or high > bounds[1] + slack  # type: ignore[operator]
    return *inside, cut
