"""How alike prompts are, by the words that they share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eva_env.types import Floats


def similarities(left: Sequence[Any], right: Sequence[Any]) -> Floats:
    """Jaccard similarity of the sets of words, (P, Q) in [0, 1]; an integer is one word."""
    words: dict[str, int] = {}
    sides = [_incidence(prompts, words) for prompts in (left, right)]
    a, b = (np.pad(side, ((0, 0), (0, len(words) - side.shape[1]))) for side in sides)
    shared = a @ b.T
    return shared / np.maximum(a.sum(1)[:, None] + b.sum(1) - shared, 1)


def cluster_shares(prompts: Sequence[Any], similar: float) -> Floats:
    """Share of the batch that stands in each prompt's cluster, (B,) in (0, 1].

    A cluster is what hangs together by steps of similarity at least ``similar``.
    """
    near = similarities(prompts, prompts) >= similar
    label = np.arange(len(prompts))
    while True:
        least = np.where(near, label, len(prompts)).min(1)
        if (least == label).all():
            break
        label = least
    return np.bincount(label, minlength=len(prompts))[label] / len(prompts)


def _incidence(prompts: Sequence[Any], words: dict[str, int]) -> Floats:
    """Which words (W,) each prompt holds, (P, W) of 0 and 1; new words are added."""
    rows = [
        [words.setdefault(word, len(words)) for word in str(prompt).lower().split()]
        for prompt in prompts
    ]
    table = np.zeros((len(prompts), len(words)))
    for i, row in enumerate(rows):
        table[i, row] = 1
    return table
