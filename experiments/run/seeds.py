"""The seeds of a run: a tree whose root is the run's seed."""

from typing import Any

import numpy as np

STREAMS = ("environment", "creator", "solver")
"""The children of the root, in order."""

EVALUATION = 1
"""Seed of the responses of evaluations, which is the same for all runs."""


def spawned(seed: int) -> list[np.random.SeedSequence]:
    """Return the seeds of STREAMS, numpy's children of the root."""
    return np.random.SeedSequence(seed).spawn(len(STREAMS))


def seed_tree(seed: int) -> dict[str, Any]:
    """Return the tree for a record: numpy's entropy and spawn keys by stream."""
    streams = zip(STREAMS, spawned(seed), strict=True)
    children = {name: {"spawn_key": list(child.spawn_key)} for name, child in streams}
    return {"entropy": seed, **children, "evaluation": {"entropy": EVALUATION}}
