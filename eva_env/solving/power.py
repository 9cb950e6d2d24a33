"""What a comparison over so many seeds can detect, before it is paid for.

For the two-sided paired test of ``bootstrap.paired_test``, whose statistic is about noncentral
t. ``sd`` is the standard deviation over seeds of the paired difference, in the units of the
difference; ``floor`` is the part of its standard error that more seeds do not lessen: that of
the prompts. ``comparisons`` is how many tests are made at once (Bonferroni, which ``holm`` at
least equals).
"""

import numpy as np
from scipy import optimize, stats

from eva_env.solving.bootstrap import quantile

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
    error, freedom = _error(sd, seeds, floor)
    if not difference:
        return _power(0.0, freedom, comparisons)
    return _power(abs(difference) / error if error else np.inf, freedom, comparisons)


def detectable(
    sd: float, seeds: int, comparisons: int = 1, wanted: float = 0.8, floor: float = 0.0
) -> float:
    """Smallest difference that is found with probability ``wanted``; NaN for one seed."""
    if seeds < 2:
        return float("nan")
    error, freedom = _error(sd, seeds, floor)
    most = 1.0
    while _power(most, freedom, comparisons) < _probability(wanted):
        most *= 2
    least: float = optimize.brentq(  # type: ignore[assignment] - not with full_output
        lambda effect: _power(effect, freedom, comparisons) - wanted, 0, most
    )
    return least * error


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


def _error(sd: float, seeds: int, floor: float) -> tuple[float, float]:
    """Standard error and degrees of freedom, as ``bootstrap.standard_error`` has them."""
    for name, part in (("sd", sd), ("floor", floor)):
        if not 0 <= part < np.inf:
            raise ValueError(f"{name} must be finite and not negative, got {part}")
    own, total = sd**2 / seeds, sd**2 / seeds + floor**2
    if seeds == 2 or not floor:
        return float(np.sqrt(total)), seeds - 1
    freedom = total**2 * (seeds - 1) / own**2 if own else np.inf
    return float(np.sqrt(total)), min(freedom, 1e9)


def _power(effect: float, freedom: float, comparisons: int) -> float:
    """Mean of both tails' probability over the quantiles of the estimated error / error."""
    nodes = (np.arange(NODES) + 0.5) / NODES
    spread = np.sqrt(stats.chi2.ppf(nodes, freedom) / freedom)
    threshold = quantile(freedom, comparisons) * spread
    upper, lower = stats.norm.sf(threshold - effect), stats.norm.cdf(-threshold - effect)
    return float((upper + lower).mean())


def _probability(wanted: float) -> float:
    if not 0.05 < wanted < 1:
        raise ValueError(f"wanted must be a probability between 0.05 and 1, got {wanted}")
    return wanted
