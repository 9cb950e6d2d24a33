"""Range checks of settings, with the same wording for every class."""

import math


def require(owner: object, interval: str, *names: str) -> None:
    """Raise ValueError unless each named attribute lies in the interval; None passes.

    ``interval`` is written as in mathematics: ``[0, 1]``, ``(0, 1]``, ``[1, inf)``,
    ``(-inf, inf)``. An open bound ``inf)`` refuses infinity. NaN lies in no interval. Example
    of a ``__post_init__``: ``require(self, "(0, 1]", "fraction")``.
    """
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    for name in names:
        value = getattr(owner, name)
        if value is None:
            continue
        above = value >= low if interval[0] == "[" else value > low
        below = value <= high if interval[-1] == "]" else value < high
        if not (above and below):
            raise ValueError(f"{name} must {_in_words(interval, low, high)}, got {value}")


def _in_words(interval: str, low: float, high: float) -> str:
    if high < math.inf:
        return f"lie in {interval}"
    if low == -math.inf:
        return "be finite"
    finite = "" if interval[-1] == "]" or low == int(low) >= 1 else " and finite"
    if interval[0] == "(":
        return f"be {'positive' if low == 0 else f'greater than {low:g}'}{finite}"
    return f"be at least {low:g}{finite}"
