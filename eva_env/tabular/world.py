"""The skill ladder: a tabular world of topics, levels and variants, and its reward model.

Prompt ``(topic * levels + level) * variants + variant`` is an integer in 0 ... K-1, a
response an integer in 0 ... M-1, and every reward and reference probability is known.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eva_env.types import Floats, Ints, Round

OPERATORS = ("up", "down", "breadth_topic", "breadth_variant")

SKILL, SKILL_SPREAD = 2.0, 0.25
"""Inverse temperature of the reference policy at level 0, and its relative spread."""

SHARPNESS = 8.0
"""Exponent of the rewards at the top level; 1 at level 0, geometric in between."""

TOPIC_CORRELATION, VARIANT_CORRELATION = 0.2, 0.8
"""How alike the rewards of two topics, and of two variants, are."""

TOPIC_TRANSFER, VARIANT_TRANSFER = 0.3, 0.9
"""How much of what is learned on a topic or a variant carries over to another."""

HACK_MASS = 0.002
"""Reference probability of each hackable response."""


@dataclass(frozen=True)
class TabularWorld:
    """K = topics * levels * variants prompts, M responses: a ``Task`` over integers.

    Latent quality g (K, M) is Gaussian. Gold rewards Phi(g)^kappa lie in [0, 1], with kappa
    growing from 1 to 8 along the ladder; the reference policy is proportional to
    exp((skill - slope * level) g), so that it knows the first rungs and prefers wrong answers
    on the last. Easy prompts bore, the hardest show no reward in a few samples, and between
    them lies a frontier that moves as the solver learns. Human prompts are the first rungs.

    Held out, and rejected by ``valid``: variant 0, of which the others are near twins; with
    ``variants=1`` topic 0. Arrays are read-only, and the same fields give the same bytes.
    """

    topics: int = 6
    levels: int = 8
    variants: int = 3
    responses: int = 64
    """M, hackable ones included."""

    slope: float = 0.5
    """Skill that the reference policy loses from a level to the next; 0 is a flat ladder."""

    drift: float = 0.9
    """Correlation, in [0, 1], of the latent quality at neighbouring levels."""

    lengthscale: float = 2.0
    """Levels over which learning carries in ``features``, by exp(-|dl|/lengthscale)."""

    noise: float = 0.0
    """Standard deviation of the proxy's Gaussian noise, in units of reward."""

    noisy_topics: int | None = None
    """How many topics, from the last one down, have that noise; None for all."""

    hackable: int = 0
    """Responses (the last ones) that the proxy scores 1 and gold 0, on every prompt."""

    world_seed: int = 0
    """Seed of the tables (``seed`` is the method that draws prompts), and of the noise."""

    def __post_init__(self) -> None:
        least = {"topics": 1 + (self.variants == 1), "levels": 2, "variants": 1}
        for name, bound in {**least, "responses": 2 + self.hackable, "hackable": 0}.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be at least {bound}, got {getattr(self, name)}")
        if not 0 <= self.drift <= 1:
            raise ValueError(f"drift must be a correlation in [0, 1], got {self.drift}")
        for name in ("lengthscale", "noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.noisy_topics is not None and not 0 <= self.noisy_topics <= self.topics:
            raise ValueError(
                f"noisy_topics must be in 0 ... {self.topics}, got {self.noisy_topics}"
            )

    # Prompts

    @property
    def size(self) -> int:
        """K, the number of prompts, held-out ones included."""
        return self.topics * self.levels * self.variants

    @cached_property
    def coordinates(self) -> Ints:
        """Topic, level and variant of each prompt, (3, K)."""
        return _fixed(np.indices((self.topics, self.levels, self.variants)).reshape(3, -1))

    @property
    def prompt_topics(self) -> Ints:
        """Topic of each prompt, (K,)."""
        return self.coordinates[0]

    @property
    def prompt_levels(self) -> Ints:
        """Level of each prompt, (K,); 0 is the easiest."""
        return self.coordinates[1]

    @cached_property
    def trainable(self) -> Ints:
        """Prompts that a creator may publish, increasing."""
        topic, _, variant = self.coordinates
        return _fixed(np.flatnonzero(variant > 0 if self.variants > 1 else topic > 0))

    @cached_property
    def _free(self) -> NDArray[np.bool_]:
        return _fixed(np.isin(np.arange(self.size), self.trainable))

    @cached_property
    def neighbours(self) -> tuple[Mapping[str, tuple[int, ...]], ...]:
        """The prompt graph: for each prompt, what each operator may give."""
        topic, level, variant = self.coordinates
        free = self._free
        rows = []
        for t, rung, v in self.coordinates.T:
            aside_topic = (topic != t) & (level == rung) & (variant == v)
            aside_variant = (topic == t) & (level == rung) & (variant != v)
            own = (topic == t) & (variant == v)
            steps = (
                own & (level == rung + 1),
                own & (level == rung - 1),
                aside_topic,
                aside_variant,
            )
            edges = (tuple(np.flatnonzero(step & free).tolist()) for step in steps)
            rows.append(MappingProxyType(dict(zip(OPERATORS, edges, strict=True))))
        return tuple(rows)

    # Tables

    @cached_property
    def _draws(self) -> tuple[Floats, Floats]:
        """Latent quality (K, M) and the reference policy's skill at each prompt (K,)."""
        rng = np.random.default_rng(self.world_seed)
        factor = self._factor(TOPIC_CORRELATION, self.drift, VARIANT_CORRELATION)
        quality = factor @ rng.standard_normal((self.size, self.responses))
        spread = 1 + SKILL_SPREAD * rng.uniform(-1, 1, (self.topics, self.levels))
        topic, level, _ = self.coordinates
        return quality, SKILL * spread[topic, level] - self.slope * level

    @cached_property
    def gold(self) -> Floats:
        """Rewards (K, M) in [0, 1] that the world is about; hackable responses get 0."""
        kappa = SHARPNESS ** (self.prompt_levels / (self.levels - 1))
        gold = _normal_cdf(self._draws[0]) ** kappa[:, None]
        gold[:, self.responses - self.hackable :] = 0.0
        return _fixed(gold)

    @cached_property
    def proxy(self) -> Floats:
        """Mean rewards (K, M) of the reward model in play: gold, but hackable ones get 1."""
        proxy = self.gold.copy()
        proxy[:, self.responses - self.hackable :] = 1.0
        return _fixed(proxy)

    @cached_property
    def noise_std(self) -> Floats:
        """Standard deviation (K,) of the proxy's noise on each prompt's rewards."""
        noisy = self.topics if self.noisy_topics is None else self.noisy_topics
        return _fixed(np.where(self.prompt_topics >= self.topics - noisy, self.noise, 0.0))

    @cached_property
    def reference_logits(self) -> Floats:
        """Log-probabilities (K, M) of the policy that every solver starts from, in nats."""
        quality, skill = self._draws
        honest = (skill[:, None] * quality)[:, : self.responses - self.hackable]
        honest -= np.log(np.exp(honest).sum(-1, keepdims=True))
        honest += math.log1p(-HACK_MASS * self.hackable)
        hacks = np.full((self.size, self.hackable), math.log(HACK_MASS))
        return _fixed(np.concatenate([honest, hacks], axis=1))

    @cached_property
    def features(self) -> Floats:
        """Features (K, K) of a table whose learning carries to neighbours.

        ``features @ features.T`` is the kernel exp(-|dl|/lengthscale), times 0.3 across topics
        and 0.9 across variants: a gradient step on one prompt moves the logits of another by
        that fraction.
        """
        carry = math.exp(-1 / self.lengthscale) if self.lengthscale else 0.0
        return _fixed(self._factor(TOPIC_TRANSFER, carry, VARIANT_TRANSFER))

    def reward_model(self, rewards: str = "proxy") -> "TabularReward":
        """The game's dynamics: "proxy" with its noise, or "gold", which has none."""
        if rewards not in ("proxy", "gold"):
            raise ValueError(f"rewards must be 'proxy' or 'gold', got {rewards!r}")
        if rewards == "gold":
            return TabularReward(self.gold)
        return TabularReward(
            self.proxy, self.noise_std if self.noise_std.any() else None, self.world_seed
        )

    def _factor(self, topic: float, level: float, variant: float) -> Floats:
        """A square root (K, K) of the product of three correlations; levels are an AR(1)."""
        return np.kron(
            np.kron(_equal(self.topics, topic), _autoregressive(self.levels, level)),
            _equal(self.variants, variant),
        )

    # The task

    @property
    def operators(self) -> tuple[str, ...]:
        """One level up or down, another topic, another variant."""
        return OPERATORS

    @cached_property
    def _rungs(self) -> Mapping[str, range]:
        """Levels by distribution; "easy" and "hard" are disjoint however short the ladder."""
        easy = range(min(2, self.levels - 1))
        hard = range(self.levels - max(1, min(3, self.levels - 2)), self.levels)
        every = range(self.levels)
        return MappingProxyType({"human": easy, "easy": easy, "hard": hard, "uniform": every})

    @cached_property
    def suites(self) -> Mapping[str, Sequence[int]]:
        """All held-out prompts of the first two levels, ``easy``, and the last three, ``hard``."""
        held_out = np.setdiff1d(np.arange(self.size), self.trainable)
        return MappingProxyType(
            {name: tuple(self._on(held_out, name).tolist()) for name in ("easy", "hard")}
        )

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[int]:
        """Draw n trainable prompts evenly, with repetition.

        From the first two levels ("human", and "easy" alike), the last three ("hard", for an
        oracle) or all of them ("uniform").
        """
        if distribution not in self._rungs:
            known = ", ".join(self._rungs)
            raise ValueError(f"unknown distribution {distribution!r}; known: {known}")
        return rng.choice(self._on(self.trainable, distribution), n).tolist()

    def mutate(self, prompt: int, operator: str, rng: np.random.Generator) -> int | None:
        """A neighbour by one operator; None at the ends of the ladder or without another."""
        if operator not in OPERATORS:
            raise ValueError(f"unknown operator {operator!r}; known: {', '.join(OPERATORS)}")
        targets = self.neighbours[self._checked(prompt)][operator]
        return targets[rng.integers(len(targets))] if targets else None

    def valid(self, prompt: Any) -> bool:
        """Whether the prompt is an integer in 0 ... K-1 and not held out."""
        return self._known(prompt) and bool(self._free[prompt])

    def topic(self, prompt: int) -> str:
        """``topic0``, ``topic1``, ... ; ValueError for a prompt out of range."""
        return f"topic{self.prompt_topics[self._checked(prompt)]}"

    def _known(self, prompt: Any) -> bool:
        return isinstance(prompt, int | np.integer) and bool(0 <= prompt < self.size)

    def _checked(self, prompt: int) -> int:
        if not self._known(prompt):
            raise ValueError(
                f"prompt must be an integer in 0 ... {self.size - 1}, got {prompt!r}"
            )
        return prompt

    def _on(self, prompts: Ints, distribution: str) -> Ints:
        return prompts[np.isin(self.prompt_levels[prompts], self._rungs[distribution])]


@dataclass(frozen=True, eq=False)
class TabularReward:
    """Looks up rewards in a matrix (K, M), and adds Gaussian noise where asked to.

    The noise is a pure function of ``seed``, the round ``index`` and the position in the
    batch, so that forks and resumed runs see the same. Ids are not checked here: the faces of
    the environment do that.
    """

    matrix: Floats
    noise_std: Floats | None = None
    """Standard deviation (K,) by prompt; None for no noise."""
    seed: int = 0
    index: int = 0

    def __call__(self, prompts: Sequence[int] | Ints, responses: Any) -> Floats:
        """Rewards (B, n) of the responses (B, n) to the prompts (B,)."""
        prompts = np.asarray(prompts)
        rewards = self.matrix[prompts[:, None], responses]
        if self.noise_std is not None:
            rng = np.random.default_rng([self.seed, self.index])
            rewards = rewards + self.noise_std[prompts, None] * rng.standard_normal(
                rewards.shape
            )
        return rewards

    def best(self, prompts: Sequence[int] | Ints) -> Floats:
        """Highest mean reward (B,) attainable on each prompt."""
        return self._best[np.asarray(prompts)]

    def advance(self, round: Round) -> "TabularReward":
        """The next round's model: the same one, unless noise must be drawn afresh."""
        return self if self.noise_std is None else replace(self, index=round.index + 1)

    @cached_property
    def _best(self) -> Floats:
        return self.matrix.max(-1)


def _fixed(array: Any) -> Any:
    """The array, read-only: it is cached and shared."""
    array.setflags(write=False)
    return array


def _equal(n: int, correlation: float) -> Floats:
    """Cholesky factor (n, n) of a matrix with one correlation off the diagonal."""
    return np.linalg.cholesky(np.eye(n) * (1 - correlation) + correlation)


def _autoregressive(n: int, correlation: float) -> Floats:
    """Cholesky factor (n, n) of correlation^|i-j|, in closed form: 1 is allowed."""
    lag = np.subtract.outer(np.arange(n), np.arange(n))
    factor = np.where(lag >= 0, correlation ** np.maximum(lag, 0), 0.0)
    factor[:, 1:] *= math.sqrt(1 - correlation**2)
    return factor


def _normal_cdf(values: Floats) -> Floats:
    return 0.5 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))
