"""Measures of how varied the prompts of a round are: they show a creator's collapse."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import entr

from agents.evolution.similarity import ByWords, Similarity, cluster_shares
from eva_env.distributions import softmax
from eva_env.types import Floats, Proposal, RatesComplexity, Task, offers


def distribution(proposal: Proposal) -> Floats:
    """Return the probability of each distinct prompt of a proposal, (K,); no unused slots."""
    used = [i for i, prompt in enumerate(proposal.prompts) if prompt != ""]
    if not used:
        return np.zeros(0)
    places: dict[Any, int] = {}
    place = [places.setdefault(proposal.prompts[i], len(places)) for i in used]
    shares = softmax(np.asarray(proposal.logits, dtype=np.float64)[used])
    return np.bincount(place, shares).astype(np.float64)


def entropy(probabilities: Floats) -> float:
    """Return the Shannon entropy of a distribution (K,), in nats."""
    return float(entr(probabilities).sum())


def effective_size(probabilities: Floats) -> float:
    """Return the effective sample size 1 / sum p^2 of a distribution (K,); 0 if K = 0."""
    return float(1 / np.square(probabilities).sum()) if len(probabilities) else 0.0


def largest_cluster(
    prompts: Sequence[Any], task: Task, similarity: Similarity | None = None
) -> float:
    """Return the share of B prompts, in (0, 1], in the largest cluster of near-duplicates.

    Texts cluster through chains of pairs whose similarity is at least ``similarity.near``;
    without a similarity, it is that of words. Integer prompts
    have no words: their clusters have one topic and, if the task rates it, one complexity; in
    the tabular world these are the variants of a level.
    """
    if isinstance(prompts[0], str):
        similarity = similarity or ByWords()
        return float(cluster_shares(prompts, similarity.near, similarity).max())
    topics = [task.topic(prompt) for prompt in prompts]
    levels = [0.0] * len(prompts)
    if offers(task, RatesComplexity):
        levels = [task.complexity(prompt) for prompt in prompts]
    clusters = Counter(zip(topics, levels, strict=True))
    return max(clusters.values()) / len(prompts)
