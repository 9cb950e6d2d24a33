"""alpha-Rank: the stationary law of strategies that invade each other's populations.

Omidshafiei et al. 2019 (arXiv 1903.01373). A population plays one strategy; a single mutant
takes it over with the fixation probability rho(u) = (1 - e^-u) / (1 - e^-mu), with m the
population and u = alpha times what the mutant gains. Everything is in logarithms, and the
stationary law by elimination without subtraction, so that rates of e^-1e7 are neither lost nor
overflow: every chain here is irreducible, and none raises. The conventions (who gains what in
one population, ties, epsilon) are those of OpenSpiel's ``egt.alpharank``.
"""

import numpy as np
from numpy.typing import ArrayLike

from eva_env.solving.matrices import bimatrix, complete, square, widen
from eva_env.types import Floats


def alpha_rank(
    payoffs: ArrayLike, alpha: float = 10.0, population: int = 50, epsilon: float = 0.0
) -> Floats:
    """Mass (n,) of each strategy of a symmetric game in one population.

    ``payoffs[i, j]`` is what i gets against j; a mutant i among j gains payoffs[i, j] -
    payoffs[j, i] (local selection), so the diagonal does not matter. ``alpha`` > 0 is in 1 /
    payoff. With alpha inf a better mutant fixates with probability 1 - ``epsilon``, a worse
    one with epsilon, an equal one with 1/2. At epsilon 0 the mass is the limit as epsilon
    falls to 0; it exists for every game, and says for each of several absorbing classes how
    probable it is. Missing cells: ``complete``, symmetric, with NaN for what it drops.
    ValueError for alpha, population or epsilon out of range.
    """
    matrix = square(payoffs).copy()
    np.fill_diagonal(matrix, 0.0)
    kept, _ = complete(matrix, symmetric=True)
    cells = matrix[np.ix_(kept, kept)]
    rates = _log_rates(cells.T - cells, alpha, population, epsilon, len(kept))
    return widen(np.exp(log_stationary(rates)), kept, len(matrix))


def alpha_rank_profiles(
    payoffs: ArrayLike,
    column_payoffs: ArrayLike | None = None,
    alpha: float = 10.0,
    population: int = 50,
    epsilon: float = 0.0,
) -> Floats:
    """Mass (R, C) of each pair of strategies, the row and the column player a population each.

    Summed over an axis it ranks the strategies of one player (``np.nansum`` where cells are
    missing). ``column_payoffs`` is what the column player gets, -``payoffs`` if None. The rest
    is as in ``alpha_rank``; of several absorbing pairs a finite alpha chooses by how much it
    costs to leave them, alpha inf by how many steps. Memory grows with (R C)^2.
    """
    ours, theirs, (rows, columns) = bimatrix(payoffs, column_payoffs)
    shape, states = ours.shape, ours.size
    by_row = ours.T[:, None, :] - ours.T[:, :, None]  # column, from row, to row
    by_column = theirs[:, None, :] - theirs[:, :, None]  # row, from column, to column
    settings = (alpha, population, epsilon, states)
    rates = np.full(shape * 2, -np.inf)
    i, j = np.arange(shape[0]), np.arange(shape[1])
    rates[:, j, :, j] = _log_rates(by_row, *settings)
    rates[i, :, i, :] = _log_rates(by_column, *settings)
    mass = np.exp(log_stationary(rates.reshape(states, states))).reshape(shape)
    whole = np.shape(payoffs)
    return widen(widen(mass, columns, whole[1]).T, rows, whole[0]).T


def log_fixation(advantage: Floats, population: int) -> Floats:
    """log rho(u) of u = alpha (f_mutant - f_resident); -log m where u is 0."""
    size = np.abs(advantage)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(-np.expm1(-size)) - np.log(-np.expm1(-population * size))
    ratio = np.where(size > 0, ratio, -np.log(population))
    return ratio - (population - 1) * np.maximum(-advantage, 0.0)


def log_stationary(log_rates: Floats) -> Floats:
    """Log of the stationary law (n,) of a chain, from the logs of its rates (n, n) from i to j.

    Grassmann, Taksar and Heyman 1985: states are eliminated one by one, with sums of positive
    numbers only, so each probability is accurate in itself, however small. The diagonal is not
    read, a common factor of the rates has no effect. Every state must lead to every other.
    """
    rates = np.array(log_rates, dtype=np.float64)
    n = len(rates)
    for k in range(n - 1, 0, -1):
        rates[:k, k] -= np.logaddexp.reduce(rates[k, :k])
        through = rates[:k, k, None] + rates[k, :k]
        rates[:k, :k] = np.logaddexp(rates[:k, :k], through)
    law = np.zeros(n)
    for k in range(1, n):
        law[k] = np.logaddexp.reduce(law[:k] + rates[:k, k])
    return law - np.logaddexp.reduce(law)


def _log_rates(
    gains: Floats, alpha: float, population: int, epsilon: float, states: int
) -> Floats:
    """Log fixation probabilities of mutants by what they gain."""
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, got {alpha}")
    if population < 2:
        raise ValueError(f"population must be at least 2, got {population}")
    if not 0 <= epsilon < 0.5:
        raise ValueError(f"epsilon must be in [0, 0.5), got {epsilon}")
    if alpha < np.inf:
        return log_fixation(alpha * gains, population)
    # So small that no number of spanning trees outweighs one more step against selection.
    worse = np.log(epsilon) if epsilon else -states * np.log(4 * states) - 50
    equal = np.abs(gains) <= 1e-12 * np.abs(gains).max()
    return np.where(equal, np.log(0.5), np.where(gains > 0, np.log1p(-epsilon), worse))
