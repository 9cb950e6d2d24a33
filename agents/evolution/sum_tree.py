"""Weighted draws from a million slots, and updates of their weights, in O(log n) each."""

import numpy as np

from eva_env.types import Floats, Ints


class SumTree:
    """Weights by slot as the leaves of a binary tree, every inner node the sum of its two.

    After Schaul et al. 2016, "Prioritized Experience Replay" (arXiv 1511.05952), who find one
    slot at a time; here a whole batch walks down abreast. Sums are computed anew from the
    children, never by adding differences, so that rounding does not pile up and the same
    leaves always give the same tree.

    Args:
        size: number of slots; all weights start at 0.
    """

    def __init__(self, size: int) -> None:
        self.depth = (size - 1).bit_length()
        self.nodes: Floats = np.zeros(2 << self.depth)

    @property
    def total(self) -> float:
        """Sum of all weights."""
        return float(self.nodes[1])

    def __getitem__(self, slots: Ints) -> Floats:
        """Weights of the slots, (k,)."""
        return self.nodes[slots + (1 << self.depth)]

    def __setitem__(self, slots: Ints, weights: Floats | float) -> None:
        """Set the weights, not negative, of k slots; k nodes of each level at most change."""
        nodes = slots + (1 << self.depth)
        self.nodes[nodes] = weights
        for width in 1 << np.arange(self.depth)[::-1]:
            nodes = nodes >> 1 if len(slots) < width else np.arange(width, 2 * width)
            self.nodes[nodes] = self.nodes[2 * nodes] + self.nodes[2 * nodes + 1]

    def find(self, points: Floats) -> Ints:
        """Slots (k,) at which the running sum of weights passes the points in [0, total).

        Never one of weight 0, unless all are.
        """
        node = np.ones(len(points), dtype=np.int64)
        for _ in range(self.depth):
            left, right = self.nodes[2 * node], self.nodes[2 * node + 1]
            # By rounding a point may lie past the end of what is left.
            go_right = (points >= left) & (right > 0)
            points = np.where(go_right, points - left, points)
            node = 2 * node + go_right
        return node - (1 << self.depth)

    def draw(self, size: int, rng: np.random.Generator) -> Ints:
        """``size`` slots by successive weighted draws without replacement, in that order.

        Fewer where fewer weights are positive. Draws with replacement of which repeats are
        dropped, the drawn weights then being 0 until enough are found: the same law.
        """
        drawn: list[Ints] = [np.zeros(0, dtype=np.int64)]
        weights: list[Floats] = [np.zeros(0)]
        while size > 0 and self.total > 0:
            slots = self.find(rng.random(size) * self.total)
            slots = slots[np.sort(np.unique(slots, return_index=True)[1])]
            drawn.append(slots)
            weights.append(self[slots])
            self[slots] = 0.0
            size -= len(slots)
        found = np.concatenate(drawn)
        self[found] = np.concatenate(weights)
        return found
