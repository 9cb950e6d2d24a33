"""Softmax distributions and draws from them."""

import math

import numpy as np

from eva_env.types import Floats, Ints


def softmax(logits: Floats) -> Floats:
    """Probabilities over the last axis, float64."""
    weights = np.exp(logits - np.maximum.reduce(logits, -1, keepdims=True))
    return weights / np.add.reduce(weights, -1, keepdims=True)


def draw_iid(probabilities: Floats, uniforms: Floats) -> Ints:
    """Indices by inverse CDF: (K,) probabilities and (B,) uniforms in [0, 1) -> (B,)."""
    cdf = probabilities.cumsum()
    # Rounding may lift a uniform to the very end, past which nothing has probability.
    end = float(cdf[-1])
    return cdf.searchsorted(np.minimum(uniforms * end, math.nextafter(end, 0.0)), "right")


def draw_without_replacement(
    probabilities: Floats, size: int, rng: np.random.Generator
) -> Ints:
    """Successive weighted draws without replacement, by the Gumbel top-k trick.

    Kool et al. 2019 (arXiv 1903.06059), Sec. 2.3. When fewer than ``size`` entries have
    positive probability, all of them are taken and the draw starts over.
    """
    support = np.flatnonzero(probabilities)
    drawn: list[Ints] = []
    missing = size
    while missing > 0:
        keys = np.log(probabilities[support]) + rng.gumbel(size=len(support))
        take = support[np.argsort(-keys, kind="stable")[:missing]]
        drawn.append(take)
        missing -= len(take)
    return np.concatenate(drawn)
