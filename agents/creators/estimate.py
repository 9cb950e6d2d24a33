"""Estimate: how informative the answered prompts of a round are."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from agents.base import Replay
from eva_env.signals import NEEDS_LOGPROBS, ROUND_SIGNALS, SIGNALS
from eva_env.types import Floats, Round


def check_signal(name: str) -> None:
    """Raise ValueError unless ``measure`` knows the signal."""
    if name not in ROUND_SIGNALS and name not in SIGNALS:
        known = ", ".join([*ROUND_SIGNALS, *SIGNALS])
        raise ValueError(f"unknown signal {name!r}; known signals: {known}")


def needs_logprobs(name: str) -> bool:
    """Whether the signal reads ``Round.logprobs``, which a creator must then ask for."""
    return name in NEEDS_LOGPROBS


def with_logprobs(name: str, round: Round, replay: Replay) -> Round:
    """The round, with the log-probabilities of its responses if the signal reads them."""
    return replace(round, logprobs=replay.logprobs(round)) if needs_logprobs(name) else round


def measure(name: str, round: Round) -> Floats:
    """The signal of each prompt of a round, (B,); ValueError where it is not finite."""
    if name in ROUND_SIGNALS:
        values = ROUND_SIGNALS[name](round)
    else:
        values = SIGNALS[name](round.rewards)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(
            f"signal {name!r} is {values[bad[0]]} for {len(bad)} of {len(values)} prompts, the "
            f"first {round.prompts[bad[0]]!r}; a signal must be finite wherever rewards are"
        )
    return values


def plain(prompts: Sequence[Any]) -> list[Any]:
    """Prompts as a list of strings or Python integers."""
    return prompts.tolist() if isinstance(prompts, np.ndarray) else list(prompts)


def average(prompts: Sequence[Any], values: Floats) -> tuple[list[Any], Floats]:
    """Distinct prompts in order of appearance, and the mean of each one's values."""
    rows: dict[Any, int] = {}
    row = np.array([rows.setdefault(prompt, len(rows)) for prompt in plain(prompts)])
    return list(rows), np.bincount(row, values) / np.bincount(row)
