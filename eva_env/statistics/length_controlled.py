"""Win rates at equal length, after Dubois et al. 2024 (arXiv 2404.04475), AlpacaEval 2's.

Of every two players the outcome of a pair of answers (1 won, 1/2 tied, 0 lost) is regressed on

    logit P(won) = a + b tanh(words more than the other's / their standard deviation),

and sigmoid(a) is the win rate that answers of one length would have. This is the model
``length_controlled_minimal`` of the authors' code (alpaca_eval, metrics/glm_winrate.py). What
differs from their leaderboard:

- There is no term for the difficulty of an instruction, which they estimate from many models.
- All pairs of answers to a prompt count, not one; every prompt weighs the same.
- b alone is shrunk, by a fixed ridge: they put an L1 penalty, found by cross-validation, on all
  coefficients, a among them, and add data of baselines that game the length.
- Lengths are in words, theirs in characters.

Only a length difference that varies between pairs of answers has an effect that can be told
from the players' own: if one is always longer by as many words, or nearly, its win rate stays
as it is. Length that deserved its reward is controlled away with the rest.

Shape letters: P prompts, L players, K = L (L - 1) / 2 pairs of them, N pairs of answers to a
prompt, D draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from eva_env.statistics.logistic import newton
from eva_env.statistics.win_rates import Answers, check, is_coupled
from eva_env.types import Floats

RIDGE = 1e-3
"""Penalty on b^2 / 2, in nats per prompt: b stays finite where length parts won from lost."""


def length_controlled(players: Sequence[Answers]) -> Floats:
    """Win rate of each player against each other at equal length, (L, L) in [0, 1].

    The sum over a pair of players is 1, and 1/2 on the diagonal. It is the mean of
    ``win_matrix`` where all lengths are equal or one player wins every pair. ValueError
    without lengths, and as ``win_matrix``.
    """
    pairs = _pairs(players)
    return _matrix(pairs, _fit(pairs), len(players))


def length_controlled_draws(players: Sequence[Answers], counts: Floats) -> Floats:
    """The same of prompts drawn anew, which came up ``counts`` (D, P) times: (D, L, L).

    One step of Newton's method from the fit to all prompts: its error is of the order of the
    square of what a draw changes, and a thousand draws cost about as much as the fit. Lengths
    are scaled as for all prompts.
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
    """Pairs of answers: outcome, tanh of the scaled length difference, weight; (K, P, N) each.

    The weights of a prompt sum to 1. ``certain`` (K,) is the win rate of players that win or
    lose every pair, so that a would be infinite, and NaN of the others.
    """

    outcome: Floats
    longer: Floats
    weights: Floats
    certain: Floats


def _pairs(players: Sequence[Answers]) -> _Pairs:
    check(players)
    answers = sorted({own.rewards.shape[1] for own in players})
    if len(answers) > 1:
        raise ValueError(f"players must have the same number of answers, got {answers}")
    lengths = [own.lengths for own in players if own.lengths is not None]
    if len(lengths) < len(players):
        raise ValueError(
            f"{len(lengths)} of {len(players)} players have lengths; all need them"
        )
    weights = _every_two(np.multiply, [_law(own) for own in players])
    if is_coupled(players):
        n = players[0].rewards.shape[1]
        weights *= (1 - np.eye(n)).ravel() * n / (n - 1)
    outcome = (np.sign(_every_two(np.subtract, [own.rewards for own in players])) + 1) / 2
    lost, won = (((outcome == value) | (weights == 0)).all((1, 2)) for value in (0, 1))
    outcome[lost | won] = 0.5
    longer = _scaled(_every_two(np.subtract, lengths), weights)
    return _Pairs(outcome, longer, weights, np.select([lost, won], [0.0, 1.0], np.nan))


def _every_two(function: np.ufunc, values: Sequence[Floats]) -> Floats:
    """A function of every two answers of every two players to a prompt, (K, P, N)."""
    one, other = (np.stack(values)[i] for i in np.triu_indices(len(values), 1))
    return function(one[..., :, None], other[..., None, :]).reshape(*one.shape[:2], -1)


def _law(own: Answers) -> Floats:
    if own.weights is not None:
        return own.weights
    return np.full(own.rewards.shape, 1 / own.rewards.shape[1])


def _scaled(lengths: Floats, weights: Floats) -> Floats:
    """tanh of length differences over their standard deviation, 0 if they are all the same."""
    mean = np.einsum("kpn,kpn->k", weights, lengths) / lengths.shape[1]
    centred = lengths - mean[:, None, None]
    variance = np.einsum("kpn,kpn,kpn->k", weights, centred, centred) / lengths.shape[1]
    # A deviation of less than a billionth of a word is rounding.
    scale = np.where(variance > 1e-18, np.sqrt(variance), np.inf)
    return np.tanh(lengths / scale[:, None, None])


def _fit(pairs: _Pairs) -> Floats:
    """Coefficients a and b, (K, 2)."""
    mean = np.einsum("kpn,kpn->k", pairs.weights, pairs.outcome) / pairs.outcome.shape[1]
    start = np.stack([logit(np.clip(mean, 1e-9, 1 - 1e-9)), np.zeros_like(mean)], axis=-1)

    def derivatives(coefficients: Floats) -> tuple[Floats, Floats]:
        gradient, information = (part.mean(1) for part in _by_prompt(pairs, coefficients))
        return _ridge(coefficients, gradient, information)

    return newton(derivatives, start)


def _by_prompt(pairs: _Pairs, coefficients: Floats) -> tuple[Floats, Floats]:
    """Gradient (K, P, 2) and information (K, P, 2, 2) of each prompt's log-likelihood."""
    a, b = coefficients.T[..., None, None]
    logits = a + b * pairs.longer
    won, lost = expit(logits), expit(-logits)
    residual = pairs.weights * (pairs.outcome * lost - (1 - pairs.outcome) * won)
    curvature = pairs.weights * won * lost
    tilted = curvature * pairs.longer
    gradient = np.stack([residual.sum(-1), _dot(residual, pairs.longer)], axis=-1)
    cross = tilted.sum(-1)
    information = [[curvature.sum(-1), cross], [cross, _dot(tilted, pairs.longer)]]
    return gradient, np.moveaxis(np.array(information), (0, 1), (-2, -1))


def _dot(one: Floats, other: Floats) -> Floats:
    return np.einsum("kpn,kpn->kp", one, other)


def _ridge(
    coefficients: Floats, gradient: Floats, information: Floats
) -> tuple[Floats, Floats]:
    """Derivatives of the log-likelihood less the penalty on b."""
    penalty = np.array([0.0, RIDGE])
    return gradient - penalty * coefficients, information + np.diag(penalty)


def _matrix(pairs: _Pairs, coefficients: Floats, size: int) -> Floats:
    """Win rates sigmoid(a) of pairs, (..., K, 2), as a matrix (..., L, L)."""
    rates = np.where(np.isnan(pairs.certain), expit(coefficients[..., 0]), pairs.certain)
    matrix = np.full((*rates.shape[:-1], size, size), 0.5)
    one, other = np.triu_indices(size, 1)
    matrix[..., one, other], matrix[..., other, one] = rates, 1 - rates
    return matrix
