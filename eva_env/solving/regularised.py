"""The entropy-regularised game: a KL penalty keeps both players near a magnet.

Over mixed strategies the row player maximises, and the column player minimises,
row @ payoffs @ column - alpha KL(row || row_magnet) + beta KL(column || column_magnet).
It has one equilibrium; with uniform magnets this is the logit quantal response equilibrium
(McKelvey and Palfrey 1995).
"""

from dataclasses import InitVar, dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from eva_env.distributions import gibbs, kl, softmax
from eva_env.require import require
from eva_env.solving.matrices import Equilibrium, checked, complete, narrow, widen
from eva_env.types import Floats, Ints


@dataclass
class RegularisedGame:
    """A game with KL penalties: ``payoffs`` (R, C), temperatures ``alpha`` and ``beta`` > 0.

    Temperatures are in units of payoff per nat. The magnets are distributions (R,) and (C,),
    uniform if None. With missing entries, ``complete`` drops strategies, and the magnets are
    renormalised over the others. ValueError for other temperatures, and for a magnet without
    mass on the strategies that remain.
    """

    payoffs: Floats
    alpha: float
    beta: float
    row_magnet: InitVar[Floats | None] = None
    column_magnet: InitVar[Floats | None] = None
    kept: tuple[Ints, Ints] = field(init=False, repr=False)
    magnets: tuple[Floats, Floats] = field(init=False, repr=False)

    def __post_init__(self, row_magnet: Floats | None, column_magnet: Floats | None) -> None:
        """Check the fields, and restrict the magnets to the strategies that are kept."""
        require(self, "(0, inf)", "alpha", "beta")
        self.payoffs = checked(self.payoffs)
        self.kept = complete(self.payoffs)
        (rows, columns), (row_size, column_size) = self.kept, self.payoffs.shape
        self.magnets = (
            _magnet(row_magnet, rows, row_size),
            _magnet(column_magnet, columns, column_size),
        )

    def responses(self, row: ArrayLike, column: ArrayLike) -> tuple[Floats, Floats]:
        """Return the best responses (R,) and (C,), Gibbs distributions of the payoffs."""
        return self._widen(*self._gibbs(*self._narrow(row, column)))

    def nash_conv(self, row: ArrayLike, column: ArrayLike) -> float:
        """Return what both players gain by ``responses``, in units of payoff; 0 at equilibrium.

        It equals alpha KL(row || its response) + beta KL(column || its response).
        """
        row, column = self._narrow(row, column)
        best_row, best_column = self._gibbs(row, column)
        return float(self.alpha * kl(row, best_row) + self.beta * kl(column, best_column))

    def _narrow(self, row: ArrayLike, column: ArrayLike) -> tuple[Floats, Floats]:
        rows, columns = self.payoffs.shape
        return narrow(row, self.kept[0], rows), narrow(column, self.kept[1], columns)

    def _widen(self, row: Floats, column: Floats) -> tuple[Floats, Floats]:
        rows, columns = self.payoffs.shape
        return widen(row, self.kept[0], rows), widen(column, self.kept[1], columns)

    def _gibbs(self, row: Floats, column: Floats) -> tuple[Floats, Floats]:
        kept_payoffs = self.payoffs[np.ix_(*self.kept)]
        return (
            gibbs(kept_payoffs @ column, self.magnets[0], self.alpha),
            gibbs(-(row @ kept_payoffs), self.magnets[1], self.beta),
        )


def magnetic_mirror_descent(game: RegularisedGame, iterations: int = 10_000) -> Equilibrium:
    """Return the last iterate of magnetic mirror descent.

    Sokota et al. 2023 (arXiv 2206.05825). Both players start from their magnets and update at
    once: log x <- (log x + eta t log magnet + eta gain) / (1 + eta t), normalised, with t the
    player's temperature. The step eta = min(alpha, beta) / L^2, with L half the range of the
    payoffs, is the largest for which they prove convergence. The divergence from the
    equilibrium then falls by the factor 1 + eta min(alpha, beta) per iteration, so small
    temperatures need many. ``value`` includes the KL penalties; ``game.nash_conv`` measures
    convergence. Strategies that ``complete`` drops are NaN.
    """
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
    # 1. The step size; constant payoffs allow any.
    kept_payoffs = game.payoffs[np.ix_(*game.kept)]
    row, column = game.magnets
    lipschitz = float(np.ptp(kept_payoffs)) / 2
    eta = min(game.alpha, game.beta) / lipschitz**2 if lipschitz else 1.0
    # 2. Iterate on logits; a strategy without mass under the magnet keeps -inf.
    with np.errstate(divide="ignore"):
        row_magnet, column_magnet = np.log(row), np.log(column)
    row_logits, column_logits = row_magnet, column_magnet
    for _ in range(iterations):
        gains, losses = kept_payoffs @ column, row @ kept_payoffs
        row_logits = _pulled(row_logits + eta * gains, row_magnet, eta * game.alpha)
        column_logits = _pulled(column_logits - eta * losses, column_magnet, eta * game.beta)
        row, column = softmax(row_logits), softmax(column_logits)
    # 3. The value of the regularised game, which includes the KL penalties.
    value = row @ kept_payoffs @ column - game.alpha * kl(row, game.magnets[0])
    value += game.beta * kl(column, game.magnets[1])
    return Equilibrium(float(value), *game._widen(row, column))


def _pulled(logits: Floats, magnet: Floats, weight: float) -> Floats:
    """Return logits moved towards the magnet's; they are shifted to a maximum of 0 first."""
    return (logits - logits.max() + weight * magnet) / (1 + weight)


def _magnet(magnet: Floats | None, kept: Ints, size: int) -> Floats:
    """Return a magnet (size,) renormalised over the strategies kept; uniform if None."""
    if magnet is None:
        return np.full(len(kept), 1 / len(kept))
    magnet = np.asarray(magnet, dtype=np.float64)
    if magnet.shape != (size,) or not (magnet >= 0).all() or not magnet[kept].sum() > 0:
        raise ValueError(
            f"a magnet must be a distribution over {size} strategies, got {magnet}"
        )
    return magnet[kept] / magnet[kept].sum()
