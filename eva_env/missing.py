"""Missing rewards: NaN where a reward model could not score a response.

A missing reward is never 0: the response is counted, shown and left out. The rules:

- A mean, a pass rate or a win rate of a prompt reads its scored responses. A prompt without
  any has none of these (NaN), and means over prompts leave it out.
- A signal reads the scored responses of a prompt, as if the others had not been drawn. A prompt
  with fewer than ``LEAST_SCORED`` scored responses has no signal (NaN): the creator's payoff
  leaves it out, and the creator does not learn from it.
- A player's payoff in a round without anything to average is 0, and no player learns from it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from eva_env.types import Floats, Ints, Round

LEAST_SCORED = 2
"""Scored responses that a prompt needs to have a signal."""


def has_missing(rewards: Floats) -> bool:
    """Return whether a reward is missing; infinite rewards of both signs count as missing."""
    return bool(np.isnan(np.add.reduce(rewards, None)))


def missing_share(rewards: Floats) -> float:
    """Return the share of the rewards that is missing, in [0, 1]."""
    return float(np.isnan(rewards).mean())


def mean_scored(values: Floats) -> Floats:
    """Return the means over the last axis without NaN; NaN where nothing else is left."""
    scored = ~np.isnan(values)
    counts = scored.sum(-1)
    total = np.where(scored, values, 0.0).sum(-1)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def prompt_means(rewards: Floats) -> Floats:
    """Return the mean reward of each prompt's scored responses, (..., B, n) -> (..., B)."""
    return mean_scored(rewards) if has_missing(rewards) else rewards.mean(-1)


def without_missing(values: Floats) -> Floats:
    """Return values for an observation: NaN becomes the mean of its row's others, else 0.

    A row is the last axis of a matrix; in a vector, NaN becomes 0.
    """
    if not has_missing(values):
        return values
    means = mean_scored(values)[..., None] if values.ndim > 1 else 0.0
    return np.nan_to_num(np.where(np.isnan(values), means, values))


def mean_reward(rewards: Floats) -> float | None:
    """Return the mean over prompts of ``prompt_means``; None if no response is scored."""
    if not has_missing(rewards):
        return float(rewards.mean())
    mean = float(mean_scored(mean_scored(rewards)))
    return None if np.isnan(mean) else mean


def by_count(function: Callable[[Floats], Any], rewards: Floats) -> Floats:
    """Return the values of a signal on the scored rewards, (..., B, n) -> (..., B).

    The function is called once for all prompts of a batch with the same number of scored
    responses, without the missing ones, so that it never sees NaN. Leading axes are separate
    batches. NaN for a prompt with fewer than ``LEAST_SCORED``. A signal that compares the
    prompts of a batch compares those of one call. Raises ValueError for misshapen values.
    """
    if rewards.ndim > 2:
        return np.stack([by_count(function, batch) for batch in rewards])
    values = np.full(len(rewards), np.nan)
    for rows, scored in groups_by_count(rewards):
        found = np.asarray(function(scored), dtype=np.float64)
        if found.shape != rows.shape:
            raise ValueError(
                f"a signal must return shape {rows.shape}, one number for each prompt, got "
                f"{found.shape}"
            )
        values[rows] = found
    return values


def groups_by_count(rewards: Floats) -> Iterator[tuple[Ints, Floats]]:
    """Yield the prompts with k scored responses, (Q,), and their rewards (Q, k), by k.

    Prompts with fewer than ``LEAST_SCORED`` scored responses are left out.
    """
    is_scored = ~np.isnan(rewards)
    counts = is_scored.sum(-1)
    for count in np.unique(counts[counts >= LEAST_SCORED]).tolist():
        rows = np.flatnonzero(counts == count)
        yield rows, rewards[rows][is_scored[rows]].reshape(-1, count)


def with_signal(round: Round) -> Round:
    """Return the round with only the prompts that have a signal; the round itself if all do."""
    if not has_missing(round.rewards) and not has_missing(round.signal):
        return round
    enough = (~np.isnan(round.rewards)).sum(-1) >= LEAST_SCORED
    kept = np.flatnonzero(enough & ~np.isnan(round.signal))
    return replace(
        round,
        prompts=_take(round.prompts, kept),
        responses=_take(round.responses, kept),
        rewards=round.rewards[kept],
        signal=round.signal[kept],
        other_rewards=None if round.other_rewards is None else round.other_rewards[kept],
        logprobs=None if round.logprobs is None else round.logprobs[kept],
    )


def _take(items: Any, rows: Ints) -> Any:
    if isinstance(items, np.ndarray):
        return items[rows]
    return tuple(items[i] for i in rows.tolist())
