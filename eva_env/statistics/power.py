"""Power analysis: the difference that a comparison over some number of seeds can detect.

For the two-sided paired test of ``intervals.p_value``, which is the t test if ``floor`` is 0.
``sd`` is the standard deviation over seeds of the paired difference, in the units of the
difference. ``floor`` is the part of its standard error that more seeds do not reduce: that of
the prompts. ``comparisons`` is the number of simultaneous tests (Bonferroni; ``holm`` has at
least the same power).
"""

import numpy as np
from scipy import optimize, stats

from eva_env.statistics.intervals import half_width

NODES = 4000
"""Nodes of the quadrature over the estimated variance; scipy's nct is NaN in the tails."""

MOST = 1_000_000
"""Largest number of seeds that ``seeds_needed`` tries."""


def power(
    difference: float, sd: float, seeds: int, comparisons: int = 1, floor: float = 0.0
) -> float:
    """Return the probability that the test detects a true difference, at the 5 % level.

    NaN for one seed.
    """
    if not np.isfinite(difference):
        raise ValueError(f"difference must be finite, got {difference}")
    if seeds < 2:
        return float("nan")
    return _power(abs(difference), _parts(sd, seeds, floor), seeds, comparisons)


def detectable(
    sd: float, seeds: int, comparisons: int = 1, wanted: float = 0.8, floor: float = 0.0
) -> float:
    """Return the smallest difference detected with probability ``wanted``; NaN for one seed."""
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
    """Return the fewest seeds, at least 2, with power ``wanted`` for a difference.

    None if no number of seeds suffices: more prompts are needed.
    """
    if not difference:
        raise ValueError("no number of seeds detects a difference of 0; give another")

    def enough(seeds: int) -> bool:
        return power(difference, sd, seeds, comparisons, floor) >= _probability(wanted)

    # 1. Double the number of seeds until it is enough.
    few, many = 1, 2
    while not enough(many):
        few, many = many, 2 * many
        if many > MOST:
            return None
    # 2. Bisect: ``few`` is not enough, ``many`` is.
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def _parts(sd: float, seeds: int, floor: float) -> tuple[float, float]:
    """Return the seeds' and the prompts' part of the variance of a mean difference."""
    for name, part in (("sd", sd), ("floor", floor)):
        if not 0 <= part < np.inf:
            raise ValueError(f"{name} must be finite and not negative, got {part}")
    return sd**2 / seeds, floor**2


def _power(
    difference: float, parts: tuple[float, float], seeds: int, comparisons: int
) -> float:
    """Return the probability of both tails, averaged over the estimated variance of the seeds.

    The variance of the prompts is taken as known, since there are many prompts.
    """
    error = np.sqrt(sum(parts))
    if not error:
        return float(difference > 0)
    nodes = (np.arange(NODES) + 0.5) / NODES
    variance_ratio = stats.chi2.ppf(nodes, seeds - 1) / (seeds - 1)
    sizes, p = (seeds, np.inf), 0.05 / comparisons
    threshold = half_width(parts[0] * variance_ratio, parts[1], sizes, p) / error
    effect = difference / error
    upper, lower = stats.norm.sf(threshold - effect), stats.norm.cdf(-threshold - effect)
    return float((upper + lower).mean())


def _probability(wanted: float) -> float:
    if not 0.05 < wanted < 1:
        raise ValueError(f"wanted must be a probability between 0.05 and 1, got {wanted}")
    return wanted
