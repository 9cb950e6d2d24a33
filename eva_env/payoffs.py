"""The payoff rules: legal rewards, legal signals, and the creator's payoff.

The game and the vector engine share them. Rewards have the shape (..., B, n); the leading axes
are () in one game and (G,) in the G games of the vector engine.
"""

import math
from typing import Any, NoReturn

import numpy as np

from eva_env.signals import SIGNALS, Signal
from eva_env.types import Floats, RewardModel


def require_payoff(signal: str | Signal) -> None:
    """Raise ValueError unless a creator's payoff is a function, "regret" or a known signal."""
    if isinstance(signal, str) and signal not in SIGNALS and signal != "regret":
        names = ", ".join(["regret", *SIGNALS])
        raise ValueError(f"unknown signal {signal!r}; known signals: {names}")


def check_rewards(rewards: Any, shape: tuple[int, ...], model: RewardModel) -> Floats:
    """Return the rewards as float64; ValueError names the model unless they have the shape."""
    try:
        rewards = np.asarray(rewards, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name_of(model)} must return rewards of shape {shape}, "
            f"got no array of numbers: {error}"
        ) from error
    if rewards.shape != shape:
        raise ValueError(
            f"{name_of(model)} must return rewards of shape {shape}, got {rewards.shape}"
        )
    return rewards


def refuse_infinite_rewards(rewards: Floats, prompts: Any, model: RewardModel) -> None:
    """Raise ValueError that names the first of the rewards (..., B, n) that is not finite.

    Returns if all are finite, and only their sum overflows.
    """
    bad = ~np.isfinite(rewards)
    if not bad.any():
        return
    place = tuple(np.argwhere(bad)[0].tolist())
    prompt = prompts
    for i in place[:-1]:
        prompt = prompt[i]
    prompt = prompt.item() if isinstance(prompt, np.generic) else prompt
    raise ValueError(
        f"{name_of(model)} returned {rewards[place]} for {int(bad.sum())} of {rewards.size} "
        f"responses, the first to prompt {prompt!r}; the round was not played, fix the reward "
        f"model and call respond() again"
    )


def signal_values(
    signal: str | Signal, model: RewardModel, prompts: Any, rewards: Floats
) -> Floats:
    """Return the creator's payoff by prompt, rewards (..., B, n) -> (..., B).

    "regret" is the best attainable reward, ``model.best(prompts)``, minus the mean reward.
    Raises ValueError for values that are misshapen or not finite.
    """
    if signal == "regret":
        best: Any = model.best(prompts)  # type: ignore[attr-defined]
        values = best - np.add.reduce(rewards, -1) / rewards.shape[-1]
    else:
        function = SIGNALS[signal] if isinstance(signal, str) else signal
        values = np.asarray(function(rewards), dtype=np.float64)
    if values.shape != rewards.shape[:-1]:
        _refuse_signal(signal, rewards, f"shape {values.shape}")
    # The sum is a cheap test: it is finite unless a value is not, or they overflow.
    if not math.isfinite(np.add.reduce(values, None)) and not np.isfinite(values).all():
        _refuse_signal(signal, rewards, f"{values[~np.isfinite(values)][0]}")
    return values


def creator_payoff(signal: Floats, invalid: float = 0.0, penalty: float = 1.0) -> Any:
    """Return the creator's payoff, (..., B) -> (...): the mean signal minus a penalty.

    The penalty is proportional to ``invalid``, the probability of invalid prompts. Without a
    valid prompt (``invalid`` is 1) the batch is not the creator's, and the penalty is all.
    """
    payoff = np.add.reduce(signal, -1) / signal.shape[-1]
    if invalid == 0.0:
        return payoff
    return (payoff if invalid < 1.0 else 0.0) - penalty * invalid


def _refuse_signal(signal: str | Signal, rewards: Floats, got: str) -> NoReturn:
    name = signal if isinstance(signal, str) else name_of(signal)
    raise ValueError(
        f"signal {name} must return finite numbers of shape {rewards.shape[:-1]}, one for each "
        f"prompt, got {got}"
    )


def name_of(part: object) -> str:
    """Return the name of a function, or of the class of any other object."""
    return getattr(part, "__name__", type(part).__name__)
