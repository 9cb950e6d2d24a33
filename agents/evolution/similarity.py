"""The similarity of prompts, by the words that they share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eva_env.types import Floats


def similarities(left: Sequence[Any], right: Sequence[Any]) -> Floats:
    """Return the Jaccard similarity of the sets of words, (P, Q); an integer is one word."""
    columns: dict[str, int] = {}
    for prompt in (*left, *right):
        for word in _words(prompt):
            columns.setdefault(word, len(columns))
    a, b = _incidence(left, columns), _incidence(right, columns)
    shared = a @ b.T
    return shared / np.maximum(a.sum(1)[:, None] + b.sum(1) - shared, 1)


def cluster_shares(prompts: Sequence[Any], similar: float) -> Floats:
    """Return the share of the batch in each prompt's cluster, (B,) in (0, 1].

    Two prompts are in one cluster if a chain of pairs of similarity at least ``similar`` joins
    them.
    """
    near = similarities(prompts, prompts) >= similar
    # Every prompt takes the lowest label among its neighbours until nothing changes.
    label = np.arange(len(prompts))
    while True:
        lowest = np.where(near, label, len(prompts)).min(1)
        if (lowest == label).all():
            break
        label = lowest
    return np.bincount(label, minlength=len(prompts))[label] / len(prompts)


def _words(prompt: Any) -> list[str]:
    return str(prompt).lower().split()


def _incidence(prompts: Sequence[Any], columns: dict[str, int]) -> Floats:
    """Return 1 for each word that a prompt holds and 0 for the others, (P, W)."""
    table = np.zeros((len(prompts), len(columns)))
    for i, prompt in enumerate(prompts):
        table[i, [columns[word] for word in _words(prompt)]] = 1
    return table
