"""Numbers as people read them."""

import math
from typing import Any

NOTHING = "\N{EN DASH}"


def known(value: Any) -> bool:
    """Whether a value of the record is a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)


def number(value: Any, digits: int = 3) -> str:
    """A number for people: thousands apart, a dash for nothing, tiny ones with an exponent."""
    if known(value) and 0 < abs(value) < 10**-digits:
        return f"{value:.2e}"
    return decimal(value, digits)


def decimal(value: Any, digits: int = 3) -> str:
    """The same without an exponent: so many digits after the point, fewer of large numbers."""
    if not known(value):
        return NOTHING
    if isinstance(value, int):
        return f"{value:,}"
    before = len(f"{abs(value):.0f}")
    return f"{value:z,.{max(0, digits + 1 - before)}f}"  # z: no minus before a zero


def title(key: str) -> str:
    """A key of the record as a title: "signal_mean" is "Signal mean"."""
    return key[:1].upper() + key[1:].replace("_", " ")


def percent(value: Any) -> str:
    """A share in [0, 1] as a percentage."""
    return f"{100 * value:.1f} %" if known(value) else NOTHING


def points(value: Any) -> str:
    """A difference of shares in percentage points."""
    return f"{100 * value:+.1f}" if known(value) else NOTHING
