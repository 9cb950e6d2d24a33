"""The skill ladder: a tabular world of topics, levels and variants.

Prompt ``(topic * levels + level) * variants + variant`` is an integer in 0 ... K-1, a
response an integer in 0 ... M-1, and every reward and reference probability is known.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eva_env.require import require
from eva_env.tabular import ladder, partial_observability
from eva_env.tabular.ladder import BREADTH, DEPTH, OPERATORS, QUALITY
from eva_env.tabular.partial_observability import BLIND, Blind
from eva_env.tabular.regret_game import RegretGame
from eva_env.tabular.reward import TabularReward
from eva_env.tabular.rules import TabularRules
from eva_env.types import Floats, Ints, RewardModel
from eva_env.world import Sizes, SoftmaxTable, World

__all__ = ["OPERATORS", "TabularReward", "TabularWorld"]


@dataclass(frozen=True)
class TabularWorld(World):
    """K = topics * levels * variants prompts, M responses: a ``Task`` over integers.

    Latent quality g (K, M) is Gaussian. Gold rewards are Phi(g)^kappa in [0, 1]; kappa grows
    from 1 to 8 with the level. The reference policy is proportional to
    exp((skill - slope * level) g): it solves the first levels and prefers wrong responses on
    the last. Easy prompts teach little, the hardest show no reward in a few samples, and the
    useful prompts between them move up as the solver learns. Human prompts come from the first
    two levels.

    ``valid`` rejects the held-out prompts: variant 0, whose rewards are close to those of the
    other variants, or topic 0 if ``variants=1``.

    The solver starts as a softmax table with ``reference_logits`` and ``features``. By default
    it distinguishes all prompts, so one policy is best on all of them. ``blind`` hides
    coordinates from it: the prompts of an ``information_set`` then share one policy. ``rank``
    limits its logits to a low-rank matrix. With either, ``eva_env.tabular.equilibrium`` is not
    trivial.

    Arrays are read-only, and the same fields give the same bytes.
    """

    topics: int = 6
    levels: int = 8
    variants: int = 3
    responses: int = 64
    """M, hackable ones included."""

    slope: float = 0.5
    """Skill that the reference policy loses per level; at 0 all levels are equally hard."""

    drift: float = 0.9
    """Correlation, in [0, 1], of the latent quality at neighbouring levels."""

    lengthscale: float = 2.0
    """Levels over which learning carries over in ``features``, by exp(-|dl|/lengthscale)."""

    noise: float = 0.0
    """Standard deviation of the proxy's Gaussian noise, in units of reward."""

    noisy_topics: int | None = None
    """Number of topics, counted from the last, that have this noise; None for all."""

    hackable: int = 0
    """Number of responses (the last ones) with proxy reward 1 and gold reward 0 everywhere."""

    world_seed: int = 0
    """Seed of the tables and of the proxy's noise (the method ``seed`` draws prompts)."""

    blind: Blind = "nothing"
    """Coordinate hidden from the solver: prompts that differ only in it share one policy.
    "level" also hides the variant, "all" hides everything."""

    rank: int | None = None
    """Rank of the solver's softmax table; None for the number of information sets."""

    def __post_init__(self) -> None:
        if self.blind not in BLIND:
            raise ValueError(f"blind must be one of {', '.join(BLIND)}, got {self.blind!r}")
        require(self, f"[{2 if self.variants == 1 else 1}, inf)", "topics")
        require(self, "[2, inf)", "levels")
        require(self, "[1, inf)", "variants")
        require(self, f"[{2 + self.hackable}, inf)", "responses")
        require(self, "[0, 1]", "drift")
        require(self, "[0, 100]", "slope")
        require(self, "[0, inf]", "lengthscale")
        require(self, "[0, inf)", "noise")
        require(self, f"[0, {0.5 / ladder.HACK_MASS:g}]", "hackable")
        require(self, f"[0, {self.topics}]", "noisy_topics")
        require(self, f"[1, {math.prod(self._seen)}]", "rank")

    # Prompts

    @property
    def size(self) -> int:
        """K, the number of prompts, including the held-out ones."""
        return self.topics * self.levels * self.variants

    @cached_property
    def coordinates(self) -> Ints:
        """Return the topic, level and variant of each prompt, (3, K)."""
        return read_only(np.indices(self._sizes).reshape(3, -1))

    @property
    def prompt_topics(self) -> Ints:
        """Topic of each prompt, (K,)."""
        return self.coordinates[0]

    @property
    def prompt_levels(self) -> Ints:
        """Level of each prompt, (K,); 0 is the easiest."""
        return self.coordinates[1]

    @cached_property
    def information_set(self) -> Ints:
        """Return the information set of each prompt as an id, (K,) ints from 0.

        As in extensive-form games, the solver cannot distinguish prompts of one information
        set, so it responds to them with the same policy.
        """
        return read_only(np.arange(self.size) * math.prod(self._seen) // self.size)

    @cached_property
    def trainable(self) -> Ints:
        """Return the prompts that a creator may publish, in ascending order."""
        topic, _, variant = self.coordinates
        return read_only(np.flatnonzero(variant > 0 if self.variants > 1 else topic > 0))

    @cached_property
    def neighbours(self) -> tuple[Mapping[str, tuple[int, ...]], ...]:
        """Return the prompt graph: for each prompt, the prompts each operator may give.

        The operators give trainable prompts only, also from a held-out prompt.
        """
        return ladder.prompt_graph(self.coordinates, self.trainable)

    # Tables

    @cached_property
    def gold(self) -> Floats:
        """Return the gold rewards (K, M) in [0, 1]; hackable responses get 0."""
        gold = ladder.gold_rewards(self._draws[0], self.prompt_levels)
        gold[:, self.responses - self.hackable :] = 0.0
        return read_only(gold)

    @cached_property
    def proxy(self) -> Floats:
        """Return the proxy's mean rewards (K, M): gold, but hackable responses get 1."""
        proxy = self.gold.copy()
        proxy[:, self.responses - self.hackable :] = 1.0
        return read_only(proxy)

    @cached_property
    def noise_std(self) -> Floats:
        """Return the standard deviation (K,) of the proxy's noise on each prompt."""
        noisy = self.topics if self.noisy_topics is None else self.noisy_topics
        return read_only(np.where(self.prompt_topics >= self.topics - noisy, self.noise, 0.0))

    @cached_property
    def reference_logits(self) -> Floats:
        """Return the log-probabilities (K, M), in nats, of the solvers' starting policy.

        On an information set it is the even mixture of the prompts' reference policies.
        """
        by_prompt = ladder.reference_logits(*self._draws, self.hackable)
        return read_only(partial_observability.mixed_logits(by_prompt, math.prod(self._seen)))

    @cached_property
    def features(self) -> Floats:
        """Return the features (K, d) of a softmax table whose learning carries to neighbours.

        ``features @ features.T`` is the kernel exp(-|dl|/lengthscale), times 0.3 across topics
        and 0.9 across variants: a gradient step on one prompt moves the logits of another by
        that fraction. Within an information set the fraction is 1, so d is the number of
        information sets. With a ``rank``, d = rank, and the kernel is the best approximation
        of that rank.
        """
        carry = math.exp(-1 / self.lengthscale) if self.lengthscale else 0.0
        topic, variant = ladder.TOPIC_TRANSFER, ladder.VARIANT_TRANSFER
        factor = ladder.correlation_factor(self._seen, topic, carry, variant)
        if self.rank:
            factor = partial_observability.low_rank(factor, self.rank)
        return read_only(factor[self.information_set])

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return self.topics, self.levels, self.variants

    @property
    def _seen(self) -> tuple[int, int, int]:
        return partial_observability.seen_sizes(self._sizes, self.blind)

    @cached_property
    def _draws(self) -> tuple[Floats, Floats]:
        """Return the latent quality (K, M) and the reference policy's skill (K,)."""
        return ladder.draws(
            self._sizes, self.responses, self.drift, self.slope, self.world_seed
        )

    def reward_model(self, rewards: str = "proxy") -> TabularReward:
        """Return the reward model of the game: "proxy" with its noise, or noiseless "gold"."""
        if rewards not in ("proxy", "gold"):
            raise ValueError(f"rewards must be 'proxy' or 'gold', got {rewards!r}")
        if rewards == "gold":
            return TabularReward(self.gold)
        noise = self.noise_std if self.noise_std.any() else None
        return TabularReward(self.proxy, noise, self.world_seed)

    # The task

    depth, breadth, quality = DEPTH, BREADTH, QUALITY
    """One level up or down, another topic, another variant; and which are of which kind."""

    @property
    def operators(self) -> tuple[str, ...]:
        """One level up or down, another topic, another variant."""
        return tuple(OPERATORS)

    @property
    def suites(self) -> Mapping[str, Sequence[int]]:
        """Return the held-out prompts: ``easy`` (first two levels), ``hard`` (last three)."""
        return self._suites

    @cached_property
    def _suites(self) -> Mapping[str, Sequence[int]]:
        held_out = np.flatnonzero(~self._is_trainable)
        return {name: tuple(self._on(held_out, name).tolist()) for name in ("easy", "hard")}

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[int]:
        """Draw n trainable prompts uniformly, with replacement.

        From the first two levels ("human" and "easy"), the last three ("hard", for an oracle)
        or all levels ("uniform"). ValueError for another distribution.
        """
        if distribution not in self._levels_of:
            names = ", ".join(self._levels_of)
            raise ValueError(f"unknown distribution {distribution!r}; known: {names}")
        return rng.choice(self._on(self.trainable, distribution), n).tolist()

    def mutate(self, prompt: int, operator: str, rng: np.random.Generator) -> int | None:
        """Draw a neighbour by one operator; None if the prompt has none in that direction."""
        if operator not in OPERATORS:
            raise ValueError(f"unknown operator {operator!r}; known: {', '.join(OPERATORS)}")
        targets = self.neighbours[self._checked(prompt)][operator]
        return targets[rng.integers(len(targets))] if targets else None

    def complexity(self, prompt: int) -> float:
        """Return the prompt's level."""
        return float(self.prompt_levels[self._checked(prompt)])

    def valid(self, prompt: Any) -> bool:
        """Return True for an integer in 0 ... K-1 that is not held out."""
        return self._in_range(prompt) and bool(self._is_trainable[prompt])

    def topic(self, prompt: int) -> str:
        """Return ``topic0``, ``topic1``, ...; ValueError for a prompt out of range."""
        return f"topic{self.prompt_topics[self._checked(prompt)]}"

    # The world

    sizes = Sizes(
        rounds=30,
        prompts=32,
        samples=6,
        seeds=20,
        evaluate_every=5,
        evaluation_samples=16,
        lr=400.0,
    )
    environment = "eva/Tabular-v0"
    broad_distribution = "uniform"
    proxy_can_pass = True

    def describe_operator(self, operator: str) -> str:
        """Return the operator's step on the ladder."""
        return OPERATORS[operator]

    def gold_reward(self) -> TabularReward:
        """Return the matrix of gold rewards."""
        return self.reward_model("gold")

    def proxy_reward(self) -> TabularReward:
        """Return the matrix of proxy rewards, with their noise."""
        return self.reward_model("proxy")

    def starting_policy(self) -> SoftmaxTable:
        """Return the reference policy as a softmax table."""
        return SoftmaxTable(self.reference_logits, self.features)

    def for_seed(self, seed: int) -> "TabularWorld":
        """Return the world with other tables, so that conclusions are not about one draw."""
        return replace(self, world_seed=self.world_seed + seed)

    def environment_options(self, reward_model: RewardModel, proposals: int) -> dict[str, Any]:
        """Return the world and the reward; prompts are drawn i.i.d. by logits (K,)."""
        return {"world": self, "reward": reward_model}

    def read_prompt(self, text: str) -> int:
        """Return the number of a prompt, held out or not; ValueError for anything else."""
        prompt = int(text) if text.isdecimal() else None
        if prompt is None or prompt >= self.size:
            raise ValueError(f"prompts are integers in 0 ... {self.size - 1}")
        return prompt

    def regret_game(self) -> RegretGame:
        """Return the game of the gold rewards, in which everything is exact."""
        tables: Any = self  # cached properties are no properties to the type checker
        return RegretGame.of_world(tables)

    def house_rules(self) -> TabularRules:
        """Return the prompts by topic and level, and the range of responses."""
        return TabularRules(self)

    @cached_property
    def _is_trainable(self) -> NDArray[np.bool_]:
        return read_only(np.isin(np.arange(self.size), self.trainable))

    @cached_property
    def _levels_of(self) -> Mapping[str, range]:
        """Return the levels of each distribution; "easy" and "hard" never share a level."""
        easy = range(min(2, self.levels - 1))
        hard = range(self.levels - max(1, min(3, self.levels - 2)), self.levels)
        return {"human": easy, "easy": easy, "hard": hard, "uniform": range(self.levels)}

    def _on(self, prompts: Ints, distribution: str) -> Ints:
        return prompts[np.isin(self.prompt_levels[prompts], self._levels_of[distribution])]

    def _in_range(self, prompt: Any) -> bool:
        return isinstance(prompt, int | np.integer) and bool(0 <= prompt < self.size)

    def _checked(self, prompt: int) -> int:
        if not self._in_range(prompt):
            limit = self.size - 1
            raise ValueError(f"prompt must be an integer in 0 ... {limit}, got {prompt!r}")
        return prompt


def read_only(array: Any) -> Any:
    """Return the array after making it read-only: it is cached and shared."""
    array.setflags(write=False)
    return array
