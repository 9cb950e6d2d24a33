"""Judges with tastes of their own: for long responses, and for words that come into fashion."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from eva_env.rewards.base import Wrapper, advance
from eva_env.rewards.noise import codes, gaussian
from eva_env.types import Floats, Round

BUCKETS = 1024
"""Tastes of a drifting judge; words that share a bucket share a taste."""


class Biased(Wrapper):
    """The base's reward, and a bonus that depends on the response alone."""

    @abstractmethod
    def bonus(self, responses: Any) -> Floats:
        """What is added to the rewards, (B, n)."""

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Rewards (B, n): the base's, and the bonus."""
        return self.base(prompts, responses) + self.bonus(responses)

    @property
    def matrix(self) -> Floats:
        """Mean rewards (K, M)."""
        means = self.base.matrix
        return means + self.bonus(np.arange(means.shape[1])[None])


@dataclass(frozen=True)
class LengthBiased(Biased):
    """A judge who likes length: r(x, y) + bias |y| (Singhal et al. 2023, arXiv 2310.03716)."""

    bias: float = 0.02
    """Reward for each word, in the base's units; negative for a judge who likes brevity. The
    integer response y of a tabular world counts as y words."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.bias):
            raise ValueError(f"bias must be finite, got {self.bias}")

    def bonus(self, responses: Any) -> Floats:
        """The bias times the length, (B, n)."""
        array = np.asarray(responses)
        if array.dtype.kind in "iu":
            return self.bias * array
        lengths = [len(response.split()) for response in array.ravel().tolist()]
        return self.bias * np.array(lengths, float).reshape(array.shape)


@dataclass(frozen=True)
class Drifting(Biased):
    """A judge whose tastes walk at random: r(x, y) + the mean of u_t(w) over the words w of y.

    u_0 = 0 and u_{t+1} = u_t + std * standard normal, for each word on its own: a linear reward
    whose parameters drift, for the study of preferences that do (as Son et al. 2025, arXiv
    2407.18676). The integer response of a tabular world is a word.
    """

    std: float = 0.05
    """Standard deviation of a word's step from a round to the next, in the base's units."""
    seed: int = 0
    """Seed of the walk; runs of other seeds meet the same judge."""
    tastes: Floats = field(
        default_factory=lambda: np.zeros(BUCKETS), init=False, repr=False, compare=False
    )
    """u_t by bucket, (1024,)."""

    def __post_init__(self) -> None:
        if not 0 <= self.std < math.inf:
            raise ValueError(f"std must be finite and not negative, got {self.std}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")

    def bonus(self, responses: Any) -> Floats:
        """The judge's mean liking of the words, (B, n); 0 for no words."""
        array = np.asarray(responses)
        if array.dtype.kind in "iu":
            return self.tastes[array % BUCKETS]
        words = [response.split() for response in array.ravel().tolist()]
        lengths = np.array([len(row) for row in words])
        liking = np.zeros(len(words))
        if lengths.any():
            flat = codes([word for row in words for word in row]) % np.uint64(BUCKETS)
            rows = np.repeat(np.arange(len(words)), lengths)
            liking = np.bincount(rows, self.tastes[flat], len(words)) / np.maximum(lengths, 1)
        return liking.reshape(array.shape)

    def advance(self, round: Round) -> Self:
        """The next round's model, after one more step of the walk."""
        step = gaussian(self.seed, round.index, np.arange(BUCKETS, dtype=np.uint64))
        base = advance(self.base, round)
        return self.changed(base=base, tastes=self.tastes + self.std * step)
