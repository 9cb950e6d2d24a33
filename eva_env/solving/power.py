"""What a comparison over so many seeds can detect, before it is paid for.

For the two-sided paired t test over seeds, of which the statistic is noncentral t with
noncentrality difference sqrt(S) / sd. ``sd`` is the standard deviation over seeds of the
paired difference, in the units of the difference. ``comparisons`` is how many tests are made
at once (Bonferroni, which ``holm`` at least equals).
"""

import numpy as np
from scipy import optimize, stats

from eva_env.solving.bootstrap import quantile

NODES = 4000
"""Of the quadrature over the estimated standard deviation; scipy's nct is NaN far out."""


def power(difference: float, sd: float, seeds: int, comparisons: int = 1) -> float:
    """Probability that the test finds a true difference, at the 5 % level; NaN for one seed."""
    if seeds < 2:
        return float("nan")
    return _power(_effect(difference, sd), seeds, comparisons)


def detectable(sd: float, seeds: int, comparisons: int = 1, wanted: float = 0.8) -> float:
    """Smallest difference that is found with probability ``wanted``; NaN for one seed."""
    if seeds < 2:
        return float("nan")
    most = 1.0
    while _power(most, seeds, comparisons) < _probability(wanted):
        most *= 2
    found = optimize.root_scalar(
        lambda effect: _power(effect, seeds, comparisons) - wanted, bracket=(0, most)
    )
    return float(found.root) * _deviation(sd)


def seeds_needed(
    difference: float, sd: float, comparisons: int = 1, wanted: float = 0.8
) -> int:
    """Fewest seeds with which a difference is found with probability ``wanted``, at least 2."""
    effect = _effect(difference, sd)
    if not effect:
        raise ValueError("no number of seeds finds a difference of 0; give another")
    few, many = 1, 2
    while _power(effect, many, comparisons) < _probability(wanted):
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        enough = _power(effect, middle, comparisons) >= wanted
        few, many = (few, middle) if enough else (middle, many)
    return many


def _power(effect: float, seeds: int, comparisons: int) -> float:
    """Mean of both tails' probability over the quantiles of the estimated sd / sd."""
    nodes = (np.arange(NODES) + 0.5) / NODES
    spread = np.sqrt(stats.chi2.ppf(nodes, seeds - 1) / (seeds - 1))
    threshold, centre = quantile(seeds, comparisons) * spread, effect * np.sqrt(seeds)
    upper, lower = stats.norm.sf(threshold - centre), stats.norm.cdf(-threshold - centre)
    return float((upper + lower).mean())


def _effect(difference: float, sd: float) -> float:
    """The difference in standard deviations; infinite where seeds do not differ."""
    if not np.isfinite(difference):
        raise ValueError(f"difference must be finite, got {difference}")
    if not difference:
        return 0.0
    return abs(difference) / sd if _deviation(sd) else float("inf")


def _deviation(sd: float) -> float:
    if not 0 <= sd < np.inf:
        raise ValueError(f"sd must be finite and not negative, got {sd}")
    return sd


def _probability(wanted: float) -> float:
    if not 0.05 < wanted < 1:
        raise ValueError(f"wanted must be a probability between 0.05 and 1, got {wanted}")
    return wanted
