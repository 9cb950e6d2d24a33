"""Restricted solvers: prompts that a softmax table cannot distinguish, and its rank."""

from typing import Literal, get_args

import numpy as np

from eva_env.types import Floats

Blind = Literal["nothing", "variant", "level", "all"]
"""The coordinate that a solver cannot observe; each choice also hides those of the former."""

BLIND: tuple[str, ...] = get_args(Blind)


def seen_sizes(sizes: tuple[int, int, int], blind: Blind) -> tuple[int, int, int]:
    """Return how many topics, levels and variants are distinguishable: 1 where hidden."""
    seen = len(sizes) - BLIND.index(blind)
    topics, levels, variants = (*sizes[:seen], 1, 1, 1)[:3]
    return topics, levels, variants


def mixed_logits(logits: Floats, information_sets: int) -> Floats:
    """Return log-probabilities (K, M) of the even mixture of policies on each information set.

    ``logits`` (K, M) are the prompts' log-probabilities. The information sets have equal size
    and consist of consecutive prompts. The mixture is the policy that a player observes who
    sees the information set alone, and the optimum of imitation there: of all single policies
    it has the lowest sum of KL(policy of a prompt || it).
    """
    by_set = logits.reshape(information_sets, -1, logits.shape[1])
    size = by_set.shape[1]
    mixed = np.logaddexp.reduce(by_set, axis=1) - np.log(size)
    return np.repeat(mixed, size, axis=0)


def low_rank(features: Floats, rank: int) -> Floats:
    """Return features (K, rank) with the kernel's best approximation of that rank.

    Best in Frobenius norm (Eckart and Young 1936). If ``rank`` splits a group of equal
    eigenvalues, several approximations are best; this is one of them.
    """
    left, scale, _ = np.linalg.svd(features, full_matrices=False)
    return left[:, :rank] * scale[:rank]
