"""Descent of the regret of a low-rank softmax table, which is not convex.

All that is found here is a policy of the class; what another could reach is not known. So a
best response bounds NashConv from below, and a minimax policy the value from above.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from eva_env.distributions import softmax
from eva_env.tabular.regret_game import LEAST, RegretGame
from eva_env.types import Floats, Ints

STARTS = (1.0, 0.1, 0.02)
"""Temperatures of the optima from which descent starts, as shares of the rewards' range."""

COOLING = (0.1, 0.03, 0.01, 0.003, 0.001)
"""Stages of descent, in the same unit: without them it is caught on the plateaus of softmax."""

Weigh = Callable[[Floats], tuple[float, Floats]]
"""Payoffs (P,) to what is to be minimised, and its derivative by them."""


def payoffs_and_slopes(game: RegretGame, rows: Ints, theta: Floats) -> tuple[Floats, Floats]:
    """Regret (P,) of the prompts ``rows`` under theta (d, M), and its slope by logits (P, M).

    d Reg_beta / d logit_y = -pi_y (a_y - V_beta), with a = r - beta log(pi / pi_ref).
    """
    log_reference = np.log(game.reference[rows])
    log_policy = log_softmax(log_reference + _features(game)[rows] @ theta, axis=-1)
    policy = np.exp(log_policy)
    advantage = game.rewards[rows] - game.beta * (log_policy - log_reference)
    value = (policy * advantage).sum(-1)
    return game.offset[rows] - value, -policy * (advantage - value[:, None])


def best_response(game: RegretGame, creator: Floats, policy: Floats) -> Floats:
    """The table (K, M) of least E_mu Reg_beta that descent finds.

    From ``policy``, and, cooled, from the reference and the ``STARTS``. ValueError if
    ``policy`` is not of the class.
    """
    rows = np.flatnonzero(creator)
    mass = creator[rows]

    def weigh(payoffs: Floats) -> tuple[float, Floats]:
        return float(mass @ payoffs), mass

    cooled = [_cool(game, rows, lambda _: weigh, theta) for theta in _starts(game, rows, mass)]
    ends = [_descend(game, rows, weigh, at) for at in (_theta_of(game, policy), *cooled)]
    tables = [_policy(game, theta) for theta in ends]
    return min(tables, key=lambda table: float(creator @ game.payoffs(table)))


def minimax(game: RegretGame) -> tuple[Floats, Floats]:
    """The table (K, M) of least worst-case regret that descent finds, after a mu (K,).

    Descent of t logsumexp(Reg / t) as t cools; mu is its derivative at the end.
    """

    def weigh_at(t: float) -> Weigh:
        def weigh(payoffs: Floats) -> tuple[float, Floats]:
            return float(t * np.logaddexp.reduce(payoffs / t)), softmax(payoffs / t)

        return weigh

    rows = game.prompts
    starts = _starts(game, rows, np.full(len(rows), 1 / len(rows)))
    tables = [_policy(game, _cool(game, rows, weigh_at, theta)) for theta in starts]
    solver = min(tables, key=game.worst_case)
    creator = np.zeros(len(game.rewards))
    creator[rows] = softmax(game.payoffs(solver)[rows] / (COOLING[-1] * game.spread))
    return creator, solver


def _cool(
    game: RegretGame, rows: Ints, weigh_at: Callable[[float], Weigh], theta: Floats
) -> Floats:
    for share in COOLING:
        t = share * game.spread
        theta = _descend(replace(game, beta=max(game.beta, t)), rows, weigh_at(t), theta)
    return theta


def _descend(game: RegretGame, rows: Ints, weigh: Weigh, theta: Floats) -> Floats:
    """A local minimum by L-BFGS, from theta (d, M), or what 150 iterations come to."""
    features = _features(game)[rows]

    def height(flat: Floats) -> tuple[float, Floats]:
        payoffs, slopes = payoffs_and_slopes(game, rows, flat.reshape(theta.shape))
        value, weights = weigh(payoffs)
        return value, (features.T @ (weights[:, None] * slopes)).ravel()

    options = {"maxiter": 150, "ftol": 1e-10, "gtol": 1e-9}
    found = minimize(height, theta.ravel(), jac=True, method="L-BFGS-B", options=options)
    return found.x.reshape(theta.shape)


def _starts(game: RegretGame, rows: Ints, mass: Floats) -> list[Floats]:
    """The reference, and optima as near as the class comes to them where ``mass`` (P,) is."""
    features, tilt = _features(game), game.rewards[rows] / game.spread
    near = [_fitted(features[rows], tilt / share, mass) for share in STARTS]
    return [np.zeros_like(near[0]), *near]


def _theta_of(game: RegretGame, policy: Floats) -> Floats:
    # The fit of the normalisers, one for each prompt, is the same for all responses.
    moved = np.log(np.maximum(policy, LEAST)) - np.log(game.reference)
    theta = _fitted(_features(game), moved, np.ones(len(moved)))
    gap = np.abs(_policy(game, theta) - policy).max()
    # Where a probability has underflown its logit is not known.
    if gap > 1e-6 and policy.min() > LEAST:
        raise ValueError(
            f"policy must be a table of rank {len(theta)} over the game's features, but "
            f"differs from those by {gap:.1g}; take the game of the world that it played"
        )
    return theta


def _fitted(features: Floats, logits: Floats, mass: Floats) -> Floats:
    """The theta whose logits are nearest, in squares weighted by ``mass`` (P,)."""
    weight = np.sqrt(mass)[:, None]
    return np.linalg.lstsq(weight * features, weight * logits)[0]


def _policy(game: RegretGame, theta: Floats) -> Floats:
    return softmax(np.log(game.reference) + _features(game) @ theta)


def _features(game: RegretGame) -> Floats:
    if game.features is None:
        raise ValueError("the game's solver is not of low rank: it has no features")
    return game.features
