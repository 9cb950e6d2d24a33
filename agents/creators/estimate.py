"""Estimate: how informative the answered prompts of a round are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eva_env.signals import SIGNALS
from eva_env.types import Floats, Round

PAYOFF = "payoff"
"""The signal that reads off what the game itself pays for each prompt."""


def check_signal(name: str) -> None:
    """Raise ValueError unless ``measure`` knows the signal."""
    if name != PAYOFF and name not in SIGNALS:
        known = ", ".join([PAYOFF, *SIGNALS])
        raise ValueError(f"unknown signal {name!r}; known signals: {known}")


def measure(name: str, round: Round) -> Floats:
    """The signal of each prompt of a round, (B,); ValueError where it is not finite."""
    values = round.signal if name == PAYOFF else SIGNALS[name](round.rewards)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(
            f"signal {name!r} is {values[bad[0]]} for {len(bad)} of {len(values)} prompts, the "
            f"first {round.prompts[bad[0]]!r}; a signal must be finite wherever rewards are"
        )
    return values


def average(prompts: Sequence[Any], values: Floats) -> tuple[list[Any], Floats]:
    """Distinct prompts in order of appearance, and the mean of each one's values."""
    if isinstance(prompts, np.ndarray):
        prompts = prompts.tolist()
    rows: dict[Any, int] = {}
    row = np.array([rows.setdefault(prompt, len(rows)) for prompt in prompts])
    return list(rows), np.bincount(row, values) / np.bincount(row)
