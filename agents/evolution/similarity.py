"""The similarity of prompts: by the words that they share, or by their meaning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from eva_env.types import Floats

Embed = Callable[[Sequence[str]], Floats]
"""Texts (P,) -> vectors (P, d) of length 1."""


class Similarity(Protocol):
    """A measure of how similar texts are, 1 for equal ones, with a bound for duplicates."""

    @property
    def name(self) -> str:
        """The name in a record."""
        ...

    @property
    def near(self) -> float:
        """The similarity from which two texts of a round count as near-duplicates."""
        ...

    def __call__(self, left: Sequence[Any], right: Sequence[Any]) -> Floats:
        """Return the similarity of each pair, (P, Q)."""
        ...


@dataclass(frozen=True)
class ByWords:
    """The Jaccard similarity of the sets of words, in [0, 1]."""

    near: float = 0.7
    """In the wordlist world 29 % of rewrites are near-duplicates of their parents, 46 % if both
    are long, and 0.2 % of pairs of human prompts. At 0.5, most prompts of a round are in one
    cluster."""
    name: str = "words"

    def __call__(self, left: Sequence[Any], right: Sequence[Any]) -> Floats:
        """Return the similarity of each pair, (P, Q)."""
        return similarities(left, right)


@dataclass(frozen=True)
class ByMeaning:
    """The cosine of sentence embeddings, in [-1, 1]."""

    embed: Embed
    """Gives the embeddings."""
    near: float = 0.85
    """With all-MiniLM-L6-v2, 9 of 10 paraphrases reach it (0.74 to 0.93), 1 of 8 pairs of the
    same form or topic ("the capital of Australia", "of Austria": 0.87; the others at most
    0.71), and no pair of unrelated prompts (780 pairs, at most 0.57)."""
    name: str = "embedder"

    def __call__(self, left: Sequence[Any], right: Sequence[Any]) -> Floats:
        """Return the similarity of each pair, (P, Q)."""
        return self.embed(left) @ self.embed(right).T


def similarities(left: Sequence[Any], right: Sequence[Any]) -> Floats:
    """Return the Jaccard similarity of the sets of words, (P, Q); an integer is one word."""
    columns: dict[str, int] = {}
    for prompt in (*left, *right):
        for word in _words(prompt):
            columns.setdefault(word, len(columns))
    a, b = _incidence(left, columns), _incidence(right, columns)
    shared = a @ b.T
    return shared / np.maximum(a.sum(1)[:, None] + b.sum(1) - shared, 1)


def cluster_shares(
    prompts: Sequence[Any], similar: float, similarity: Similarity | None = None
) -> Floats:
    """Return the share of the batch in each prompt's cluster, (B,) in (0, 1].

    Two prompts are in one cluster if a chain of pairs of similarity at least ``similar`` joins
    them. Words decide, unless another measure is given.
    """
    near = (similarity or ByWords())(prompts, prompts) >= similar
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
