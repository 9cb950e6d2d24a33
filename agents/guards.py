"""Guards: what every published prompt must satisfy, whichever creator proposes it."""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from agents.evolution.evolve import Lineage
from agents.evolution.near_duplicates import NearDuplicates
from eva_env.types import Floats, Ints, Task


@dataclass(frozen=True)
class Guards:
    """What is kept out of every proposal; all are off by default."""

    deduplicate: Literal["off", "proposal", "history"] = "off"
    """Keep out a prompt that is in the proposal already, or that has ever been published; the
    latter takes from creators that replay, or keep old prompts, what they live on."""

    near_duplicates: float | None = None
    """Keep out text of at least this Jaccard similarity, in (0, 1], to another prompt of the
    proposal or of the past; exact repeats are left to ``deduplicate``."""

    shingle: int = 3
    """Words in the runs whose sets near-duplicates are compared by."""

    topic_entropy: float = 0.0
    """Floor, in nats, of the entropy of topics under the proposal: below it, prompts of the
    most probable topic give way to human ones of others, as far as there are any."""

    max_length: int | None = None
    """Keep out text of more characters."""

    decontaminate: float | None = None
    """Keep out prompts of the evaluation suites, and text of which at least this share, in
    (0, 1], of the n-grams occurs in them; 0.7 in PaLM's analysis (arXiv 2204.02311)."""

    ngram: int = 8
    """Words in those n-grams; shorter text is compared as a whole."""

    def __post_init__(self) -> None:
        for name in ("near_duplicates", "decontaminate"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise ValueError(f"{name} must lie in (0, 1], got {value}")
        for name in ("shingle", "ngram", "max_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if not self.topic_entropy >= 0:
            raise ValueError(f"topic_entropy must not be negative, got {self.topic_entropy}")

    def check(self, prompts: Iterable[Any]) -> None:
        """Raise ValueError if a guard that is on has no meaning for such prompts."""
        names = [name for name in ("near_duplicates", "max_length") if getattr(self, name)]
        odd = next((p for p in prompts if not isinstance(p, str)), None) if names else None
        if odd is not None:
            raise ValueError(
                f"{' and '.join(names)} need prompts of text, got {odd!r}; leave them off"
            )

    def index(self) -> NearDuplicates | None:
        """An empty index of near-duplicates, if they are guarded against."""
        if self.near_duplicates is None:
            return None
        return NearDuplicates(self.near_duplicates, self.shingle)


REDRAWS = 8
"""How many times as many human prompts as are to be replaced may be drawn for that."""


class Contamination:
    """Whether a prompt is one of the task's evaluation suites, or shares its n-grams.

    Args:
        task: whose suites are to stay unseen.
        share: of a text's n-grams, in (0, 1], that makes it contaminated.
        ngram: n, in words; a text of fewer is contaminated only where it is in a suite.
    """

    def __init__(self, task: Task, share: float, ngram: int) -> None:
        self.share, self.ngram = share, ngram
        self.prompts = {prompt for suite in task.suites.values() for prompt in suite}
        self.ngrams = {run for prompt in self.prompts for run in self._runs(prompt)}

    def __contains__(self, prompt: Hashable) -> bool:
        runs = self._runs(prompt)
        seen = sum(run in self.ngrams for run in runs)
        return prompt in self.prompts or (bool(runs) and seen >= self.share * len(runs))

    def _runs(self, prompt: Any) -> list[tuple[str, ...]]:
        words = prompt.lower().split() if isinstance(prompt, str) else []
        starts = range(len(words) - self.ngram + 1)
        return [tuple(words[start : start + self.ngram]) for start in starts]


class Admission:
    """The guards at work on one proposal; ``rejected`` counts by guard.

    Args:
        guards: what is kept out.
        contaminated: prompts that no creator may show.
        published: prompts of earlier proposals.
        past: the same, indexed by likeness; None where near-duplicates may pass.
    """

    def __init__(
        self,
        guards: Guards,
        contaminated: Contamination | Collection[Any],
        published: Collection[Any],
        past: NearDuplicates | None,
    ) -> None:
        self.guards, self.contaminated = guards, contaminated
        self.published, self.past = published, past
        self.taken: set[Any] = set()
        self.near = guards.index()
        self.rejected: Counter[str] = Counter()

    def reason(self, prompt: Any) -> str | None:
        """The guard that turns the prompt away, or None."""
        guards = self.guards
        if guards.max_length is not None and len(prompt) > guards.max_length:
            return "max_length"
        if prompt in self.contaminated:
            return "decontaminate"
        if guards.deduplicate != "off" and prompt in self.taken:
            return "deduplicate"
        if guards.deduplicate == "history" and prompt in self.published:
            return "deduplicate"
        if any(index and index.find(prompt) is not None for index in (self.near, self.past)):
            return "near_duplicates"
        return None

    def admits(self, prompt: Any) -> bool:
        """Whether the prompt may be published, in which case it now counts as such."""
        reason = self.reason(prompt)
        if reason is None:
            self.take(prompt)
        else:
            self.rejected[reason] += 1
        return reason is None

    def take(self, prompt: Any) -> None:
        """Count the prompt among those of the proposal."""
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
    and how many were replaced. It may stay below the floor: only swaps that raise it are made.
    """
    codes: dict[str, int] = {}
    topics = np.array([codes.setdefault(task.topic(one.prompt), len(codes)) for one in slots])
    entropy, swapped = _entropy(topics, shares), 0
    for _ in range(REDRAWS):
        for prompt in task.seed(len(slots), rng) if entropy < floor else ():
            crowded = np.bincount(topics, shares).argmax()
            slot = np.flatnonzero(topics == crowded)[-1]
            trial = topics.copy()
            trial[slot] = codes.setdefault(task.topic(prompt), len(codes))
            raised = _entropy(trial, shares)
            if entropy < min(floor, raised) and admission.reason(prompt) is None:
                admission.take(prompt)
                slots[slot], topics, entropy = Lineage(prompt), trial, raised
                swapped += 1
    return entropy, swapped


def _entropy(topics: Ints, shares: Floats) -> float:
    mass = np.bincount(topics, shares)
    mass = mass[mass > 0]
    return float(-(mass * np.log(mass)).sum())
