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

from eva_env.tabular import ladder, partial_observability
from eva_env.tabular.ladder import BREADTH, DEPTH, OPERATORS, QUALITY
from eva_env.tabular.partial_observability import BLIND, Blind
from eva_env.tabular.reward import TabularReward
from eva_env.tabular.rules import TabularRules
from eva_env.types import Floats, Ints, RewardModel
from eva_env.world import Sizes, SoftmaxTable, World

__all__ = ["OPERATORS", "TabularReward", "TabularWorld"]


@dataclass(frozen=True)
class TabularWorld(World):
    """K = topics * levels * variants prompts, M responses: a ``Task`` over integers.

    Latent quality g (K, M) is Gaussian. Gold rewards Phi(g)^kappa lie in [0, 1], with kappa
    growing from 1 to 8 along the ladder; the reference policy is proportional to
    exp((skill - slope * level) g), so that it knows the first rungs and prefers wrong answers
    on the last. Easy prompts bore, the hardest show no reward in a few samples, and between
    them lies a frontier that moves as the solver learns. Human prompts are the first rungs.

    Held out, and rejected by ``valid``: variant 0, of which the others are near twins; with
    ``variants=1`` topic 0.

    The solver starts as a softmax table, ``reference_logits`` and ``features``, that sees every
    prompt: some solver is best on all of them. ``blind`` hides coordinates from it, so that the
    prompts of a cell (``cells``) share one law, and ``rank`` limits how finely it can answer:
    then ``eva_env.tabular.equilibrium`` is not trivial.

    Arrays are read-only, and the same fields give the same bytes.
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
        """Which prompts the solver cannot tell apart: the cell of each prompt, (K,)."""
        return read_only(np.arange(self.size) * math.prod(self._seen) // self.size)

    @cached_property
    def trainable(self) -> Ints:
        """Prompts that a creator may publish, increasing."""
        topic, _, variant = self.coordinates
        return read_only(np.flatnonzero(variant > 0 if self.variants > 1 else topic > 0))

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
        return read_only(gold)

    @cached_property
    def proxy(self) -> Floats:
        """Mean rewards (K, M) of the reward model in play: gold, but hackable ones get 1."""
        proxy = self.gold.copy()
        proxy[:, self.responses - self.hackable :] = 1.0
        return read_only(proxy)

    @cached_property
    def noise_std(self) -> Floats:
        """Standard deviation (K,) of the proxy's noise on each prompt's rewards."""
        noisy = self.topics if self.noisy_topics is None else self.noisy_topics
        return read_only(np.where(self.prompt_topics >= self.topics - noisy, self.noise, 0.0))

    @cached_property
    def reference_logits(self) -> Floats:
        """Log-probabilities (K, M), in nats, of the policy that solvers start from.

        In a cell of prompts that the solver cannot tell apart, the even mixture of their laws.
        """
        own = ladder.reference_logits(*self._draws, self.hackable)
        return read_only(partial_observability.mixed_logits(own, math.prod(self._seen)))

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
        return read_only(
            (partial_observability.low_rank(factor, self.rank) if self.rank else factor)[
                self.information_set
            ]
        )

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return self.topics, self.levels, self.variants

    @property
    def _seen(self) -> tuple[int, int, int]:
        return partial_observability.seen_sizes(self._sizes, self.blind)

    @cached_property
    def _draws(self) -> tuple[Floats, Floats]:
        """Latent quality (K, M), and the reference policy's skill on each prompt (K,)."""
        return ladder.draws(
            self._sizes, self.responses, self.drift, self.slope, self.world_seed
        )

    def reward_model(self, rewards: str = "proxy") -> TabularReward:
        """The game's dynamics: "proxy" with its noise, or "gold", which has none."""
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
        """Held-out prompts: the first two levels are ``easy``, the last three ``hard``."""
        return self._suites

    @cached_property
    def _suites(self) -> Mapping[str, Sequence[int]]:
        held_out = np.flatnonzero(~self._free)
        return {name: tuple(self._on(held_out, name).tolist()) for name in ("easy", "hard")}

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

    def complexity(self, prompt: int) -> float:
        """The prompt's level."""
        return float(self.prompt_levels[self._checked(prompt)])

    def valid(self, prompt: Any) -> bool:
        """Whether the prompt is an integer in 0 ... K-1 and not held out."""
        return self._known(prompt) and bool(self._free[prompt])

    def topic(self, prompt: int) -> str:
        """``topic0``, ``topic1``, ... ; ValueError for a prompt out of range."""
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
        """The operator's step on the ladder."""
        return OPERATORS[operator]

    def gold_reward(self) -> TabularReward:
        """The matrix of gold rewards."""
        return self.reward_model("gold")

    def proxy_reward(self) -> TabularReward:
        """The matrix of proxy rewards, with their noise."""
        return self.reward_model("proxy")

    def starting_policy(self) -> SoftmaxTable:
        """The reference policy as a softmax table."""
        return SoftmaxTable(self.reference_logits, self.features)

    def for_seed(self, seed: int) -> "TabularWorld":
        """A world with tables of its own, so that conclusions are not about one draw."""
        return replace(self, world_seed=self.world_seed + seed)

    def environment_options(self, reward_model: RewardModel, proposals: int) -> dict[str, Any]:
        """The world itself; a proposal has a logit for every prompt, drawn i.i.d."""
        return {"world": self, "reward": reward_model}

    def read_prompt(self, text: str) -> int:
        """The number of a prompt, held out or not; ValueError for anything else."""
        prompt = int(text) if text.isdecimal() else None
        if prompt is None or prompt >= self.size:
            raise ValueError(f"prompts are integers in 0 ... {self.size - 1}")
        return prompt

    def house_rules(self) -> TabularRules:
        """The board of prompts, and the range of responses."""
        return TabularRules(self)

    @cached_property
    def _free(self) -> NDArray[np.bool_]:
        return read_only(np.isin(np.arange(self.size), self.trainable))

    @cached_property
    def _rungs(self) -> Mapping[str, range]:
        """Levels by distribution; "easy" and "hard" are disjoint however short the ladder."""
        easy = range(min(2, self.levels - 1))
        hard = range(self.levels - max(1, min(3, self.levels - 2)), self.levels)
        every = range(self.levels)
        return {"human": easy, "easy": easy, "hard": hard, "uniform": every}

    def _on(self, prompts: Ints, distribution: str) -> Ints:
        return prompts[np.isin(self.prompt_levels[prompts], self._rungs[distribution])]

    def _known(self, prompt: Any) -> bool:
        return isinstance(prompt, int | np.integer) and bool(0 <= prompt < self.size)

    def _checked(self, prompt: int) -> int:
        if not self._known(prompt):
            limit = self.size - 1
            raise ValueError(f"prompt must be an integer in 0 ... {limit}, got {prompt!r}")
        return prompt


def read_only(array: Any) -> Any:
    """The array, read-only: it is cached and shared."""
    array.setflags(write=False)
    return array
