"""The skill ladder: a tabular world of topics, levels and variants.

Prompt ``(topic * levels + level) * variants + variant`` is an integer in 0 ... K-1, a
response an integer in 0 ... M-1, and every reward and reference probability is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eva_env.tabular.ladder import BREADTH, DEPTH, OPERATORS, QUALITY
from eva_env.tabular.reward import TabularReward
from eva_env.tabular.tables import Tables, fixed
from eva_env.types import Ints

__all__ = ["OPERATORS", "TabularReward", "TabularWorld"]


@dataclass(frozen=True)
class TabularWorld(Tables):
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

    def reward_model(self, rewards: str = "proxy") -> TabularReward:
        """The game's dynamics: "proxy" with its noise, or "gold", which has none."""
        if rewards not in ("proxy", "gold"):
            raise ValueError(f"rewards must be 'proxy' or 'gold', got {rewards!r}")
        if rewards == "gold":
            return TabularReward(self.gold)
        noise = self.noise_std if self.noise_std.any() else None
        return TabularReward(self.proxy, noise, self.world_seed)

    # The task

    operators, depth, breadth, quality = OPERATORS, DEPTH, BREADTH, QUALITY
    """One level up or down, another topic, another variant; and which are of which kind."""

    @cached_property
    def suites(self) -> Mapping[str, Sequence[int]]:
        """Held-out prompts: the first two levels are ``easy``, the last three ``hard``."""
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

    @cached_property
    def _free(self) -> NDArray[np.bool_]:
        return fixed(np.isin(np.arange(self.size), self.trainable))

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
