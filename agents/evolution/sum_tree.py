"""A sum tree: weighted draws from a million slots, and updates of weights, in O(log n) each."""

import numpy as np

from eva_env.types import Floats, Ints


class SumTree:
    """A binary tree whose leaves are the weights of slots; an inner node is the sum of its two.

    After Schaul et al. 2016, "Prioritized Experience Replay" (arXiv 1511.05952), who find one
    slot at a time; here all points of a batch descend together. A sum is always computed from
    its two children, never by adding a difference, so rounding errors do not accumulate and
    equal leaves give equal trees.

    ``nodes[1]`` is the root, the children of node i are 2 i and 2 i + 1, and the leaves start
    at ``2 ** depth``.

    Args:
        size: number of slots; all weights start at 0.
    """

    def __init__(self, size: int) -> None:
        self.depth = (size - 1).bit_length()
        self.nodes: Floats = np.zeros(2 << self.depth)

    @property
    def total(self) -> float:
        """The sum of all weights."""
        return float(self.nodes[1])

    def __getitem__(self, slots: Ints) -> Floats:
        """Return the weights of the slots, (k,)."""
        return self.nodes[slots + (1 << self.depth)]

    def __setitem__(self, slots: Ints, weights: Floats | float) -> None:
        """Set the weights (>= 0) of k slots; at most k nodes of each level change."""
        # 1. Set the leaves.
        nodes = slots + (1 << self.depth)
        self.nodes[nodes] = weights
        # 2. Sum again, level by level up to the root: the parents of the changed nodes, or the
        #    whole level (nodes ``width`` to ``2 * width - 1``) if it has fewer nodes than that.
        for width in 1 << np.arange(self.depth)[::-1]:
            nodes = nodes >> 1 if len(slots) < width else np.arange(width, 2 * width)
            self.nodes[nodes] = self.nodes[2 * nodes] + self.nodes[2 * nodes + 1]

    def find(self, points: Floats) -> Ints:
        """Return the slots (k,) where the running sum of weights passes points in [0, total).

        Never a slot of weight 0, unless all are 0.
        """
        node = np.ones(len(points), dtype=np.int64)
        for _ in range(self.depth):
            left, right = self.nodes[2 * node], self.nodes[2 * node + 1]
            # A point in the left sum goes left. Past it, it goes right, minus the left sum;
            # by rounding it may lie past both, so an empty right side is never entered.
            go_right = (points >= left) & (right > 0)
            points = np.where(go_right, points - left, points)
            node = 2 * node + go_right
        return node - (1 << self.depth)

    def draw(self, size: int, rng: np.random.Generator) -> Ints:
        """Return ``size`` slots by successive weighted draws without replacement, in order.

        Fewer if fewer weights are positive. Drawing with replacement and dropping repeats, then
        setting the drawn weights to 0, has the same distribution.
        """
        drawn: list[Ints] = [np.zeros(0, dtype=np.int64)]
        weights: list[Floats] = [np.zeros(0)]
        while size > 0 and self.total > 0:
            # 1. Draw with replacement, and keep the first of each slot, in order.
            slots = self.find(rng.random(size) * self.total)
            slots = slots[np.sort(np.unique(slots, return_index=True)[1])]
            # 2. Take the drawn slots out until all draws are made.
            drawn.append(slots)
            weights.append(self[slots])
            self[slots] = 0.0
            size -= len(slots)
        # 3. Put their weights back.
        all_drawn = np.concatenate(drawn)
        self[all_drawn] = np.concatenate(weights)
        return all_drawn
