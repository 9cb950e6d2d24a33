"""Ratings of players from wins and losses: Bradley-Terry strengths and Elo.

Strengths are in nats: a player that is d stronger than another beats it with probability
sigmoid(d). For intervals, rate all bootstrap draws of the win matrix in one call, and pass the
ratings to ``intervals.interval``.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from eva_env.statistics.logistic import newton
from eva_env.types import Floats

ELO_PER_NAT = 400 / np.log(10)
BASE = 1500.0


def bradley_terry(wins: ArrayLike, anchor: int | None = None, prior: float = 0.0) -> Floats:
    """Return maximum-likelihood strengths (..., L), in nats, from ``wins`` (..., L, L).

    ``wins[i, j]`` is how often i has beaten j, as counts or rates. A tie is half a win for
    both; 0 both ways (or NaN) marks players that have not met. The player ``anchor`` has
    strength 0; with None the mean strength is 0. Strengths are comparable only between players
    that have beaten each other, directly or through others (Ford 1957, see Hunter 2004, Annals
    of Statistics 32, 384-406): players not connected to the anchor in this way are NaN, and
    with None the largest connected group is rated. A ``prior`` adds that many wins of every
    player over every other; it rates all players and shrinks their strengths. ValueError for
    another shape, and for negative or infinite wins.
    """
    if not 0 <= prior < np.inf:
        raise ValueError(f"prior must be finite and not negative, got {prior}")
    wins = _checked(wins)
    size = wins.shape[-1]
    wins += prior * (1 - np.eye(size))
    rated = _connected(wins, anchor)
    wins *= rated[..., :, None] * rated[..., None, :]
    # The likelihood does not determine the unrated strengths and the mean. Adding to the
    # information in these directions makes it positive definite and does not move the rest.
    filling = np.eye(size) * ~rated[..., None] + rated[..., :, None] * rated[..., None, :]

    def derivatives(strengths: Floats) -> tuple[Floats, Floats]:
        ahead = strengths[..., :, None] - strengths[..., None, :]
        # Not wins - games * expit(ahead): it cancels where a player nearly always wins.
        surplus = wins * expit(-ahead) - wins.swapaxes(-1, -2) * expit(ahead)
        curvature = (wins + wins.swapaxes(-1, -2)) * expit(ahead) * expit(-ahead)
        information = curvature.sum(-1)[..., None] * np.eye(size) - curvature
        return surplus.sum(-1), information + filling

    strengths = np.where(rated, newton(derivatives, np.zeros(wins.shape[:-1])), np.nan)
    return strengths if anchor is None else strengths - strengths[..., [anchor]]


def elo_scale(strengths: ArrayLike, base: float = BASE) -> Floats:
    """Return strengths on Elo's scale: 400 / ln 10 points per nat, with ``base`` at 0."""
    return base + ELO_PER_NAT * np.asarray(strengths, dtype=np.float64)


def elo(
    outcomes: Iterable[tuple[int, int, float]],
    players: int,
    k: float = 32.0,
    base: float = BASE,
) -> Floats:
    """Return ratings (L,) after a stream of outcomes (i, j, score of i), in their order.

    All start from ``base``. Each outcome moves both players by k (score - expected score); a
    score is 1, 1/2 for a tie, or 0. Late outcomes weigh more, so ``bradley_terry`` is the
    better rating for a fixed set of outcomes. ValueError for a score outside [0, 1].
    """
    ratings = [base] * players
    for i, j, score in outcomes:
        if not 0 <= score <= 1:
            raise ValueError(f"a score must be in [0, 1], got {score}")
        surprise = score - 1 / (1 + 10 ** ((ratings[j] - ratings[i]) / 400))
        ratings[i] += k * surprise
        ratings[j] -= k * surprise
    return np.array(ratings)


def _checked(wins: ArrayLike) -> Floats:
    """Return a copy with 0 on the diagonal and where either side of a pair is missing."""
    wins = np.array(wins, dtype=np.float64)
    if wins.ndim < 2 or wins.shape[-1] != wins.shape[-2]:
        raise ValueError(f"wins must have shape (..., L, L), got {wins.shape}")
    wins[np.isnan(wins) | np.isnan(wins.swapaxes(-1, -2))] = 0.0
    wins *= 1 - np.eye(wins.shape[-1])
    if not ((wins >= 0) & (wins < np.inf)).all():
        raise ValueError(f"wins must be finite and not negative, got {wins.min()} at least")
    # Win rates this small are rounding errors.
    wins[wins < 1e-12 * wins.max(initial=0.0)] = 0.0
    return wins


def _connected(wins: Floats, anchor: int | None) -> NDArray[np.bool_]:
    """Return True for players (..., L) in the anchor's group, or in the largest group.

    In a group each player has beaten each other, directly or through others.
    """
    size = wins.shape[-1]
    reach = (wins > 0) | np.eye(size, dtype=bool)
    # Each squaring doubles the length of the chains of wins.
    for _ in range(max(size - 1, 1).bit_length()):
        reach = reach @ reach
    mutual = reach & reach.swapaxes(-1, -2)
    if anchor is not None:
        return mutual[..., anchor, :]
    largest = mutual.sum(-1).argmax(-1)[..., None, None]
    return np.take_along_axis(mutual, largest, axis=-2)[..., 0, :]
