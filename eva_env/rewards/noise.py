"""Gaussian noise keyed by prompt and response, independent of positions in a batch."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from eva_env.hashing import GOLDEN_GAMMA, Codes, mix64
from eva_env.require import require
from eva_env.rewards.base import Wrapper, advance, base_rewards
from eva_env.types import Floats, Ints, Round


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of a key, separate from ``default_rng(seed)`` and its spawns."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def gaussian(seed: int, index: int, codes: Codes) -> Floats:
    """Return a standard normal number for each code, a pure function of the arguments.

    Two rounds of the SplitMix64 finaliser, then Box-Muller; ``index`` separates rounds.
    """
    salt = np.random.SeedSequence(seed, spawn_key=(*b"noise", index)).generate_state(
        2, np.uint64
    )
    first = mix64(mix64(codes + salt[0]) ^ salt[1])
    second = mix64(first + GOLDEN_GAMMA)
    radius, angle = (((u >> np.uint64(11)) + 0.5) * 2.0**-53 for u in (first, second))
    return np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)


def content(prompts: Sequence[Any] | Ints, responses: Any) -> Codes:
    """Return a code (B, n) of each prompt and response: integers below 2^32, or strings."""
    rows = codes(prompts)
    return (rows[:, None] << np.uint64(32)) | codes(responses)


def codes(items: Any) -> Codes:
    """Return integers unchanged, and the CRC-32 of strings, in the shape of the items."""
    array = np.asarray(items)
    if array.dtype.kind in "iu":
        return array.astype(np.uint64)
    flat = [zlib.crc32(item.encode()) for item in array.ravel().tolist()]
    return np.array(flat, np.uint64).reshape(array.shape)


def occurrences(values: Codes) -> Codes:
    """Return how often each value occurs before its place, in the flattened order."""
    # 1. Sort stably, so that equal values form runs in their original order.
    flat = values.ravel()
    order = flat.argsort(kind="stable")
    ranked, place = flat[order], np.arange(len(flat))
    # 2. The count of a value is its distance from the start of its run.
    starts_run = np.concatenate([[True], ranked[1:] != ranked[:-1]])
    start = np.maximum.accumulate(np.where(starts_run, place, 0))
    # 3. Undo the sort.
    count = np.empty(len(flat), np.uint64)
    count[order] = place - start
    return count.reshape(values.shape)


def draws(seed: int, index: int, prompts: Sequence[Any] | Ints, responses: Any) -> Floats:
    """Return independent standard normal numbers (B, n), a pure function of the arguments.

    The key is the prompt, the response, and how often this pair occurs earlier in the batch, so
    that all numbers of a batch are independent. A second set of responses to the same batch
    gets the same number where it repeats a response, and new numbers elsewhere.
    """
    pairs = content(prompts, responses)
    return gaussian(seed, index, mix64(pairs) + occurrences(pairs) * GOLDEN_GAMMA)


@dataclass(frozen=True)
class Noisy(Wrapper):
    """The base's rewards plus Gaussian noise."""

    std: float = 0.1
    """Standard deviation, in the base's units of reward."""
    fixed: bool = False
    """Keep the error of a response in all rounds, like the error of a learned model.
    Otherwise each round redraws the noise, and each copy of a response has its own."""
    seed: int = 0
    """Seed of the noise, separate from the run's seed: all runs have the same judge."""
    index: int = field(default=0, init=False, repr=False, compare=False)
    """The round of the noise."""

    def __post_init__(self) -> None:
        require(self, "[0, inf)", "std", "seed")

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the base's rewards plus the noise of each response, (B, n)."""
        rewards = base_rewards(self.base, prompts, responses)
        return rewards + self.std * self._error(prompts, responses)

    def _error(self, prompts: Sequence[Any] | Ints, responses: Any) -> Floats:
        if self.fixed:
            return gaussian(self.seed, 0, content(prompts, responses))
        return draws(self.seed, self.index, prompts, responses)

    def advance(self, round: Round) -> Self:
        """Return the next round's model."""
        if self.fixed:
            return super().advance(round)
        return self.changed(base=advance(self.base, round), index=round.index + 1)

    @property
    def random(self) -> bool:
        """True if the same response can get different rewards."""
        return not self.fixed or super().random

    @property
    def matrix(self) -> Floats:
        """Mean rewards (K, M): redrawn noise has mean 0, a fixed error belongs to the mean."""
        means = self.base.matrix
        if not self.fixed:
            return means
        responses = np.broadcast_to(np.arange(means.shape[1]), means.shape)
        return means + self.std * self._error(np.arange(len(means)), responses)

    @property
    def best(self) -> Callable[[Sequence[Any]], Floats]:
        """``best(prompts)``: highest mean reward (B,)."""
        return super().best if self.fixed else self.base.best
