"""Biased reward models: one prefers long responses, one likes words that drift in fashion."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from eva_env.require import require
from eva_env.rewards.base import Wrapper, advance, base_rewards
from eva_env.rewards.noise import codes, gaussian
from eva_env.types import Floats, Round

BUCKETS = 1024
"""Number of tastes of a drifting judge; words in the same bucket share a taste."""


class Biased(Wrapper):
    """The base's reward plus a bonus that depends only on the response."""

    @abstractmethod
    def bonus(self, responses: Any) -> Floats:
        """Return the numbers added to the rewards, (B, n)."""

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the base's rewards plus the bonus, (B, n)."""
        return base_rewards(self.base, prompts, responses) + self.bonus(responses)

    @property
    def matrix(self) -> Floats:
        """Mean rewards (K, M)."""
        means = self.base.matrix
        return means + self.bonus(np.arange(means.shape[1])[None])


@dataclass(frozen=True)
class LengthBiased(Biased):
    """A judge biased to length: r(x, y) + bias |y| (Singhal et al. 2023, arXiv 2310.03716)."""

    bias: float = 0.02
    """Reward for each word, in the base's units; negative to prefer short responses. The
    integer response y of a tabular world counts as y words."""

    def __post_init__(self) -> None:
        require(self, "(-inf, inf)", "bias")

    def bonus(self, responses: Any) -> Floats:
        """Return the bias times the length, (B, n)."""
        array = np.asarray(responses)
        if array.dtype.kind in "iu":
            return self.bias * array
        lengths = [len(response.split()) for response in array.ravel().tolist()]
        return self.bias * np.array(lengths, float).reshape(array.shape)


@dataclass(frozen=True)
class Drifting(Biased):
    """A judge whose tastes drift: r(x, y) + the mean of u_t(w) over the words w of y.

    u_0 = 0 and u_{t+1} = u_t + std * standard normal, independently for each word: a linear
    reward with drifting parameters, for the study of non-stationary preferences (as Son et al.
    2025, arXiv 2407.18676). The integer response of a tabular world counts as a word.
    """

    std: float = 0.05
    """Standard deviation of a word's step between rounds, in the base's units."""
    seed: int = 0
    """Seed of the walk. It is separate from the run's seed, so all runs have the same judge."""
    tastes: Floats = field(
        default_factory=lambda: np.zeros(BUCKETS), init=False, repr=False, compare=False
    )
    """u_t by bucket, (1024,)."""

    def __post_init__(self) -> None:
        require(self, "[0, inf)", "std", "seed")

    def bonus(self, responses: Any) -> Floats:
        """Return the mean taste for the words of each response, (B, n); 0 without words."""
        array = np.asarray(responses)
        if array.dtype.kind in "iu":
            return self.tastes[array % BUCKETS]
        words = [response.split() for response in array.ravel().tolist()]
        lengths = np.array([len(row) for row in words])
        means = np.zeros(len(words))
        if lengths.any():
            buckets = codes([word for row in words for word in row]) % np.uint64(BUCKETS)
            rows = np.repeat(np.arange(len(words)), lengths)
            sums = np.bincount(rows, self.tastes[buckets], len(words))
            means = sums / np.maximum(lengths, 1)
        return means.reshape(array.shape)

    def advance(self, round: Round) -> Self:
        """Return the next round's model, one step further in the walk."""
        step = gaussian(self.seed, round.index, np.arange(BUCKETS, dtype=np.uint64))
        base = advance(self.base, round)
        return self.changed(base=base, tastes=self.tastes + self.std * step)
