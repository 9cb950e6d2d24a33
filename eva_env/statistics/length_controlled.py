"""Win rates at equal length, after Dubois et al. 2024 (arXiv 2404.04475), AlpacaEval 2's.

For every two players, a logistic regression models the outcome of a pair of responses (1 won,
1/2 tied, 0 lost),

    logit P(won) = a + b tanh(difference in words / standard deviation of the difference),

and sigmoid(a) is the win rate at equal length. This is the model ``length_controlled_minimal``
of the authors' code (alpaca_eval, metrics/glm_winrate.py). It differs from their leaderboard:

- It has no term for the difficulty of an instruction, which they estimate from many models.
- All pairs of responses to a prompt count, not one; every prompt has the same weight.
- Only b is shrunk, by a fixed ridge. They put an L1 penalty, chosen by cross-validation, on all
  coefficients including a, and add data of baselines that exploit length.
- Lengths are in words, theirs in characters.

The regression separates the effect of length from that of the players only if the difference in
length varies between pairs of responses: if one player is always longer by the same number of
words, or nearly, its win rate stays as it is. Length that deserved its reward is also removed.

Shape letters: P prompts, L players, K = L (L - 1) / 2 pairs of players, N pairs of responses to
a prompt, D draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from eva_env.statistics.logistic import newton
from eva_env.statistics.win_rates import PlayerResponses, is_coupled, require_comparable
from eva_env.types import Floats

RIDGE = 1e-3
"""Penalty on b^2 / 2, in nats per prompt: b stays finite where length decides the outcome."""


def length_controlled(players: Sequence[PlayerResponses]) -> Floats:
    """Return the win rate of each player against each other at equal length, (L, L) in [0, 1].

    The rates of a pair of players sum to 1; the diagonal is 1/2. If all lengths are equal, or
    one player wins every pair, it is the mean of ``win_matrix`` over prompts. ValueError
    without lengths, for players with different numbers of responses, and as ``win_matrix``.
    """
    pairs = _pairs(players)
    return _matrix(pairs, _fit(pairs), len(players))


def length_controlled_draws(players: Sequence[PlayerResponses], counts: Floats) -> Floats:
    """Return ``length_controlled`` of prompts drawn ``counts`` (D, P) times, (D, L, L).

    One step of Newton's method from the fit to all prompts: the error is of second order in the
    change, and a thousand draws cost about as much as the fit. The scale of the lengths remains
    that of all prompts.
    """
    pairs = _pairs(players)
    fit = _fit(pairs)
    weights = counts / counts.sum(-1, keepdims=True)
    gradient, information = (
        np.tensordot(weights, part, (1, 1)) for part in _by_prompt(pairs, fit)
    )
    gradient, information = _ridge(fit, gradient, information)
    step = np.linalg.solve(information, gradient[..., None])[..., 0]
    return _matrix(pairs, fit + step, len(players))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of responses: outcome, tanh of the scaled length difference, weight (K, P, N).

    The weights of a prompt sum to 1. ``certain`` (K,) is the win rate, 0 or 1, of players that
    lose or win every pair, for which a would be infinite; NaN for the others.
    """

    outcome: Floats
    longer: Floats
    weights: Floats
    certain: Floats


def _pairs(players: Sequence[PlayerResponses]) -> _Pairs:
    require_comparable(players)
    responses = sorted({player.rewards.shape[1] for player in players})
    if len(responses) > 1:
        raise ValueError(f"players must have the same number of responses, got {responses}")
    lengths = [player.lengths for player in players if player.lengths is not None]
    if len(lengths) < len(players):
        raise ValueError(
            f"{len(lengths)} of {len(players)} players have lengths; all need them"
        )
    # 1. Weigh the pairs: by their probability, or evenly without the coupled ones (i, i).
    weights = _every_two(np.multiply, [_probabilities(player) for player in players])
    if is_coupled(players):
        n = players[0].rewards.shape[1]
        weights *= (1 - np.eye(n)).ravel() * n / (n - 1)
    # 2. Set aside players that win or lose every pair; ties of 1/2 keep the others' fit finite.
    rewards = [player.rewards for player in players]
    outcome = (np.sign(_every_two(np.subtract, rewards)) + 1) / 2
    missing = np.isnan(outcome)
    if missing.any():  # pairs with a missing reward do not count
        weights = np.where(missing, 0.0, weights)
        weights /= weights.sum(-1, keepdims=True)
        outcome = np.where(missing, 0.5, outcome)
    lost, won = (((outcome == value) | (weights == 0)).all((1, 2)) for value in (0, 1))
    outcome[lost | won] = 0.5
    # 3. Scale the differences in length.
    longer = _scaled(_every_two(np.subtract, lengths), weights)
    return _Pairs(outcome, longer, weights, np.select([lost, won], [0.0, 1.0], np.nan))


