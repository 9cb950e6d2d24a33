"""Gymnasium spaces of the game: free text, and arrays whose membership test is fast."""

import string
from collections import deque
from collections.abc import Iterable
from itertools import chain, filterfalse, pairwise
from math import prod
from typing import Any

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete, Space, Text

from eva_env.types import Floats

SCALE = 10.0
"""Nats at the ends 1 and -1 of the creator's Box; exp(-20) stands for probability 0."""

SAMPLE_LENGTH = 24
"""Longest string that ``sample`` draws; the space may allow longer members."""


class UnitBox(Box):
    """``Box(-1, 1, shape, float32)`` with a fast path, since every step tests membership."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(-1, 1, shape, np.float32)

    def contains(self, x: Any) -> bool:
        """Return whether x is a member, as ``Box`` does."""
        # 1. Fast path: one pass over an array of the usual type. NaN fails the comparison.
        usual = isinstance(x, np.ndarray) and x.dtype == self.dtype and x.shape == self.shape
        if usual and np.maximum.reduce(np.abs(x), None) <= 1:
            return True
        # 2. Anything else, such as a list: Gymnasium decides.
        return super().contains(x)


def box_action(logits: Floats) -> Floats:
    """Return the Box action of logits, float32 in [-1, 1]: shifted so that the maximum is 1."""
    return (1 + (logits - logits.max()) / SCALE).clip(-1, 1).astype(np.float32)


class Choices(MultiDiscrete):
    """``MultiDiscrete([options] * count)`` with a fast path for membership."""

    def __init__(self, options: int, count: int) -> None:
        super().__init__(np.full(count, options))
        self.options = options

    def contains(self, x: Any) -> bool:
        """Return whether x is a member, as ``MultiDiscrete`` does."""
        # 1. Fast path: one pass for both bounds, since a negative int64 is huge as a uint64.
        usual = isinstance(x, np.ndarray) and x.dtype == self.dtype and x.shape == self.shape
        if usual and np.maximum.reduce(x.view(np.uint64)) < self.options:
            return True
        # 2. Anything else: Gymnasium decides.
        return super().contains(x)


class FreeText(Text):
    """Any Unicode string of at most ``max_length`` characters; the empty string is a member.

    Gymnasium's ``Text`` tests each character against a set in Python, and takes seconds to
    build over all of Unicode. This space takes microseconds for both. Samples are printable
    ASCII.
    """

    def __init__(self, max_length: int, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable, seed=seed)

    def contains(self, x: Any) -> bool:
        """Return whether x is a string of legal length that UTF-8 can encode."""
        return isinstance(x, str) and len(x) <= self.max_length and _encodable((x,))

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Draw a short string of printable ASCII; with a mask, draw as ``Text`` does."""
        if mask is not None or probability is not None:
            return super().sample(mask, probability)
        return _strings(1, self.max_length, self.np_random)[0]

    def __repr__(self) -> str:
        return f"FreeText({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FreeText) and self.max_length == other.max_length


class TextBatch(Space[Any]):
    """Free text in the shape (N,) or (B, n): a sequence of strings, or of rows of strings.

    Sequences are tuples or lists, and every string is a member of ``FreeText``. A ``Tuple`` of
    B * n spaces would be slow; this single space is built in microseconds, and its membership
    test makes a few passes in C, milliseconds for 10,000 x 6 responses. In vector environments
    use ``shared_memory=False``.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        max_length: int,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        if len(shape) not in (1, 2) or min(shape) < 1:
            raise ValueError(f"shape must be (N,) or (B, n) with positive sizes, got {shape}")
        if max_length < 0:
            raise ValueError(f"max_length must be at least 0, got {max_length}")
        self.max_length = max_length
        super().__init__(shape=shape, dtype=str, seed=seed)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,) or (B, n)."""
        return self._shape  # type: ignore[return-value]

    @property
    def is_np_flattenable(self) -> bool:
        """False: text does not fit an array of fixed size."""
        return False

    def contains(self, x: Any) -> bool:
        """Return whether x has the shape and every string is legal."""
        return not self.violation(x)

    def violation(self, x: Any) -> str:
        """Return the rule that x breaks, in one line; empty for members."""
        # 1. The shape. Sets of types and lengths test all rows without a loop in Python.
        size, strings = self.shape[0], x
        if not isinstance(x, tuple | list) or len(x) != size:
            return f"must be a tuple or list of {size}, got {_describe(x)}"
        if len(self.shape) == 2:
            if not set(map(type, x)) <= {tuple, list} or set(map(len, x)) != {self.shape[1]}:
                wrong = next(row for row in x if not self._fits(row))
                size = self.shape[1]
                return f"every row must be a tuple or list of {size}, got {_describe(wrong)}"
            strings = list(chain.from_iterable(x))
        # 2. The types. Subclasses of str are legal, and rare enough for the slow test.
        if set(map(type, strings)) != {str} and not all(isinstance(s, str) for s in strings):
            wrong = next(s for s in strings if not isinstance(s, str))
            return f"must hold strings, got {_describe(wrong)}"
        # 3. The strings.
        longest = max(map(len, strings))
        if longest > self.max_length:
            return f"strings must have at most {self.max_length} characters, one has {longest}"
        if not _encodable(strings):
            return "strings must be encodable in UTF-8, one holds a lone surrogate"
        return ""

    def sample(self, mask: Any = None, probability: Any = None) -> tuple[Any, ...]:
        """Draw short strings of printable ASCII; ValueError for a mask."""
        if mask is not None or probability is not None:
            raise ValueError("TextBatch.sample takes neither mask nor probability")
        strings = _strings(prod(self.shape), self.max_length, self.np_random)
        if len(self.shape) == 1:
            return tuple(strings)
        n = self.shape[1]
        return tuple(tuple(strings[i : i + n]) for i in range(0, len(strings), n))

    def to_jsonable(self, sample_n: Any) -> list[Any]:
        """Return the members as nested lists."""
        return [[s if isinstance(s, str) else list(s) for s in member] for member in sample_n]

    def from_jsonable(self, sample_n: list[Any]) -> list[Any]:
        """Return the members from ``to_jsonable``, as nested tuples."""
        return [
            tuple(s if isinstance(s, str) else tuple(s) for s in member) for member in sample_n
        ]

    def _fits(self, row: Any) -> bool:
        return isinstance(row, tuple | list) and len(row) == self.shape[1]

    def __repr__(self) -> str:
        return f"TextBatch({self.shape}, {self.max_length})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TextBatch)
            and self.shape == other.shape
            and self.max_length == other.max_length
        )


def _encodable(strings: Iterable[str]) -> bool:
    # Only strings beyond ASCII are encoded; the deque of length 0 discards the results in C.
    try:
        deque(map(str.encode, filterfalse(str.isascii, strings)), maxlen=0)
    except UnicodeEncodeError:
        return False
    return True


def _describe(x: Any) -> str:
    size = f" of {len(x)}" if isinstance(x, tuple | list) else ""
    return f"{type(x).__name__}{size}"


def _strings(count: int, max_length: int, rng: np.random.Generator) -> list[str]:
    """Draw strings of printable ASCII: one long text, cut at random places."""
    ends = rng.integers(0, min(SAMPLE_LENGTH, max_length) + 1, count).cumsum()
    letters = rng.integers(32, 127, ends[-1], dtype=np.uint8).tobytes().decode("ascii")
    bounds = [0, *ends.tolist()]
    return [letters[i:j] for i, j in pairwise(bounds)]
