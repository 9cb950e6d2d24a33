"""A prioritised buffer for up to a million prompts: draws and updates in O(log n) each."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from agents.evolution.sum_tree import SumTree
from eva_env.types import Floats, Ints

LIMIT = 1e290
"""Largest absolute value of an entry, so that no sum of weights overflows."""


class PromptBuffer:
    """At most ``capacity`` entries, each in a slot that it keeps until it leaves.

    An entry has a unique, hashable key (the prompt, if prompts are unique), an item that the
    caller gets back, a value, and the round of its last update. ``items``, ``values`` and
    ``steps`` are indexed by slot. When the buffer is full, the oldest entries leave. Pickles
    and copies hold the entries alone, and continue bit for bit.

    Args:
        capacity: most entries to hold; at least 1, else ValueError.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.items: list[Any] = [None] * capacity
        self.values: Floats = np.zeros(capacity)
        self.steps: Ints = np.zeros(capacity, dtype=np.int64)
        self._keys: list[Any] = [None] * capacity
        self._slots: OrderedDict[Any, int] = OrderedDict()
        self._free: list[int] = []
        self._used = 0
        self._weights = SumTree(capacity)

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, key: object) -> bool:
        return key in self._slots

    def __iter__(self) -> Iterator[Any]:
        """Yield the keys, the oldest first."""
        return iter(self._slots)

    @property
    def slots(self) -> Ints:
        """The slots of all entries, the oldest first; O(n)."""
        return np.fromiter(self._slots.values(), np.int64, len(self))

    def find(self, keys: Sequence[Hashable]) -> Ints:
        """Return the slot of each key, (k,); -1 for a key that is not in the buffer."""
        return np.array([self._slots.get(key, -1) for key in keys], dtype=np.int64)

    def add(
        self, keys: Sequence[Hashable], items: Sequence[Any], values: Floats, step: int
    ) -> Ints:
        """Add k entries, the youngest last, and return their slots; the oldest make room.

        Of more than ``capacity`` entries only the last ones are added. Raises ValueError for a
        key that is in the buffer already, or twice among the new ones.
        """
        _check(values)
        present = [key for key in keys if key in self._slots]
        if present or len(set(keys)) < len(keys):
            raise ValueError(f"keys must be new and distinct, got {present or keys!r}")
        # 1. Cut off the new entries that would leave at once.
        over = max(0, len(keys) - self.capacity)
        keys, items, values = keys[over:], items[over:], values[over:]
        # 2. Make room: the oldest leave.
        excess = max(0, len(self) + len(keys) - self.capacity)
        self.remove(np.fromiter(islice(self._slots.values(), excess), np.int64, excess))
        # 3. Take freed slots first, then slots that were never used.
        slots = [self._free.pop() for _ in range(min(len(keys), len(self._free)))]
        unused = len(keys) - len(slots)
        slots += range(self._used, self._used + unused)
        self._used += unused
        # 4. Fill them.
        self._fill(keys, items, slots)
        added = np.array(slots, dtype=np.int64)
        self.update(added, values, step)
        return added

    def update(self, slots: Ints, values: Floats, step: int | None = None) -> None:
        """Set the values of entries and, unless None, their round; they keep their age."""
        _check(values)
        self.values[slots] = values
        self._weights[slots] = np.maximum(values, 0.0)
        if step is not None:
            self.steps[slots] = step

    def remove(self, slots: Ints) -> None:
        """Remove the entries in these distinct slots."""
        for slot in slots.tolist():
            del self._slots[self._keys[slot]]
            self._keys[slot] = self.items[slot] = None
            self._free.append(slot)
        self._weights[slots] = 0.0

    def draw(self, size: int, rng: np.random.Generator) -> Ints:
        """Draw the slots of ``size`` entries in proportion to their values.

        The draws are successive and without replacement; a smaller buffer gives all entries.
        Values that are not positive weigh nothing: such entries are drawn uniformly, in O(n),
        after all the others.
        """
        drawn = self._weights.draw(size, rng)
        missing = min(size, len(self)) - len(drawn)
        if missing <= 0:
            return drawn
        others = np.setdiff1d(self.slots, drawn)
        return np.concatenate([drawn, rng.choice(others, missing, replace=False)])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PromptBuffer):
            return NotImplemented
        pairs = zip(self.__getstate__().values(), other.__getstate__().values(), strict=True)
        return all(
            np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs
        )

    def __getstate__(self) -> dict[str, Any]:
        slots = self.slots
        return {
            "capacity": self.capacity,
            "keys": list(self._slots),
            "items": [self.items[slot] for slot in slots],
            "slots": slots,
            "values": self.values[slots],
            "steps": self.steps[slots],
            "free": np.array(self._free, dtype=np.int64),
            "used": self._used,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        PromptBuffer.__init__(self, state["capacity"])
        self._free, self._used = state["free"].tolist(), state["used"]
        self._fill(state["keys"], state["items"], state["slots"].tolist())
        self.update(state["slots"], state["values"])
        self.steps[state["slots"]] = state["steps"]

    def _fill(self, keys: Sequence[Any], items: Sequence[Any], slots: list[int]) -> None:
        """Put keys and items into slots, the youngest last."""
        for key, item, slot in zip(keys, items, slots, strict=True):
            self._slots[key] = slot
            self._keys[slot], self.items[slot] = key, item


def _check(values: Floats) -> None:
    bad = np.flatnonzero(~(np.abs(values) <= LIMIT))
    if len(bad):
        raise ValueError(
            f"values must be numbers of size {LIMIT:g} at most, got {values[bad[0]]} at index "
            f"{bad[0]}"
        )
