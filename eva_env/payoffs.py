"""The payoff rules: legal rewards, legal signals, and the creator's payoff.

The game and the vector engine share them. Rewards have the shape (..., B, n); the leading axes
are () in one game and (G,) in the G games of the vector engine.
"""

import math
from typing import Any, NoReturn

import numpy as np

from eva_env.missing import by_count, mean_reward, mean_scored
from eva_env.signals import READS_MISSING, SIGNALS, Signal
from eva_env.types import Floats, RewardModel


def require_payoff(signal: str | Signal) -> None:
    """Raise ValueError unless a creator's payoff is a function, "regret" or a known signal."""
    if isinstance(signal, str) and signal not in SIGNALS and signal != "regret":
        names = ", ".join(["regret", *SIGNALS])
        raise ValueError(f"unknown signal {signal!r}; known signals: {names}")


def check_rewards(rewards: Any, shape: tuple[int, ...], model: RewardModel) -> Floats:
    """Return the rewards as float64, None as NaN; ValueError names the model otherwise."""
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


def require_no_infinite(rewards: Floats, prompts: Any, model: RewardModel) -> bool:
    """Return whether a reward is missing; ValueError names the first one that is infinite.

    False if all of the rewards (..., B, n) are finite, and only their sum overflows.
    """
    infinite = np.isinf(rewards)
    if not infinite.any():
        return bool(np.isnan(rewards).any())
    place = tuple(np.argwhere(infinite)[0].tolist())
    prompt = prompts
    for i in place[:-1]:
        prompt = prompt[i]
    prompt = prompt.item() if isinstance(prompt, np.generic) else prompt
    raise ValueError(
        f"{name_of(model)} returned {rewards[place]} for {int(infinite.sum())} of "
        f"{rewards.size} responses, the first to prompt {prompt!r}; the round was not played, "
        f"fix the reward model and call respond() again; it may return NaN for a response that "
        f"it cannot score"
    )


def signal_values(
    signal: str | Signal,
    model: RewardModel,
    prompts: Any,
    rewards: Floats,
    missing: bool = False,
) -> Floats:
    """Return the creator's payoff by prompt, rewards (..., B, n) -> (..., B).

    "regret" is the best attainable reward, ``model.best(prompts)``, minus the mean reward.
    ``missing`` says that rewards are missing (NaN): each prompt's signal then reads its scored
    responses, and is NaN for fewer than two. Raises ValueError for values that are misshapen or
    not finite.
    """
    if signal == "regret":
        best: Any = model.best(prompts)  # type: ignore[attr-defined]
        if missing:
            means = by_count(lambda scored: scored.mean(-1), rewards)
        else:
            means = np.add.reduce(rewards, -1) / rewards.shape[-1]
        values = best - means
    else:
        function = SIGNALS[signal] if isinstance(signal, str) else signal
        if missing and function not in READS_MISSING:
            values = by_count(function, rewards)
        else:
            values = np.asarray(function(rewards), dtype=np.float64)
    if values.shape != rewards.shape[:-1]:
        _refuse_signal(signal, rewards, f"shape {values.shape}")
    # The sum is a cheap test: it is finite unless a value is not, or they overflow.
    if not math.isfinite(np.add.reduce(values, None)):
        expected = by_count(lambda scored: scored[:, 0], rewards) if missing else 0.0
        bad = ~np.isfinite(values) & ~np.isnan(expected)
        if bad.any():
            _refuse_signal(signal, rewards, f"{values[bad][0]}")
    return values


def creator_payoff(
    signal: Floats, invalid: float = 0.0, penalty: float = 1.0, missing: bool = False
) -> Any:
    """Return the creator's payoff, (..., B) -> (...): the mean signal minus a penalty.

    The penalty is proportional to ``invalid``, the probability of invalid prompts. Without a
    valid prompt (``invalid`` is 1) the batch is not the creator's, and the penalty is all.
    ``missing`` says that prompts may have no signal (NaN): they are left out of the mean, which
    is 0 if none has a signal.
    """
    if missing:
        payoff = np.nan_to_num(mean_scored(signal))
    else:
        payoff = np.add.reduce(signal, -1) / signal.shape[-1]
    if invalid == 0.0:
        return payoff
    return (payoff if invalid < 1.0 else 0.0) - penalty * invalid


def solver_payoff(rewards: Floats) -> float:
    """Return the mean over prompts of the mean reward of scored responses, 0 without any.

    For rewards (B, n) of which some are missing; otherwise the mean of all.
    """
    return mean_reward(rewards) or 0.0


def _refuse_signal(signal: str | Signal, rewards: Floats, got: str) -> NoReturn:
    name = signal if isinstance(signal, str) else name_of(signal)
    raise ValueError(
        f"signal {name} must return finite numbers of shape {rewards.shape[:-1]}, one for each "
        f"prompt, got {got}"
    )


def name_of(part: object) -> str:
    """Return the name of a function, or of the class of any other object."""
    return getattr(part, "__name__", type(part).__name__)
