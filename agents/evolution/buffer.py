"""A prioritised buffer of a million prompts: draws and updates in O(log n) each."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from agents.evolution.sum_tree import SumTree
from eva_env.types import Floats, Ints

LIMIT = 1e290
"""Largest size of a value, so that no sum of weights overflows."""


class PromptBuffer:
    """At most ``capacity`` entries, each in a slot that it keeps until it leaves.

    An entry has a key to look it up by, unique and hashable (the prompt, where prompts are),
    an ``item`` (whatever is to come out again), a ``value`` in ``values`` and the round in
    ``steps``; all are read by slot. Where there is no room the oldest leave. Pickles and
    copies hold the entries alone, and continue bit for bit.

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
        """Keys, the oldest first."""
        return iter(self._slots)

    @property
    def slots(self) -> Ints:
        """Slots of all entries, the oldest first; O(n)."""
        return np.fromiter(self._slots.values(), np.int64, len(self))

    def find(self, keys: Sequence[Hashable]) -> Ints:
        """Slot of each key, (k,); -1 where there is none."""
        return np.array([self._slots.get(key, -1) for key in keys], dtype=np.int64)

    def add(
        self, keys: Sequence[Hashable], items: Sequence[Any], values: Floats, step: int
    ) -> Ints:
        """Slots of k new entries, the last of them youngest; the oldest make room.

        Of more than ``capacity`` entries the last ones stay. A key that is there, or twice
        among the new ones, raises ValueError.
        """
        _check(values)
        known = [key for key in keys if key in self._slots]
        if known or len(set(keys)) < len(keys):
            raise ValueError(f"keys must be new and distinct, got {known or keys!r}")
        over = max(0, len(keys) - self.capacity)
        keys, items, values = keys[over:], items[over:], values[over:]
        excess = max(0, len(self) + len(keys) - self.capacity)
        self.remove(np.fromiter(islice(self._slots.values(), excess), np.int64, excess))
        slots = [self._free.pop() for _ in range(min(len(keys), len(self._free)))]
        fresh = len(keys) - len(slots)
        slots += range(self._used, self._used + fresh)
        self._used += fresh
        self._fill(keys, items, slots)
        added = np.array(slots, dtype=np.int64)
        self.update(added, values, step)
        return added

    def update(self, slots: Ints, values: Floats, step: int | None = None) -> None:
        """Give entries new values and, unless None, another round; they keep their age."""
        _check(values)
        self.values[slots] = values
        self._weights[slots] = np.maximum(values, 0.0)
        if step is not None:
            self.steps[slots] = step

    def remove(self, slots: Ints) -> None:
        """Take the entries of distinct slots out."""
        for slot in slots.tolist():
            del self._slots[self._keys[slot]]
            self._keys[slot] = self.items[slot] = None
            self._free.append(slot)
        self._weights[slots] = 0.0

    def draw(self, size: int, rng: np.random.Generator) -> Ints:
        """Slots of ``size`` entries by successive draws in proportion to their values.

        Without replacement; all entries where there are fewer. Values that are not positive
        weigh nothing: such entries are drawn uniformly once the others are out, in O(n).
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
        return all(np.array_equal(a, b) if hasattr(a, "shape") else a == b for a, b in pairs)

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
