"""What a comparison over so many seeds can detect, before it is paid for.

For the two-sided paired test of ``intervals.p_value``, which is the t test if ``floor`` is 0.
``sd`` is the standard deviation over seeds of the paired difference, in the units of the
difference; ``floor`` is the part of its standard error that more seeds do not lessen: that of
the prompts. ``comparisons`` is how many tests are made at once (Bonferroni, which ``holm`` at
least equals).
"""

import numpy as np
from scipy import optimize, stats

from eva_env.statistics.intervals import half_width

NODES = 4000
"""Of the quadrature over the estimated standard error; scipy's nct is NaN far out."""

MOST = 1_000_000
"""More seeds than that nobody has."""


def power(
    difference: float, sd: float, seeds: int, comparisons: int = 1, floor: float = 0.0
) -> float:
    """Probability that the test finds a true difference, at the 5 % level; NaN for one seed."""
    if not np.isfinite(difference):
        raise ValueError(f"difference must be finite, got {difference}")
    if seeds < 2:
        return float("nan")
    return _power(abs(difference), _parts(sd, seeds, floor), seeds, comparisons)


def detectable(
    sd: float, seeds: int, comparisons: int = 1, wanted: float = 0.8, floor: float = 0.0
) -> float:
    """Smallest difference that is found with probability ``wanted``; NaN for one seed."""
    if seeds < 2:
        return float("nan")
    parts = _parts(sd, seeds, floor)
    most = float(np.sqrt(sum(parts)))
    if not most:
        return 0.0
    while _power(most, parts, seeds, comparisons) < _probability(wanted):
        most *= 2
    return optimize.brentq(  # type: ignore[return-value] - not with full_output
        lambda difference: _power(difference, parts, seeds, comparisons) - wanted, 0, most
    )


def seeds_needed(
    difference: float, sd: float, comparisons: int = 1, wanted: float = 0.8, floor: float = 0.0
) -> int | None:
    """Fewest seeds with which a difference is found with probability ``wanted``, at least 2.

    None if no number of seeds does: more prompts are needed.
    """
    if not difference:
        raise ValueError("no number of seeds finds a difference of 0; give another")

    def enough(seeds: int) -> bool:
        return power(difference, sd, seeds, comparisons, floor) >= _probability(wanted)

    few, many = 1, 2
    while not enough(many):
        few, many = many, 2 * many
        if many > MOST:
            return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def _parts(sd: float, seeds: int, floor: float) -> tuple[float, float]:
    """The variance of a mean difference that comes from the seeds, and from the prompts."""
    for name, part in (("sd", sd), ("floor", floor)):
        if not 0 <= part < np.inf:
            raise ValueError(f"{name} must be finite and not negative, got {part}")
    return sd**2 / seeds, floor**2


def _power(
    difference: float, parts: tuple[float, float], seeds: int, comparisons: int
) -> float:
    """Mean of both tails' probability over the estimates of the seeds' part.

    The prompts' part is taken as known, since there are many of them.
    """
    error = np.sqrt(sum(parts))
    if not error:
        return float(difference > 0)
    nodes = (np.arange(NODES) + 0.5) / NODES
    spread = stats.chi2.ppf(nodes, seeds - 1) / (seeds - 1)
    sizes, p = (seeds, np.inf), 0.05 / comparisons
    threshold = half_width(parts[0] * spread, parts[1], sizes, p) / error
    effect = difference / error
    upper, lower = stats.norm.sf(threshold - effect), stats.norm.cdf(-threshold - effect)
    return float((upper + lower).mean())


def _probability(wanted: float) -> float:
    if not 0.05 < wanted < 1:
        raise ValueError(f"wanted must be a probability between 0.05 and 1, got {wanted}")
    return wanted
