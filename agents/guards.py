"""Guards: conditions that every published prompt must meet, whichever creator proposes it."""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from agents.evolution.evolve import Lineage
from agents.evolution.near_duplicates import NearDuplicates, NearMeanings
from agents.evolution.similarity import Embed
from eva_env.require import require
from eva_env.types import Floats, Ints, Task


@dataclass(frozen=True)
class Guards:
    """Conditions on the prompts of a proposal; all are off by default."""

    deduplicate: Literal["off", "proposal", "history"] = "off"
    """Reject a prompt that is already in the proposal, or (history) that was ever published.
    history breaks creators that replay or keep old prompts."""

    near_duplicates: float | None = None
    """Reject text with at least this similarity, in (0, 1], to another prompt of the proposal
    or of the past: of shingles (Jaccard) or, with a sentence embedder (--similarity), of
    meaning (cosine: 0.95 finds other spellings, 0.85 most paraphrases). Exact repeats are left
    to deduplicate."""

    shingle: int = 3
    """Words in a shingle: near-duplicates are compared by their sets of shingles."""

    topic_entropy: float = 0.0
    """Floor of the entropy of topics under the proposal, in nats. Below it, human prompts of
    other topics replace prompts of the most probable topic, as long as that helps."""

    max_length: int | None = None
    """Reject text of more characters."""

    decontaminate: float | None = None
    """Reject prompts of the evaluation suites, and text with at least this share, in (0, 1], of
    its n-grams in them. PaLM's analysis uses 0.7 (arXiv 2204.02311)."""

    ngram: int = 8
    """Words in an n-gram of decontaminate; shorter text is compared as a whole."""

    def __post_init__(self) -> None:
        require(self, "(0, 1]", "near_duplicates", "decontaminate")
        require(self, "[1, inf)", "shingle", "ngram", "max_length")
        require(self, "[0, inf]", "topic_entropy")

    def check(self, prompts: Iterable[Any]) -> None:
        """Raise ValueError if a guard of text is on and a prompt is not text."""
        guards = {"near_duplicates": self.near_duplicates, "max_length": self.max_length}
        names = [name for name, value in guards.items() if value]
        for prompt in prompts if names else ():
            if not isinstance(prompt, str):
                raise ValueError(
                    f"{' and '.join(names)} need prompts of text, got {prompt!r}; "
                    f"leave them off"
                )

    def index(self, embed: Embed | None = None) -> NearDuplicates | NearMeanings | None:
        """Return an empty index of near-duplicates; None if that guard is off.

        They are near by meaning if sentence embeddings are given, else by their words.
        """
        if self.near_duplicates is None:
            return None
        if embed is not None:
            return NearMeanings(self.near_duplicates, embed)
        return NearDuplicates(self.near_duplicates, self.shingle)


REDRAWS = 8
"""Human prompts that may be drawn in the search for replacements, per replaced prompt."""


class Contamination:
    """The set of prompts that are in the task's evaluation suites or share their n-grams.

    Args:
        task: has the suites.
        share: of a text's n-grams, in (0, 1], that makes it contaminated.
        ngram: n, in words; a text of fewer is contaminated only if it is in a suite.
    """

    def __init__(self, task: Task, share: float, ngram: int) -> None:
        self.share, self.ngram = share, ngram
        self.prompts = {prompt for suite in task.suites.values() for prompt in suite}
        self.ngrams = {ngram for prompt in self.prompts for ngram in self._ngrams(prompt)}

    def __contains__(self, prompt: Hashable) -> bool:
        ngrams = self._ngrams(prompt)
        shared = sum(ngram in self.ngrams for ngram in ngrams)
        return prompt in self.prompts or (bool(ngrams) and shared >= self.share * len(ngrams))

    def _ngrams(self, prompt: Any) -> list[tuple[str, ...]]:
        words = prompt.lower().split() if isinstance(prompt, str) else []
        starts = range(len(words) - self.ngram + 1)
        return [tuple(words[start : start + self.ngram]) for start in starts]


class Admission:
    """The admission of one proposal's prompts; ``rejected`` counts rejections by guard.

    Args:
        guards: the conditions.
        contaminated: prompts that no creator may show.
        published: prompts of earlier proposals.
        past: the same, indexed by similarity; None if near-duplicates may pass.
        embed: gives sentence embeddings; None compares words.
    """

    def __init__(
        self,
        guards: Guards,
        contaminated: Contamination | Collection[Any],
        published: Collection[Any],
        past: NearDuplicates | NearMeanings | None,
        embed: Embed | None = None,
    ) -> None:
        self.guards, self.contaminated = guards, contaminated
        self.published, self.past = published, past
        self.taken: set[Any] = set()
        self.near = guards.index(embed)
        self.rejected: Counter[str] = Counter()

    def reason(self, prompt: Any) -> str | None:
        """Return the guard that rejects the prompt, or None."""
        guards = self.guards
        if guards.max_length is not None and len(prompt) > guards.max_length:
            return "max_length"
        if prompt in self.contaminated:
            return "decontaminate"
        if guards.deduplicate != "off" and prompt in self.taken:
            return "deduplicate"
        if guards.deduplicate == "history" and prompt in self.published:
            return "deduplicate"
        indices = [index for index in (self.near, self.past) if index is not None]
        if any(index.find(prompt) is not None for index in indices):
            return "near_duplicates"
        return None

    def admits(self, prompt: Any) -> bool:
        """Take the prompt into the proposal if no guard rejects it; return whether it is in."""
        reason = self.reason(prompt)
        if reason is None:
            self.take(prompt)
        else:
            self.rejected[reason] += 1
        return reason is None

    def take(self, prompt: Any) -> None:
        """Take the prompt into the proposal."""
        self.taken.add(prompt)
        if self.near is not None:
            self.near.add(prompt)


def spread_topics(
    task: Task,
    slots: list[Lineage],
    shares: Floats,
    floor: float,
    admission: Admission,
    rng: np.random.Generator,
) -> tuple[float, int]:
    """Replace prompts of the most probable topic in ``slots`` until the entropy is at a floor.

    ``shares`` (N,) are the probabilities of the slots. Returns the entropy of topics, in nats,
    and the number of replaced prompts. The entropy may stay below the floor, since only human
    prompts that raise it are taken.
    """
    codes: dict[str, int] = {}

    def code(prompt: Any) -> int:
        """The number of the prompt's topic."""
        return codes.setdefault(task.topic(prompt), len(codes))

    topics = np.array([code(slot.prompt) for slot in slots])
    entropy, swapped = _entropy(topics, shares), 0
    for _ in range(REDRAWS):
        if entropy >= floor:
            break
        for prompt in task.seed(len(slots), rng):
            # 1. Put the human prompt into the last slot of the most probable topic.
            most_probable = np.bincount(topics, shares).argmax()
            slot = np.flatnonzero(topics == most_probable)[-1]
            trial = topics.copy()
            trial[slot] = code(prompt)
            # 2. Keep it there if that raises an entropy that is too low.
            trial_entropy = _entropy(trial, shares)
            if entropy < min(floor, trial_entropy) and admission.reason(prompt) is None:
                admission.take(prompt)
                slots[slot], topics, entropy = Lineage(prompt), trial, trial_entropy
                swapped += 1
    return entropy, swapped


def _entropy(topics: Ints, shares: Floats) -> float:
    """The entropy, in nats, of the topics of slots with these probabilities."""
    mass = np.bincount(topics, shares)
    mass = mass[mass > 0]
    return float(-(mass * np.log(mass)).sum())