def _every_two(function: np.ufunc, values: Sequence[Floats]) -> Floats:
    """Apply a function to every two responses of every two players to a prompt, (K, P, N)."""
    first, second = (np.stack(values)[i] for i in np.triu_indices(len(values), 1))
    return function(first[..., :, None], second[..., None, :]).reshape(*first.shape[:2], -1)


def _probabilities(player: PlayerResponses) -> Floats:
    """Return the weights (P, V) of the responses; draws have equal weight."""
    if player.weights is not None:
        return player.weights
    return np.full(player.rewards.shape, 1 / player.rewards.shape[1])


def _scaled(lengths: Floats, weights: Floats) -> Floats:
    """Return tanh of length differences over their standard deviation; 0 if that is 0."""
    mean = np.einsum("kpn,kpn->k", weights, lengths) / lengths.shape[1]
    centred = lengths - mean[:, None, None]
    variance = np.einsum("kpn,kpn,kpn->k", weights, centred, centred) / lengths.shape[1]
    # A standard deviation below a billionth of a word is a rounding error.
    scale = np.where(variance > 1e-18, np.sqrt(variance), np.inf)
    return np.tanh(lengths / scale[:, None, None])


def _fit(pairs: _Pairs) -> Floats:
    """Return the coefficients a and b, (K, 2)."""
    mean = np.einsum("kpn,kpn->k", pairs.weights, pairs.outcome) / pairs.outcome.shape[1]
    start = np.stack([logit(np.clip(mean, 1e-9, 1 - 1e-9)), np.zeros_like(mean)], axis=-1)

    def derivatives(coefficients: Floats) -> tuple[Floats, Floats]:
        gradient, information = (part.mean(1) for part in _by_prompt(pairs, coefficients))
        return _ridge(coefficients, gradient, information)

    return newton(derivatives, start)


def _by_prompt(pairs: _Pairs, coefficients: Floats) -> tuple[Floats, Floats]:
    """Return the gradient (K, P, 2) and information (K, P, 2, 2) of each prompt's likelihood.

    Of the log-likelihood sum_n w (y log p + (1 - y) log(1 - p)), p = sigmoid(a + b x): the
    gradient is the sum of w (y - p) (1, x), the information that of w p (1 - p) (1, x)(1, x)'.
    """
    a, b = coefficients.T[..., None, None]
    logits = a + b * pairs.longer
    won, lost = expit(logits), expit(-logits)
    # y (1 - p) - (1 - y) p is y - p without cancellation where p is close to 0 or 1.
    residual = pairs.weights * (pairs.outcome * lost - (1 - pairs.outcome) * won)
    curvature = pairs.weights * won * lost
    tilted = curvature * pairs.longer
    gradient = np.stack([residual.sum(-1), _dot(residual, pairs.longer)], axis=-1)
    cross = tilted.sum(-1)
    information = [[curvature.sum(-1), cross], [cross, _dot(tilted, pairs.longer)]]
    return gradient, np.moveaxis(np.array(information), (0, 1), (-2, -1))


def _dot(left: Floats, right: Floats) -> Floats:
    return np.einsum("kpn,kpn->kp", left, right)


def _ridge(
    coefficients: Floats, gradient: Floats, information: Floats
) -> tuple[Floats, Floats]:
    """Return the derivatives of the log-likelihood minus the penalty on b."""
    penalty = np.array([0.0, RIDGE])
    return gradient - penalty * coefficients, information + np.diag(penalty)


def _matrix(pairs: _Pairs, coefficients: Floats, size: int) -> Floats:
    """Return the win rates sigmoid(a) of coefficients (..., K, 2) as a matrix (..., L, L)."""
    rates = np.where(np.isnan(pairs.certain), expit(coefficients[..., 0]), pairs.certain)
    matrix = np.full((*rates.shape[:-1], size, size), 0.5)
    first, second = np.triu_indices(size, 1)
    matrix[..., first, second], matrix[..., second, first] = rates, 1 - rates
    return matrix
