"""The estimate step: how informative the prompts of a round are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from agents.base import Creator, Replay
from eva_env.plugins import absolute, is_spec, load_object
from eva_env.signals import (
    NEEDS_LOGPROBS,
    PASS_RATE_SIGNALS,
    ROUND_SIGNALS,
    SIGNALS,
    signal_of,
)
from eva_env.types import Floats, Round


def find_signal(name: str) -> Callable[[Round], Floats]:
    """Return the signal of a name as a function of a round, whose values are (B,).

    A name is one of ``eva_env.signals``, or ``package.module.function`` or
    ``path/to/file.py:function`` for a function of your own: rewards (..., B, n) -> (..., B).
    Raises ValueError for an unknown name and for what is not a function, ImportError for a
    module that is missing or fails.
    """
    if name in ROUND_SIGNALS:
        return ROUND_SIGNALS[name]
    if name in SIGNALS:
        function = SIGNALS[name]
    elif is_spec(name):
        function = load_object(name)
        if not callable(function):
            raise ValueError(
                f"signal {name!r} must be a function: rewards (..., B, n) -> (..., B), got "
                f"{function!r}"
            )
    else:
        names = ", ".join([*ROUND_SIGNALS, *SIGNALS])
        raise ValueError(
            f"unknown signal {name!r}; known signals: {names}; or name a function of yours as "
            f"package.module.function or path/to/file.py:function"
        )
    return lambda round: _called(name, function, round.rewards)


def _called(name: str, function: Callable[[Floats], Any], rewards: Floats) -> Floats:
    """Return the signal of rewards (B, n); ValueError if the function takes anything else."""
    try:
        return signal_of(function, rewards)
    except TypeError as error:
        raise ValueError(
            f"signal {name!r} must be a function of the rewards (..., B, n) alone: {error}"
        ) from error


def measure(name: str, round: Round) -> Floats:
    """Return the signal of each prompt of a round, (B,).

    Raises ValueError if the shape is wrong or a value is not finite.
    """
    values = find_signal(name)(round)
    if values.shape != (len(round.prompts),):
        raise ValueError(
            f"signal {name!r} must return shape ({len(round.prompts)},), a number for each "
            f"prompt, got {values.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(
            f"signal {name!r} is {values[bad[0]]} for {len(bad)} of {len(values)} prompts, the "
            f"first {round.prompts[bad[0]]!r}; a signal must be finite wherever rewards are"
        )
    return values


class SignalCreator(Creator):
    """A creator with a setting ``signal``, the name of what it measures on a round's prompts.

    Subclasses declare the field, so that each has its own default and help text.
    """

    signal: str

    def __post_init__(self) -> None:
        find_signal(self.signal)
        self.signal = absolute(self.signal)  # so that a run can be resumed in another folder
        super().__post_init__()

    @property
    def counts_passes(self) -> bool:
        """True if the signal is made of pass rates."""
        return self.signal in {signal.__name__ for signal in PASS_RATE_SIGNALS}

    @property
    def needs_logprobs(self) -> bool:
        """True if the signal reads ``Round.logprobs``."""
        return self.signal in NEEDS_LOGPROBS

    def observe_round(self, round: Round, replay: Replay, rng: np.random.Generator) -> Round:
        """Return the round as played, with log-probabilities if the signal reads them."""
        return replace(round, logprobs=replay.logprobs(round)) if self.needs_logprobs else round

    def measure(self, round: Round) -> Floats:
        """Return the signal of each prompt of a round, (B,)."""
        return measure(self.signal, round)


def plain(prompts: Sequence[Any]) -> list[Any]:
    """Return prompts as a list of strings or Python integers."""
    return prompts.tolist() if isinstance(prompts, np.ndarray) else list(prompts)


def average(prompts: Sequence[Any], values: Floats) -> tuple[list[Any], Floats]:
    """Return the distinct prompts in order of appearance, and the mean value of each."""
    rows: dict[Any, int] = {}
    row = np.array([rows.setdefault(prompt, len(rows)) for prompt in plain(prompts)])
    return list(rows), np.bincount(row, values) / np.bincount(row)
