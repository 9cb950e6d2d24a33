"""alpha-Rank: the stationary distribution of strategies that invade a population.

Omidshafiei et al. 2019 (arXiv 1903.01373). All members of a population play one strategy. A
single mutant takes it over with the fixation probability rho(u) = (1 - e^-u) / (1 - e^-mu),
with m the population size and u = alpha times the mutant's gain. The resulting Markov chain
over strategies is irreducible, so it has one stationary distribution. Everything is computed in
logarithms and without subtraction, so rates of e^-1e7 neither underflow nor overflow. The
conventions (the mutant's gain in one population, ties, epsilon) are those of OpenSpiel's
``egt.alpharank``.
"""

import numpy as np
from numpy.typing import ArrayLike

from eva_env.solving.matrices import bimatrix, complete, square, widen
from eva_env.types import Floats


def alpha_rank(
    payoffs: ArrayLike, alpha: float = 10.0, population: int = 50, epsilon: float = 0.0
) -> Floats:
    """Return the stationary mass (n,) of each strategy of a symmetric game, in one population.

    ``payoffs[i, j]`` is the payoff of i against j. A mutant i among j gains payoffs[i, j] -
    payoffs[j, i] (local selection), so the diagonal does not matter. ``alpha`` > 0 is in 1 /
    payoff. With alpha inf a better mutant fixates with probability 1 - ``epsilon``, a worse
    one with epsilon, an equal one with 1/2. At epsilon 0 the mass is the limit for epsilon to
    0, which exists for every game: it gives the probability of each absorbing class. With
    missing entries, strategies that ``complete`` (symmetric) drops are NaN. ValueError for
    alpha, population or epsilon out of range.
    """
    matrix = square(payoffs).copy()
    np.fill_diagonal(matrix, 0.0)
    kept, _ = complete(matrix, symmetric=True)
    kept_payoffs = matrix[np.ix_(kept, kept)]
    rates = _log_rates(kept_payoffs.T - kept_payoffs, alpha, population, epsilon, len(kept))
    return widen(np.exp(log_stationary(rates)), kept, len(matrix))


def alpha_rank_profiles(
    payoffs: ArrayLike,
    column_payoffs: ArrayLike | None = None,
    alpha: float = 10.0,
    population: int = 50,
    epsilon: float = 0.0,
) -> Floats:
    """Return the stationary mass (R, C) of each pair of strategies, in two populations.

    The sum over an axis ranks the strategies of one player (``np.nansum`` if entries are
    missing). ``column_payoffs`` are the column player's payoffs, -``payoffs`` if None. All else
    is as in ``alpha_rank``. Among several absorbing pairs a finite alpha selects by the payoff
    lost on leaving them, alpha inf by the number of steps. Memory grows with (R C)^2.
    """
    ours, theirs, (rows, columns) = bimatrix(payoffs, column_payoffs)
    shape, states = ours.shape, ours.size
    by_row = ours.T[:, None, :] - ours.T[:, :, None]  # column, from row, to row
    by_column = theirs[:, None, :] - theirs[:, :, None]  # row, from column, to column
    # A state is a pair (i, j). One mutation changes one player's strategy, so the rates between
    # pairs that differ in both are 0.
    settings = (alpha, population, epsilon, states)
    rates = np.full(shape * 2, -np.inf)
    i, j = np.arange(shape[0]), np.arange(shape[1])
    rates[:, j, :, j] = _log_rates(by_row, *settings)
    rates[i, :, i, :] = _log_rates(by_column, *settings)
    mass = np.exp(log_stationary(rates.reshape(states, states))).reshape(shape)
    whole = np.shape(payoffs)
    return widen(widen(mass, columns, whole[1]).T, rows, whole[0]).T


def log_fixation(advantage: Floats, population: int) -> Floats:
    """Return log rho(u) of u = alpha (f_mutant - f_resident); -log m where u is 0."""
    # rho(-u) = rho(u) e^-(m - 1)u, so only rho(|u|) is computed: its exponentials cannot
    # overflow.
    size = np.abs(advantage)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(-np.expm1(-size)) - np.log(-np.expm1(-population * size))
    ratio = np.where(size > 0, ratio, -np.log(population))
    return ratio - (population - 1) * np.maximum(-advantage, 0.0)


def log_stationary(log_rates: Floats) -> Floats:
    """Return the log stationary distribution (n,) of a chain with log rates (n, n) from i to j.

    Grassmann, Taksar and Heyman 1985: states are eliminated one by one. All sums are of
    positive numbers, so each probability has full relative accuracy, however small. The
    diagonal is ignored, and a common factor of the rates has no effect. Every state must lead
    to every other.
    """
    # 1. Eliminate the states from the last to the second: paths through k become direct rates
    #    between the states before k. Column k keeps the rates into k over the rate out of k.
    rates = np.array(log_rates, dtype=np.float64)
    n = len(rates)
    for k in range(n - 1, 0, -1):
        rates[:k, k] -= np.logaddexp.reduce(rates[k, :k])
        through = rates[:k, k, None] + rates[k, :k]
        rates[:k, :k] = np.logaddexp(rates[:k, :k], through)
    # 2. Insert them again: the mass of k balances its inflow from the states before it.
    log_mass = np.zeros(n)
    for k in range(1, n):
        log_mass[k] = np.logaddexp.reduce(log_mass[:k] + rates[:k, k])
    # 3. Normalise.
    return log_mass - np.logaddexp.reduce(log_mass)


def _log_rates(
    gains: Floats, alpha: float, population: int, epsilon: float, states: int
) -> Floats:
    """Return the log fixation probabilities of mutants, given their gains in payoff."""
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, got {alpha}")
    if population < 2:
        raise ValueError(f"population must be at least 2, got {population}")
    if not 0 <= epsilon < 0.5:
        raise ValueError(f"epsilon must lie in [0, 0.5), got {epsilon}")
    if alpha < np.inf:
        return log_fixation(alpha * gains, population)
    # At epsilon 0, a rate so low that no number of spanning trees makes up for one more step
    # against selection.
    worse = np.log(epsilon) if epsilon else -states * np.log(4 * states) - 50
    equal = np.abs(gains) <= 1e-12 * np.abs(gains).max()
    return np.where(equal, np.log(0.5), np.where(gains > 0, np.log1p(-epsilon), worse))
