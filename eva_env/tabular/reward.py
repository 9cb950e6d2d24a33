"""The reward model of a tabular world: a matrix, and noise if asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from eva_env.types import Floats, Ints, Round


def stream(seed: int, *key: int) -> np.random.Generator:
    """A generator of its own for each key, apart from ``default_rng(seed)`` and its spawn."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True, eq=False)
class TabularReward:
    """Looks rewards up in a matrix (K, M), and adds Gaussian noise where asked to.

    The noise is a pure function of ``seed``, the round ``index`` and the position in the
    batch, so that forks and resumed runs see the same, and so does a batch that is answered a
    second time (``Replay``). Ids are not checked here: the faces of
    the environment do that.
    """

    matrix: Floats
    """Mean rewards (K, M)."""

    noise_std: Floats | None = None
    """Standard deviation (K,) by prompt; None for no noise."""

    seed: int = 0
    """Seed of the noise."""

    index: int = 0
    """The round that the noise belongs to."""

    def __call__(self, prompts: Sequence[int] | Ints, responses: Any) -> Floats:
        """Rewards (B, n) of the responses (B, n) to the prompts (B,)."""
        prompts = np.asarray(prompts)
        rewards = self.matrix[prompts[:, None], responses]
        if self.noise_std is None:
            return rewards
        rng = stream(self.seed, *b"noise", self.index)
        return rewards + self.noise_std[prompts, None] * rng.standard_normal(rewards.shape)

    def best(self, prompts: Sequence[int] | Ints) -> Floats:
        """Highest mean reward (B,) attainable on each prompt."""
        return self._best[np.asarray(prompts)]

    def advance(self, round: Round) -> "TabularReward":
        """The next round's model: this one, unless noise has to be drawn afresh."""
        return self if self.noise_std is None else replace(self, index=round.index + 1)

    @cached_property
    def _best(self) -> Floats:
        return self.matrix.max(-1)
