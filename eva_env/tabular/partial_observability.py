"""Restricted solvers: what a softmax table cannot see, and how low its rank is."""

from typing import Literal, get_args

import numpy as np

from eva_env.types import Floats

Blind = Literal["nothing", "variant", "level", "all"]
"""What a solver cannot tell prompts apart by; each is blind to all that those before it are."""

BLIND: tuple[str, ...] = get_args(Blind)


def seen_sizes(sizes: tuple[int, int, int], blind: Blind) -> tuple[int, int, int]:
    """Topics, levels and variants that can be told apart: 1 along what is not seen."""
    seen = len(sizes) - BLIND.index(blind)
    topics, levels, variants = (*sizes[:seen], 1, 1, 1)[:3]
    return topics, levels, variants


def mixed_logits(logits: Floats, cells: int) -> Floats:
    """Log-probabilities (K, M) of the even mixture of a cell's laws, for each of its prompts.

    The cells, of equal size, are consecutive. The mixture is what the laws are to somebody who
    sees the cell alone, and what imitating them there would end at: of all single laws it has
    the lowest sum of KL(law || it).
    """
    by_cell = logits.reshape(cells, -1, logits.shape[1])
    size = by_cell.shape[1]
    mixed = np.logaddexp.reduce(by_cell, axis=1) - np.log(size)
    return np.repeat(mixed, size, axis=0)


def low_rank(features: Floats, rank: int) -> Floats:
    """Features (K, rank) whose kernel is the best one of that rank (Eckart and Young 1936).

    Best in Frobenius norm. A ``rank`` that cuts through equal eigenvalues leaves several best
    ones, of which this is one.
    """
    left, scale, _ = np.linalg.svd(features, full_matrices=False)
    return left[:, :rank] * scale[:rank]
