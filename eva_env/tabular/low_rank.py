"""Gradient descent on the regret of a low-rank softmax table, which is not convex.

Descent finds policies of the class, not necessarily the best one. So a best response bounds
NashConv from below, and a minimax policy bounds the value from above.
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
"""Temperatures of the policies that descent starts from, as shares of the rewards' range."""

COOLING = (0.1, 0.03, 0.01, 0.003, 0.001)
"""Temperatures of the stages of descent, in the same unit.

Without these stages descent stops on the plateaus of softmax.
"""

Weigh = Callable[[Floats], tuple[float, Floats]]
"""Maps payoffs (P,) to the objective that is minimised and its gradient (P,) by them."""


def payoffs_and_slopes(game: RegretGame, rows: Ints, theta: Floats) -> tuple[Floats, Floats]:
    """Return the regret (P,) of the prompts ``rows`` at theta (d, M), and its logit gradient.

    The gradient (P, M) is

    d Reg_beta / d logit_y = -pi_y (a_y - V_beta), with a = r - beta log(pi / pi_ref).
    """
    log_reference = np.log(game.reference[rows])
    log_policy = log_softmax(log_reference + _features(game)[rows] @ theta, axis=-1)
    policy = np.exp(log_policy)
    advantage = game.rewards[rows] - game.beta * (log_policy - log_reference)
    value = (policy * advantage).sum(-1)
    return game.offset[rows] - value, -policy * (advantage - value[:, None])


def best_response(game: RegretGame, creator: Floats, policy: Floats) -> Floats:
    """Return the table (K, M) of least E_mu Reg_beta that descent finds.

    ValueError if ``policy`` (K, M) is not in the class.
    """
    rows = np.flatnonzero(creator)
    mass = creator[rows]

    def weigh(payoffs: Floats) -> tuple[float, Floats]:
        return float(mass @ payoffs), mass

    # 1. Cool from the reference and from the ``STARTS``; ``policy`` needs no cooling.
    cooled = [_cool(game, rows, lambda _: weigh, theta) for theta in _starts(game, rows, mass)]
    # 2. Descend at the game's beta from each, and keep the best.
    minima = [_descend(game, rows, weigh, at) for at in (_theta_of(game, policy), *cooled)]
    tables = [_policy(game, theta) for theta in minima]
    return min(tables, key=lambda table: float(creator @ game.payoffs(table)))


def minimax(game: RegretGame) -> tuple[Floats, Floats]:
    """Return a mu (K,) and the table (K, M) of least worst-case regret that descent finds.

    Descent on t logsumexp(Reg / t), a smooth maximum, while t cools; mu is its gradient by the
    regrets at the last t.
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
    creator[rows] = softmax(game.payoffs(solver)[rows] / (COOLING[-1] * game.reward_range))
    return creator, solver


def _cool(
    game: RegretGame, rows: Ints, weigh_at: Callable[[float], Weigh], theta: Floats
) -> Floats:
    """Return theta after descent at each temperature of ``COOLING``, from high to low."""
    for share in COOLING:
        t = share * game.reward_range
        theta = _descend(replace(game, beta=max(game.beta, t)), rows, weigh_at(t), theta)
    return theta


def _descend(game: RegretGame, rows: Ints, weigh: Weigh, theta: Floats) -> Floats:
    """Return a local minimum by L-BFGS from theta (d, M), or the result of 150 iterations."""
    features = _features(game)[rows]

    def objective(flat: Floats) -> tuple[float, Floats]:
        payoffs, slopes = payoffs_and_slopes(game, rows, flat.reshape(theta.shape))
        value, weights = weigh(payoffs)
        return value, (features.T @ (weights[:, None] * slopes)).ravel()

    options = {"maxiter": 150, "ftol": 1e-10, "gtol": 1e-9}
    minimum = minimize(objective, theta.ravel(), jac=True, method="L-BFGS-B", options=options)
    return minimum.x.reshape(theta.shape)


def _starts(game: RegretGame, rows: Ints, mass: Floats) -> list[Floats]:
    """Return theta (d, M) of the reference, and fits to the Gibbs policies of ``STARTS``.

    The fits weigh the prompts ``rows`` by ``mass`` (P,).
    """
    features, scaled_rewards = _features(game), game.rewards[rows] / game.reward_range
    fits = [_fitted(features[rows], scaled_rewards / share, mass) for share in STARTS]
    return [np.zeros_like(fits[0]), *fits]


def _theta_of(game: RegretGame, policy: Floats) -> Floats:
    """Return the theta (d, M) of a policy; ValueError if the class does not contain it."""
    # The fit of the normalisers, one per prompt, adds the same number to all responses.
    moved = np.log(np.maximum(policy, LEAST)) - np.log(game.reference)
    theta = _fitted(_features(game), moved, np.ones(len(moved)))
    gap = np.abs(_policy(game, theta) - policy).max()
    # The logit of a probability that has underflowed is unknown.
    if gap > 1e-6 and policy.min() > LEAST:
        raise ValueError(
            f"policy must be a table of rank {len(theta)} over the game's features, but "
            f"differs from those by {gap:.1g}; take the game of the world it was trained on"
        )
    return theta


def _fitted(features: Floats, logits: Floats, mass: Floats) -> Floats:
    """Return the theta of the nearest logits, by least squares weighted with ``mass`` (P,)."""
    weight = np.sqrt(mass)[:, None]
    return np.linalg.lstsq(weight * features, weight * logits)[0]


def _policy(game: RegretGame, theta: Floats) -> Floats:
    return softmax(np.log(game.reference) + _features(game) @ theta)


def _features(game: RegretGame) -> Floats:
    if game.features is None:
        raise ValueError("the game's solver has no rank limit: features is None")
    return game.features
