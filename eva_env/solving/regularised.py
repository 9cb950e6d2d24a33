"""The game in which relative entropy keeps both players near a magnet.

Over mixed strategies the row player maximises, and the column player minimises,
row @ payoffs @ column - alpha KL(row || row_magnet) + beta KL(column || column_magnet).
It has one equilibrium; with uniform magnets that is the logit quantal response equilibrium
(McKelvey and Palfrey 1995).
"""

from dataclasses import InitVar, dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from eva_env.distributions import gibbs, kl, softmax
from eva_env.solving.matrices import Equilibrium, checked, complete, narrow, widen
from eva_env.types import Floats, Ints


@dataclass
class RegularisedGame:
    """``payoffs`` (R, C) and the temperatures ``alpha``, ``beta`` > 0, units of payoff per nat.

    The magnets are distributions (R,) and (C,), uniform if None. Missing cells: ``complete``;
    magnets are renormalised over what it keeps. ValueError for other temperatures, and for a
    magnet without mass there.
    """

    payoffs: Floats
    alpha: float
    beta: float
    row_magnet: InitVar[Floats | None] = None
    column_magnet: InitVar[Floats | None] = None
    kept: tuple[Ints, Ints] = field(init=False, repr=False)
    magnets: tuple[Floats, Floats] = field(init=False, repr=False)

    def __post_init__(self, row_magnet: Floats | None, column_magnet: Floats | None) -> None:
        """Check, and put the magnets on what is kept."""
        for name, temperature in (("alpha", self.alpha), ("beta", self.beta)):
            if not 0 < temperature < np.inf:
                raise ValueError(f"{name} must be positive and finite, got {temperature}")
        self.payoffs = checked(self.payoffs)
        self.kept = complete(self.payoffs)
        row, column = (
            _magnet(given, kept, size)
            for given, kept, size in zip(
                (row_magnet, column_magnet), self.kept, self.payoffs.shape, strict=True
            )
        )
        self.magnets = row, column

    def responses(self, row: ArrayLike, column: ArrayLike) -> tuple[Floats, Floats]:
        """Each player's best response to the other, a Gibbs distribution; (R,) and (C,)."""
        return self._widen(*self._gibbs(*self._narrow(row, column)))

    def nash_conv(self, row: ArrayLike, column: ArrayLike) -> float:
        """What both could gain by ``responses``, in units of payoff; 0 at the equilibrium.

        It is alpha KL(row || its response) + beta KL(column || its response).
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
        cells = self.payoffs[np.ix_(*self.kept)]
        return (
            gibbs(cells @ column, self.magnets[0], self.alpha),
            gibbs(-(row @ cells), self.magnets[1], self.beta),
        )


def magnetic_mirror_descent(game: RegularisedGame, iterations: int = 10_000) -> Equilibrium:
    """Last iterate of magnetic mirror descent; Sokota et al. 2023 (arXiv 2206.05825).

    From the magnets, both players at once: log x <- (log x + eta t log magnet + eta gain) / (1
    + eta t), normalised, t the player's temperature. The step eta = min(alpha, beta) / L^2,
    with L half the range of the payoffs, is the largest for which they prove convergence; the
    divergence from the equilibrium then falls by 1 + eta min(alpha, beta) an iteration, so
    small temperatures need many. ``value`` has the entropies in it; ``game.nash_conv`` is the
    certificate. Missing cells: NaN for what ``complete`` drops.
    """
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
    cells = game.payoffs[np.ix_(*game.kept)]
    row, column = game.magnets
    least, lipschitz = min(game.alpha, game.beta), float(np.ptp(cells)) / 2
    eta = least / lipschitz**2 if lipschitz else 1.0
    with np.errstate(divide="ignore"):
        row_pull, column_pull = np.log(row), np.log(column)
    row_logits, column_logits = row_pull, column_pull
    for _ in range(iterations):
        gains, losses = cells @ column, row @ cells
        row_logits = _pulled(row_logits + eta * gains, row_pull, eta * game.alpha)
        column_logits = _pulled(column_logits - eta * losses, column_pull, eta * game.beta)
        row, column = softmax(row_logits), softmax(column_logits)
    value = row @ cells @ column - game.alpha * kl(row, game.magnets[0])
    value += game.beta * kl(column, game.magnets[1])
    return Equilibrium(float(value), *game._widen(row, column))


def _pulled(logits: Floats, magnet: Floats, weight: float) -> Floats:
    """Towards the magnet, from the highest logit, which softmax does not see."""
    return (logits - logits.max() + weight * magnet) / (1 + weight)


def _magnet(given: Floats | None, kept: Ints, size: int) -> Floats:
    if given is None:
        return np.full(len(kept), 1 / len(kept))
    magnet = np.asarray(given, dtype=np.float64)
    if magnet.shape != (size,) or not (magnet >= 0).all() or not magnet[kept].sum() > 0:
        raise ValueError(
            f"a magnet must be a distribution over {size} strategies, got {magnet}"
        )
    return magnet[kept] / magnet[kept].sum()
