"""The boundary of the game: everything that users' code returns is checked here, and only here.

Rewards, best values, logits and signals must be finite real numbers of the right shape, and
responses must be rows of numbers or of strings of bounded length. What passes is float64 or
unchanged; anything else raises ValueError in one line, which names the part, the value and the
remedy. Tensors are detached: players read rewards as numbers, so a gradient through them has no
use. True is 1 and False is 0.

A reward is missing (NaN) where the reward model gives None. A NaN is an error, such as 0 / 0,
unless the reward model has the attribute ``nan_is_missing = True``.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from numbers import Real
from typing import Any

import numpy as np

from eva_env.deadline import Result, within
from eva_env.real_numbers import check_numbers, is_usual, kind_of, read_numbers, shown
from eva_env.require import require
from eva_env.types import DeclaresMissing, Floats, RewardModel, offers

LARGEST = 1e18
"""Largest magnitude of a reward, a best value or a logit. Players compute in float32, and the
squares of larger numbers overflow there."""

LARGEST_SIGNAL = 1e37
"""Largest magnitude of a signal; variances of the largest rewards are smaller."""


@dataclass(frozen=True)
class Limits:
    """Limits of what users' reward models and solvers may return, and of the time they take."""

    characters: int = 65_536
    """Most characters of a response."""
    reward_deadline: float | None = None
    """Seconds that one call of a reward model may take, such as a request to a server. None: no
    limit."""
    response_deadline: float | None = None
    """Seconds that the solver may take to respond to one batch. None: no limit."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "characters")
        require(self, "(0, inf)", "reward_deadline", "response_deadline")

    def of_reward(self, call: Callable[[], Result], name: str) -> Result:
        """Return the result of a call of a reward model; DeadlineError if it is late."""
        return within(self.reward_deadline, call, name, "more --limits.reward-deadline")

    def of_response(self, call: Callable[[], Result], name: str) -> Result:
        """Return the result of a solver's call; DeadlineError if it is late."""
        return within(self.response_deadline, call, name, "more --limits.response-deadline")


NO_LIMITS = Limits()
"""The default limits: only the length of responses is bounded."""


def score(
    model: RewardModel,
    prompts: Sequence[Any],
    responses: Any,
    limits: Limits = NO_LIMITS,
    samples: int | None = None,
) -> Floats:
    """Return a reward model's rewards (B, n) of responses; NaN where a reward is missing.

    ``samples`` is n; None: that of the first row. Raises ValueError for responses and rewards
    that break a rule of this module.
    """
    shape = check_responses(prompts, responses, samples, limits.characters)
    rewards = limits.of_reward(lambda: model(prompts, responses), name_of(model))
    return check_rewards(rewards, shape, prompts, name_of(model), declares_missing(model))


def check_responses(
    prompts: Sequence[Any],
    responses: Any,
    samples: int | None = None,
    characters: int = NO_LIMITS.characters,
) -> tuple[int, int]:
    """Return the shape (B, n) of legal responses; ValueError for others.

    They are rows (lists, tuples or an array), one for each prompt, of strings or of numbers.
    Only containers with a length pass, so that an endless generator is not read.
    """
    # 1. The rows.
    count = len(prompts)
    if not _is_row(responses):
        raise ValueError(
            f"responses must be a list of {count} rows, one row for each drawn prompt, got "
            f"{kind_of(responses)}"
        )
    for row in responses:
        if not _is_row(row):
            raise ValueError(
                f"responses must be rows: a list of responses to each drawn prompt, got "
                f"{kind_of(row)} {shown(row)} as a row"
            )
    lengths = list(map(len, responses))
    samples = lengths[0] if samples is None and lengths else samples or 0
    if lengths != [samples] * count:
        raise ValueError(
            f"responses must be {count} rows of {samples}, one row for each drawn prompt, got "
            f"rows of lengths {lengths[:8]}"
        )
    # 2. The responses: all numbers, or all strings of bounded length.
    if isinstance(responses, np.ndarray) and responses.dtype.kind in "iuf":
        return count, samples
    flat = list(chain.from_iterable(responses))
    legal = str if flat and isinstance(flat[0], str) else Real
    wrong, reason = -1, ""
    if not all(issubclass(kind, legal) and kind is not bool for kind in set(map(type, flat))):
        wrong = next(i for i, text in enumerate(flat) if _is_other(text, legal))
        reason = f"must be strings, or all of them numbers, got {kind_of(flat[wrong])}"
    elif legal is str and max(map(len, flat)) > characters:
        wrong = next(i for i, text in enumerate(flat) if len(text) > characters)
        reason = (
            f"must have at most {characters} characters (--limits.characters), got "
            f"{len(flat[wrong])}"
        )
    if wrong >= 0:
        raise ValueError(
            f"responses {reason} for response {wrong % samples + 1} to prompt "
            f"{shown(prompts[wrong // samples])}"
        )
    return count, samples


def _is_row(values: Any) -> bool:
    return isinstance(values, list | tuple) or (
        isinstance(values, np.ndarray) and values.ndim > 0
    )


def _is_other(item: Any, legal: type) -> bool:
    return not isinstance(item, legal) or isinstance(item, bool)


def check_rewards(
    rewards: Any, shape: tuple[int, ...], prompts: Any, name: str, nan_is_missing: bool = False
) -> Floats:
    """Return a reward model's rewards (..., B, n) as float64; NaN where they are missing.

    None is a missing reward. So is NaN if the model declares it; otherwise it is an error.
    ``prompts`` (..., B) and ``name`` are for the error.
    """
    if is_usual(rewards, shape, LARGEST):
        return rewards
    numbers, is_none = read_numbers(rewards, shape, f"{name} must return rewards")
    wrong = ~(np.abs(numbers) <= LARGEST)
    wrong &= ~np.isnan(numbers) if nan_is_missing else ~is_none
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        prompt = prompts
        for i in place[:-1]:
            prompt = prompt[i]
        raise ValueError(
            f"{name} returned {numbers[place]} for {int(wrong.sum())} of {wrong.size} "
            f"responses, the first is response {place[-1] + 1} to prompt {shown(prompt)}; "
            f"{_remedy(float(numbers[place]))}"
        )
    return numbers


def check_best(best: Any, shape: tuple[int, ...], name: str) -> Floats:
    """Return the best attainable rewards (..., B) as float64, one for each prompt."""
    return check_numbers(best, shape, f"{name}.best must return finite numbers", LARGEST)


def declares_missing(model: RewardModel) -> bool:
    """Return whether NaN among a model's rewards means that a reward is missing."""
    return offers(model, DeclaresMissing) and model.nan_is_missing is True


def name_of(part: object) -> str:
    """Return the name of a function, or of the class of any other object."""
    return getattr(part, "__name__", type(part).__name__)


def _remedy(value: float) -> str:
    if math.isnan(value):
        return (
            "return None for a response that it cannot score, or declare nan_is_missing = True "
            "on the reward model"
        )
    if math.isinf(value):
        return (
            "fix the reward model; it may return None for a response that it cannot score, or "
            "NaN if it declares nan_is_missing = True"
        )
    return f"rewards must lie in [-{LARGEST:g}, {LARGEST:g}], scale them"
