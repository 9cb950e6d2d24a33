"""Distributions over finite sets: softmax, KL, the Gibbs optimum, and draws."""

import math

import numpy as np

from eva_env.types import Floats, Ints


def softmax(logits: Floats) -> Floats:
    """Return exp(logits) normalised over the last axis."""
    weights = np.exp(logits - np.maximum.reduce(logits, -1, keepdims=True))
    return weights / np.add.reduce(weights, -1, keepdims=True)


def draw_iid(probabilities: Floats, uniforms: Floats) -> Ints:
    """Draw indices by inverse CDF: (K,) probabilities, (B,) uniforms in [0, 1) -> (B,)."""
    cdf = probabilities.cumsum()
    # Rounding can lift a uniform to the end of the CDF, where no index has probability.
    end = float(cdf[-1])
    return cdf.searchsorted(np.minimum(uniforms * end, math.nextafter(end, 0.0)), "right")


def draw_without_replacement(
    probabilities: Floats, size: int, rng: np.random.Generator
) -> Ints:
    """Draw ``size`` indices successively without replacement, by the Gumbel top-k trick.

    Kool et al. 2019 (arXiv 1903.06059), Sec. 2.3. If fewer than ``size`` indices have positive
    probability, each of them is drawn once and the draw starts over.
    """
    support = np.flatnonzero(probabilities)
    drawn: list[Ints] = []
    missing = size
    while missing > 0:
        keys = np.log(probabilities[support]) + rng.gumbel(size=len(support))
        top = support[np.argsort(-keys, kind="stable")[:missing]]
        drawn.append(top)
        missing -= len(top)
    return np.concatenate(drawn)


def kl(policy: Floats, reference: Floats) -> Floats:
    """KL(pi || reference) in nats over the last axis; inf where only pi has mass."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(policy > 0, np.log(policy) - np.log(reference), 0.0)
    return (np.where(policy > 0, policy, 0.0) * ratio).sum(-1)


def optimal_policy(rewards: Floats, reference: Floats, beta: float) -> Floats:
    """Return pi*_beta, proportional to reference exp(r / beta), (K, M).

    At beta = 0 the limit: the reference restricted to the best responses in its support.
    """
    top = np.where(reference > 0, rewards, -np.inf).max(-1, keepdims=True)
    gap = np.where(reference > 0, rewards - top, -np.inf)
    tilt = np.exp(gap / beta) if temperature(beta) else (gap == 0).astype(np.float64)
    weights = reference * tilt
    return weights / weights.sum(-1, keepdims=True)


def gibbs(scores: Floats, prior: Floats, alpha: float) -> Floats:
    """Return the Gibbs distribution mu, (K,), proportional to prior exp(score / alpha).

    It maximises mu . score - alpha KL(mu || prior); ``eva_env.tabular.exact.optimal_value``
    is the maximum.
    """
    return optimal_policy(scores, prior, alpha)


def normal_cdf(values: Floats) -> Floats:
    """Return Phi, the standard normal CDF, elementwise."""
    return 0.5 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))


def temperature(beta: float) -> float:
    """Return ``beta``; raise ValueError unless it is finite and not negative."""
    if not 0 <= beta < np.inf:
        raise ValueError(f"beta must be finite and not negative, got {beta}")
    return beta
