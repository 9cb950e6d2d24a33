"""A fixed order of the prompts, whose first N represent all of them."""

from collections.abc import Sequence

import numpy as np

from experiments.ifeval.official import Item

ORDER = 20231107
"""Seed of the order; it never changes, so that quick looks compare."""


def stratified(items: Sequence[Item], size: int | None) -> list[Item]:
    """Return ``size`` of the items, the same ones every time; None: all, in their own order.

    The strata are the first instruction of a prompt and its number of instructions. Each first
    part of the order has about the same share of every stratum, and a smaller subset is part of
    a larger one.
    """
    if size is None or size >= len(items):
        return list(items)
    shuffled = np.random.default_rng(ORDER).permutation(len(items)).tolist()
    strata: dict[tuple[str, int], list[int]] = {}
    for place in shuffled:
        item = items[place]
        strata.setdefault((item.ids[0], len(item.ids)), []).append(place)
    # The k-th of a stratum's m items is placed at (k + u) / m, with u random: a stratum is
    # spread evenly over the order, and small strata are not all at its middle.
    offsets = np.random.default_rng(ORDER + 1).random(len(strata))
    ranked = [
        ((k + offset) / len(places), place)
        for places, offset in zip(strata.values(), offsets.tolist(), strict=True)
        for k, place in enumerate(places)
    ]
    return [items[place] for _, place in sorted(ranked)[:size]]
