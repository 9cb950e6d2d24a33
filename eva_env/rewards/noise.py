"""Gaussian noise that belongs to what is judged, not to where it stands in a batch."""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from eva_env.hashing import GOLDEN_GAMMA, Codes, mix64
from eva_env.rewards.base import Wrapper, advance
from eva_env.types import Floats, Ints, Round


def stream(seed: int, *key: int) -> np.random.Generator:
    """A generator of its own for each key, apart from ``default_rng(seed)`` and its spawn."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def gaussian(seed: int, index: int, codes: Codes) -> Floats:
    """Standard normal numbers, one for each code, the same for the same arguments.

    Two rounds of the splitmix64 finaliser, then Box-Muller; ``index`` separates rounds.
    """
    salt = np.random.SeedSequence(seed, spawn_key=(*b"noise", index)).generate_state(
        2, np.uint64
    )
    first = mix64(mix64(codes + salt[0]) ^ salt[1])
    second = mix64(first + GOLDEN_GAMMA)
    radius, angle = (((u >> np.uint64(11)) + 0.5) * 2.0**-53 for u in (first, second))
    return np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)


def content(prompts: Sequence[Any] | Ints, responses: Any) -> Codes:
    """A code (B, n) of each prompt with its response; integers below 2^32, or strings."""
    rows = codes(prompts)
    return (rows[:, None] << np.uint64(32)) | codes(responses)


def codes(items: Any) -> Codes:
    """Integers as they are, strings by their CRC-32; of any shape."""
    array = np.asarray(items)
    if array.dtype.kind in "iu":
        return array.astype(np.uint64)
    flat = [zlib.crc32(item.encode()) for item in array.ravel().tolist()]
    return np.array(flat, np.uint64).reshape(array.shape)


def occurrences(values: Codes) -> Codes:
    """How often each value stands further to the front, in the flattened order."""
    flat = values.ravel()
    order = flat.argsort(kind="stable")
    ranked, place = flat[order], np.arange(len(flat))
    new = np.concatenate([[True], ranked[1:] != ranked[:-1]])
    count = np.empty(len(flat), np.uint64)
    count[order] = place - np.maximum.accumulate(np.where(new, place, 0))
    return count.reshape(values.shape)


def draws(seed: int, index: int, prompts: Sequence[Any] | Ints, responses: Any) -> Floats:
    """Independent standard normal numbers (B, n), a pure function of the arguments.

    Keyed by prompt, response, and how often both have come before in the batch, so that all
    draws of a batch are independent. A second answer to the same batch meets the same number
    where it repeats a response, and new ones elsewhere.
    """
    seen = content(prompts, responses)
    return gaussian(seed, index, mix64(seen) + occurrences(seen) * GOLDEN_GAMMA)


@dataclass(frozen=True)
class Noisy(Wrapper):
    """Gaussian noise on top of the base's rewards."""

    std: float = 0.1
    """Standard deviation, in the base's units of reward."""
    fixed: bool = False
    """A response keeps its error in all rounds, as with a model that misjudges it; otherwise
    the noise is drawn anew every round, and for each copy of a response."""
    seed: int = 0
    """Seed of the noise; runs of other seeds meet the same judge."""
    index: int = field(default=0, init=False, repr=False, compare=False)
    """The round that the noise belongs to."""

    def __post_init__(self) -> None:
        if not 0 <= self.std < math.inf:
            raise ValueError(f"std must be finite and not negative, got {self.std}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Rewards (B, n): the base's, and the noise of each response."""
        return self.base(prompts, responses) + self.std * self._error(prompts, responses)

    def _error(self, prompts: Sequence[Any] | Ints, responses: Any) -> Floats:
        if self.fixed:
            return gaussian(self.seed, 0, content(prompts, responses))
        return draws(self.seed, self.index, prompts, responses)

    def advance(self, round: Round) -> Self:
        """The next round's model."""
        if self.fixed:
            return super().advance(round)
        return self.changed(base=advance(self.base, round), index=round.index + 1)

    @property
    def random(self) -> bool:
        """Whether the same response may get another reward."""
        return not self.fixed or super().random

    @property
    def matrix(self) -> Floats:
        """Mean rewards (K, M): what is drawn anew has mean 0, what is fixed belongs to them."""
        means = self.base.matrix
        if not self.fixed:
            return means
        every = np.broadcast_to(np.arange(means.shape[1]), means.shape)
        return means + self.std * self._error(np.arange(len(means)), every)

    @property
    def best(self) -> Callable[[Sequence[Any]], Floats]:
        """``best(prompts)``: highest mean reward (B,)."""
        return super().best if self.fixed else self.base.best
