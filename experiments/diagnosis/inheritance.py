"""Heredity of the signal, overall and by operator, and the gain of selecting parents by it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eva_env.missing import mean_scored
from eva_env.signals import Signal, signal_of
from eva_env.types import Floats
from experiments.diagnosis import estimates
from experiments.diagnosis.estimates import Parents, estimate, finite
from experiments.diagnosis.responses import Answers

FEWEST_PAIRS = 8
"""Pairs that the correlation of one operator needs."""


def inheritance(
    answers: Answers,
    groups: tuple[Floats, Floats],
    signal: Signal,
    units: Parents,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return heredity, overall and by operator, and the selection gain with its ceiling."""
    first, second = groups
    n = answers.parents.shape[1] // 2
    both, others = np.concatenate([first, second]), np.concatenate([second, first])
    ceiling = estimates.selection_gain(both, others, units.counts)
    result: dict[str, Any] = {"ceiling": estimate(ceiling)}
    undefined = dict.fromkeys(("value", "low", "high"))
    if not len(answers.children):
        names = ("heredity", "heredity_corrected", "gain", "children_mean_signal")
        return result | {name: undefined for name in names} | {"operators": []}
    values = signal_of(signal, answers.children)
    parent_of = answers.parent_of
    raw = estimates.heredity(both, values, parent_of, units.counts)
    noise = (
        estimates.correlation(first, second, units.counts),
        children_reliability(answers, signal, n, units, rng),
    )
    means = estimates.children_means(values, parent_of, len(answers.parents))
    gain = estimates.selection_gain(both, np.broadcast_to(means, both.shape), units.counts)
    return result | {
        "children_mean_signal": estimate(estimates.mean_over(means[None], units.counts)),
        "heredity": estimate(raw),
        "heredity_corrected": estimate(estimates.attenuation_corrected(raw, *noise)),
        "children_reliability": estimate(noise[1]),
        "gain": estimate(gain),
        "operators": by_operator(answers, both, values, noise, units),
    }


def children_reliability(
    answers: Answers, signal: Signal, n: int, units: Parents, rng: np.random.Generator
) -> Floats:
    """Return the reliability of the children's signal at n, (1 + D,).

    They have n responses only: two groups of n // 2 are compared, and ``spearman_brown``
    projects to n. NaN for n < 4, where a group would have a single response.
    """
    half = n // 2
    if half < 2:
        return np.full(len(units.counts), np.nan)
    groups = estimates.halves(answers.children, signal, rng, half)
    at_half = estimates.correlation(*groups, units.counts[:, answers.parent_of])
    return estimates.spearman_brown(at_half, n / half)


def by_operator(
    answers: Answers,
    parents: Floats,
    children: Floats,
    noise: tuple[Floats, Floats],
    units: Parents,
) -> list[dict[str, Any]]:
    """Return a row for each operator: its pairs, mean signal and heredity, best first.

    The correction for noise takes the reliabilities of all parents and all children.
    """
    rows = []
    names = np.array(answers.operators)
    for name in dict.fromkeys(answers.operators):
        at = np.flatnonzero(names == name)
        raw = estimates.heredity(parents, children[at], answers.parent_of[at], units.counts)
        enough = len(at) >= FEWEST_PAIRS
        corrected = estimates.attenuation_corrected(raw, *noise)
        blank = np.full(len(raw), np.nan)
        rows.append(
            {
                "operator": name,
                "pairs": len(at),
                "mean_signal": finite(float(mean_scored(children[at]))),
                "heredity": estimate(raw if enough else blank),
                "heredity_corrected": estimate(corrected if enough else blank),
            }
        )
    return sorted(rows, key=_heredity, reverse=True)


def best_and_worst(operators: Sequence[Mapping[str, Any]]) -> tuple[Any, Any] | None:
    """Return the rows of highest and lowest heredity; None for fewer than two such rows."""
    rows = [row for row in operators if row["heredity"]["value"] is not None]
    return (rows[0], rows[-1]) if len(rows) > 1 else None


def _heredity(row: Mapping[str, Any]) -> float:
    value = row["heredity"]["value"]
    return -np.inf if value is None else value
