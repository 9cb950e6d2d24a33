"""The numbers behind the skill ladder: correlated Gaussians, rewards, the prompt graph."""

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
"""Operators by kind, for creators that use only some."""

SKILL, SKILL_SPREAD = 2.2, 0.25
"""Inverse temperature of the reference policy at level 0, and its relative spread."""

SHARPNESS = 8.0
"""Exponent of the rewards at the top level; 1 at level 0, geometric in between."""

HACK_MASS = 0.002
"""Reference probability of each hackable response."""

TOPIC_CORRELATION, VARIANT_CORRELATION = 0.2, 0.8
"""How alike the rewards of two topics, and of two variants, are."""

TOPIC_TRANSFER, VARIANT_TRANSFER = 0.3, 0.9
"""How much of what is learned on a topic or a variant carries over to another."""


def correlation_factor(
    sizes: tuple[int, int, int], topic: float, level: float, variant: float
) -> Floats:
    """A square root (K, K) of the product of the correlations along the three coordinates.

    Topics and variants are equicorrelated; levels are an AR(1), level^|difference|.
    """
    topics, levels, variants = sizes
    return np.kron(
        np.kron(_equal(topics, topic), _autoregressive(levels, level)),
        _equal(variants, variant),
    )


def draws(
    sizes: tuple[int, int, int], responses: int, drift: float, slope: float, seed: int
) -> tuple[Floats, Floats]:
    """Latent quality (K, M), and the reference policy's skill on each prompt (K,)."""
    topic, level, _ = np.indices(sizes).reshape(3, -1)
    rng = stream(seed, *b"tables")
    factor = correlation_factor(sizes, TOPIC_CORRELATION, drift, VARIANT_CORRELATION)
    quality = factor @ rng.standard_normal((len(level), responses))
    start = SKILL * (1 + SKILL_SPREAD * rng.uniform(-1, 1, sizes[:2]))
    return quality, start[topic, level] - slope * level


def gold_rewards(quality: Floats, level: Ints) -> Floats:
    """Phi(g)^kappa, (K, M) in [0, 1]; kappa is geometric in the level (K,), 1 to 8."""
    kappa = SHARPNESS ** (level / level.max())
    return normal_cdf(quality) ** kappa[:, None]


def reference_logits(quality: Floats, skill: Floats, hackable: int) -> Floats:
    """Log-probabilities (K, M) of exp(skill g), with 0.002 set aside for each hackable one."""
    honest = skill[:, None] * quality[:, : quality.shape[1] - hackable]
    honest -= honest.max(-1, keepdims=True)
    honest -= np.log(np.exp(honest).sum(-1, keepdims=True))
    honest += math.log1p(-HACK_MASS * hackable)
    hacks = np.full((len(quality), hackable), math.log(HACK_MASS))
    return np.concatenate([honest, hacks], axis=1)


def prompt_graph(
    coordinates: Ints, trainable: Sequence[int] | Ints
) -> tuple[Mapping[str, tuple[int, ...]], ...]:
    """For each prompt of ``coordinates`` (3, K), the trainable prompts an operator may give."""
    topic, level, variant = coordinates
    free = np.isin(np.arange(len(topic)), trainable)
    rows = []
    for t, rung, v in coordinates.T:
        ladder = free & (topic == t) & (variant == v)
        aside = free & (level == rung)
        edges = {
            "up": ladder & (level == rung + 1),
            "down": ladder & (level == rung - 1),
            "breadth_topic": aside & (topic != t) & (variant == v),
            "breadth_variant": aside & (topic == t) & (variant != v),
        }
        targets = {name: tuple(np.flatnonzero(to).tolist()) for name, to in edges.items()}
        rows.append(targets)
    return tuple(rows)


def _equal(n: int, correlation: float) -> Floats:
    """Cholesky factor (n, n) of a matrix with one correlation off the diagonal."""
    return np.linalg.cholesky(np.eye(n) * (1 - correlation) + correlation)


def _autoregressive(n: int, correlation: float) -> Floats:
    """Cholesky factor (n, n) of correlation^|i-j|, in closed form: 1 is allowed."""
    lag = np.subtract.outer(np.arange(n), np.arange(n))
    factor = np.where(lag >= 0, correlation ** np.maximum(lag, 0), 0.0)
    factor[:, 1:] *= math.sqrt(1 - correlation**2)
    return factor
