"""The settings of a skill ladder, and its tables."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eva_env.tabular import ladder, sight
from eva_env.tabular.sight import BLIND, Blind
from eva_env.types import Floats, Ints


@dataclass(frozen=True)
class Tables:
    """Prompts, rewards and the starting table of ``eva_env.tabular.world.TabularWorld``."""

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
    """Seed of the tables and of the proxy's noise (``seed`` is the method that draws)."""

    blind: Blind = "nothing"
    """What the solver cannot see: prompts alike but for it share one law. "level" hides the
    variant too, "all" everything."""

    rank: int | None = None
    """Rank of the solver's softmax table; None for that of the cells it can tell apart."""

    def __post_init__(self) -> None:
        if self.blind not in BLIND:
            raise ValueError(f"blind must be one of {', '.join(BLIND)}, got {self.blind!r}")
        bounds: dict[str, tuple[float, float]] = {
            "topics": (2 if self.variants == 1 else 1, math.inf),
            "levels": (2, math.inf),
            "variants": (1, math.inf),
            "responses": (2 + self.hackable, math.inf),
            "drift": (0, 1),
            "slope": (0, 100),
            "lengthscale": (0, math.inf),
            "noise": (0, np.finfo(np.float64).max),
            "hackable": (0, 0.5 / ladder.HACK_MASS),
        }
        if self.noisy_topics is not None:
            bounds["noisy_topics"] = (0, self.topics)
        if self.rank is not None:
            bounds["rank"] = (1, math.prod(self._seen))
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be in {low:g} ... {high:g}, got {value}")

    # Prompts

    @property
    def size(self) -> int:
        """K, the number of prompts, held-out ones included."""
        return self.topics * self.levels * self.variants

    @cached_property
    def coordinates(self) -> Ints:
        """Topic, level and variant of each prompt, (3, K)."""
        return fixed(np.indices(self._sizes).reshape(3, -1))

    @property
    def prompt_topics(self) -> Ints:
        """Topic of each prompt, (K,)."""
        return self.coordinates[0]

    @property
    def prompt_levels(self) -> Ints:
        """Level of each prompt, (K,); 0 is the easiest."""
        return self.coordinates[1]

    @cached_property
    def cells(self) -> Ints:
        """Which prompts the solver cannot tell apart: the cell of each prompt, (K,)."""
        return fixed(np.arange(self.size) * math.prod(self._seen) // self.size)

    @cached_property
    def trainable(self) -> Ints:
        """Prompts that a creator may publish, increasing."""
        topic, _, variant = self.coordinates
        return fixed(np.flatnonzero(variant > 0 if self.variants > 1 else topic > 0))

    @cached_property
    def neighbours(self) -> tuple[Mapping[str, tuple[int, ...]], ...]:
        """The prompt graph: for each prompt, what each operator may give, held out or not."""
        return ladder.prompt_graph(self.coordinates, self.trainable)

    # Tables

    @cached_property
    def gold(self) -> Floats:
        """Rewards (K, M) in [0, 1] that the world is about; hackable responses get 0."""
        gold = ladder.gold_rewards(self._draws[0], self.prompt_levels)
        gold[:, self.responses - self.hackable :] = 0.0
        return fixed(gold)

    @cached_property
    def proxy(self) -> Floats:
        """Mean rewards (K, M) of the reward model in play: gold, but hackable ones get 1."""
        proxy = self.gold.copy()
        proxy[:, self.responses - self.hackable :] = 1.0
        return fixed(proxy)

    @cached_property
    def noise_std(self) -> Floats:
        """Standard deviation (K,) of the proxy's noise on each prompt's rewards."""
        noisy = self.topics if self.noisy_topics is None else self.noisy_topics
        return fixed(np.where(self.prompt_topics >= self.topics - noisy, self.noise, 0.0))

    @cached_property
    def reference_logits(self) -> Floats:
        """Log-probabilities (K, M), in nats, of the policy that solvers start from.

        In a cell of prompts that the solver cannot tell apart, the even mixture of their laws.
        """
        own = ladder.reference_logits(*self._draws, self.hackable)
        return fixed(sight.mixed_logits(own, math.prod(self._seen)))

    @cached_property
    def features(self) -> Floats:
        """Features (K, d) of a softmax table whose learning carries to neighbours.

        ``features @ features.T`` is the kernel exp(-|dl|/lengthscale), times 0.3 across topics
        and 0.9 across variants: a gradient step on one prompt moves the logits of another by
        that fraction. Across what the solver is blind to all carries, so that d is the number
        of cells; with a ``rank``, the best approximation of the kernel with d = rank.
        """
        carry = math.exp(-1 / self.lengthscale) if self.lengthscale else 0.0
        topic, variant = ladder.TOPIC_TRANSFER, ladder.VARIANT_TRANSFER
        factor = ladder.correlation_factor(self._seen, topic, carry, variant)
        return fixed((sight.low_rank(factor, self.rank) if self.rank else factor)[self.cells])

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return self.topics, self.levels, self.variants

    @property
    def _seen(self) -> tuple[int, int, int]:
        return sight.seen_sizes(self._sizes, self.blind)

    @cached_property
    def _draws(self) -> tuple[Floats, Floats]:
        """Latent quality (K, M), and the reference policy's skill on each prompt (K,)."""
        return ladder.draws(
            self._sizes, self.responses, self.drift, self.slope, self.world_seed
        )


def fixed(array: Any) -> Any:
    """The array, read-only: it is cached and shared."""
    array.setflags(write=False)
    return array
