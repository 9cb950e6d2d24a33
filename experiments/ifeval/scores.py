"""Accuracies of IFEval with their intervals, and how the responses read.

P prompts, n responses to each, I instructions of a prompt. Prompts are a sample; the responses
to a prompt are nested in it. The bootstrap draws prompts with all their responses: the variance
of the responses is part of that of the prompts' means.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eva_env.statistics.bootstrap import draw_counts
from eva_env.types import Floats
from experiments.ifeval.official import Benchmark, Item

DRAWS = 2000
"""Bootstrap draws of an interval."""

LEVELS = ("prompt_strict", "instruction_strict", "prompt_loose", "instruction_loose")
"""Accuracies, the one that decides first."""


@dataclass(frozen=True)
class Verdicts:
    """Verdicts on responses: for each prompt booleans (n, I), strict and loose."""

    strict: tuple[np.ndarray, ...]
    loose: tuple[np.ndarray, ...]

    @property
    def sizes(self) -> Floats:
        """The numbers of instructions, (P,)."""
        return np.array([table.shape[1] for table in self.strict], dtype=np.float64)

    def sums(self, level: str) -> tuple[Floats, Floats]:
        """Return numerators and denominators (P,) of an accuracy, means over the responses."""
        kind, _, mode = level.partition("_")
        tables = self.strict if mode == "strict" else self.loose
        if kind == "prompt":
            return np.array([table.all(1).mean() for table in tables]), np.ones(len(tables))
        return np.array([table.sum(1).mean() for table in tables]), self.sizes


def judge(
    benchmark: Benchmark, items: Sequence[Item], responses: Sequence[Sequence[str]]
) -> Verdicts:
    """Return the verdicts on responses (P, n)."""
    strict, loose = [], []
    for item, texts in zip(items, responses, strict=True):
        both = [benchmark.verdicts(item, str(text)) for text in texts]
        strict.append(np.array([verdicts[0] for verdicts in both], dtype=bool))
        loose.append(np.array([verdicts[1] for verdicts in both], dtype=bool))
    return Verdicts(tuple(strict), tuple(loose))


def estimate(
    followed: Floats, sizes: Floats, seed: int, comparisons: int = 1
) -> dict[str, float]:
    """Return sum(followed) / sum(sizes) of prompts (P,) with its 95 % bootstrap interval.

    With several ``comparisons`` all their intervals cover jointly (Bonferroni). Paired
    differences are estimated in the same way: ``followed`` is then a difference.
    """
    _, counts = draw_counts(1, len(sizes), DRAWS, np.random.default_rng(seed))
    ratios = (counts @ followed) / (counts @ sizes)
    tail = 0.025 / comparisons
    low, high = np.quantile(ratios, (tail, 1 - tail))
    mean = float(followed.sum() / sizes.sum())
    return {"mean": mean, "low": float(low), "high": float(high)}


def accuracies(verdicts: Verdicts, seed: int) -> dict[str, dict[str, float]]:
    """Return the estimates of all ``LEVELS``."""
    return {level: estimate(*verdicts.sums(level), seed) for level in LEVELS}


def paired(after: Verdicts, before: Verdicts, seed: int) -> dict[str, dict[str, float]]:
    """Return the estimates of after - before, paired over prompts."""
    differences = {}
    for level in LEVELS:
        gap = after.sums(level)[0] - before.sums(level)[0]
        differences[level] = estimate(gap, after.sums(level)[1], seed)
    return differences


def by_instruction(items: Sequence[Item], verdicts: Verdicts) -> dict[str, dict[str, Any]]:
    """Return for each instruction id its strict rate and the number of prompts that have it."""
    rates: dict[str, list[float]] = {}
    prompts: Counter[str] = Counter()
    for item, table in zip(items, verdicts.strict, strict=True):
        prompts.update(set(item.ids))
        for instruction, rate in zip(item.ids, table.mean(0).tolist(), strict=True):
            rates.setdefault(instruction, []).append(rate)
    return {
        name: {"rate": float(np.mean(rates[name])), "prompts": prompts[name]}
        for name in sorted(rates)
    }


def repeated_trigrams(text: str) -> float:
    """Return the share of a text's trigrams of words that occurred before in it, in [0, 1]."""
    words = text.split()
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0


def copied(responses: Sequence[Sequence[str]]) -> float:
    """Return the share of responses (P, n) whose text is a response to another prompt too."""
    used_by = Counter(text for texts in responses for text in {str(text) for text in texts})
    return float(np.mean([[used_by[str(text)] > 1 for text in texts] for texts in responses]))


def reading(responses: Sequence[Sequence[str]], tokens: Floats) -> dict[str, float | None]:
    """Return how responses (P, n) with their numbers of tokens (P, n) read.

    ``words`` and ``tokens`` are mean lengths, ``repeated_trigrams`` is the mean share,
    ``cut_off`` the share that did not end (None where that is unknown), and ``copied`` the
    share of responses that are a response to another prompt too.
    """
    texts = [text for row in responses for text in row]
    ended = [getattr(text, "ended", None) for text in texts]
    return {
        "words": float(np.mean([len(text.split()) for text in texts])),
        "tokens": float(np.mean(tokens)),
        "repeated_trigrams": float(np.mean([repeated_trigrams(text) for text in texts])),
        "cut_off": float(np.mean([not end for end in ended])) if None not in ended else None,
        "copied": copied(responses),
    }


def unmet_below(items: Sequence[Item], max_tokens: int) -> int:
    """Return how many prompts no response of ``max_tokens`` can meet, at least."""
    return sum(item.least_tokens > max_tokens for item in items)
