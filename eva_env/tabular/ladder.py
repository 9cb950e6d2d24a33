"""The tables of the skill ladder: correlated Gaussians, rewards, the prompt graph."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from eva_env.distributions import normal_cdf
from eva_env.rewards.noise import stream
from eva_env.types import Floats, Ints

OPERATORS = {
    "up": "Depth: one level up the ladder.",
    "down": "One level down the ladder.",
    "breadth_topic": "Breadth: the same level of another topic.",
    "breadth_variant": "Breadth: another variant of the same topic and level.",
}
"""The rewrite operators, each with a line that describes it."""

DEPTH, BREADTH = ("up",), ("breadth_topic", "breadth_variant")
QUALITY = ("up", "breadth_variant")
"""Operators by kind, for creators that use only one kind."""

SKILL, SKILL_VARIATION = 2.2, 0.25
"""Inverse temperature of the reference policy at level 0, and its relative variation."""

SHARPNESS = 8.0
"""Exponent of the rewards at the top level; 1 at level 0, geometric in between."""

HACK_MASS = 0.002
"""Reference probability of each hackable response."""

TOPIC_CORRELATION, VARIANT_CORRELATION = 0.2, 0.8
"""Correlation of the latent quality between two topics, and between two variants."""

TOPIC_TRANSFER, VARIANT_TRANSFER = 0.3, 0.9
"""Share of a logit change on one topic, or variant, that carries over to another."""


def correlation_factor(
    sizes: tuple[int, int, int], topic: float, level: float, variant: float
) -> Floats:
    """Return a square root (K, K) of the product of the three coordinates' correlations.

    Topics and variants are equicorrelated; levels are AR(1), level^|difference|.
    """
    topics, levels, variants = sizes
    return np.kron(
        np.kron(_equal(topics, topic), _autoregressive(levels, level)),
        _equal(variants, variant),
    )


def draws(
    sizes: tuple[int, int, int], responses: int, drift: float, slope: float, seed: int
) -> tuple[Floats, Floats]:
    """Return the latent quality (K, M) and the reference policy's skill (K,)."""
    topic, level, _ = np.indices(sizes).reshape(3, -1)
    rng = stream(seed, *b"tables")
    factor = correlation_factor(sizes, TOPIC_CORRELATION, drift, VARIANT_CORRELATION)
    quality = factor @ rng.standard_normal((len(level), responses))
    start = SKILL * (1 + SKILL_VARIATION * rng.uniform(-1, 1, sizes[:2]))
    return quality, start[topic, level] - slope * level


def gold_rewards(quality: Floats, level: Ints) -> Floats:
    """Return Phi(g)^kappa, (K, M) in [0, 1]; kappa is geometric in the level (K,), 1 to 8."""
    kappa = SHARPNESS ** (level / level.max())
    return normal_cdf(quality) ** kappa[:, None]


def reference_logits(quality: Floats, skill: Floats, hackable: int) -> Floats:
    """Return log-probabilities (K, M) of exp(skill g); hackable responses get 0.002 each."""
    honest = skill[:, None] * quality[:, : quality.shape[1] - hackable]
    honest -= honest.max(-1, keepdims=True)
    honest -= np.log(np.exp(honest).sum(-1, keepdims=True))
    honest += math.log1p(-HACK_MASS * hackable)
    hacks = np.full((len(quality), hackable), math.log(HACK_MASS))
    return np.concatenate([honest, hacks], axis=1)


def prompt_graph(
    coordinates: Ints, trainable: Sequence[int] | Ints
) -> tuple[Mapping[str, tuple[int, ...]], ...]:
    """Return the trainable prompts that each operator may give, for each of K prompts.

    ``coordinates`` (3, K) are topic, level and variant.
    """
    topic, level, variant = coordinates
    is_trainable = np.isin(np.arange(len(topic)), trainable)
    graph = []
    for t, n, v in coordinates.T:
        same_ladder = is_trainable & (topic == t) & (variant == v)
        same_level = is_trainable & (level == n)
        edges = {
            "up": same_ladder & (level == n + 1),
            "down": same_ladder & (level == n - 1),
            "breadth_topic": same_level & (topic != t) & (variant == v),
            "breadth_variant": same_level & (topic == t) & (variant != v),
        }
        graph.append({name: tuple(np.flatnonzero(to).tolist()) for name, to in edges.items()})
    return tuple(graph)


def _equal(n: int, correlation: float) -> Floats:
    """Return the Cholesky factor (n, n) of a matrix with equal correlations."""
    return np.linalg.cholesky(np.eye(n) * (1 - correlation) + correlation)


def _autoregressive(n: int, correlation: float) -> Floats:
    """Return the Cholesky factor (n, n) of correlation^|i-j|.

    The closed form also holds for a correlation of 1, where the matrix is singular.
    """
    lag = np.subtract.outer(np.arange(n), np.arange(n))
    factor = np.where(lag >= 0, correlation ** np.maximum(lag, 0), 0.0)
    factor[:, 1:] *= math.sqrt(1 - correlation**2)
    return factor
