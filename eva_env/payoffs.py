"""The payoff rules: the signal of each prompt, and what the players are paid for a round.

The game and the vector engine share them. Rewards have the shape (..., B, n); the leading axes
are () in one game and (G,) in the G games of the vector engine.
"""

from typing import Any

import numpy as np

from eva_env.boundary import (
    LARGEST_SIGNAL,
    NO_LIMITS,
    Limits,
    check_best,
    check_numbers,
    name_of,
)
from eva_env.missing import by_count, mean_reward, mean_scored
from eva_env.signals import READS_MISSING, SIGNALS, Signal
from eva_env.types import Floats, RewardModel


def require_payoff(signal: str | Signal) -> None:
    """Raise ValueError unless a creator's payoff is a function, "regret" or a known signal."""
    if isinstance(signal, str) and signal not in SIGNALS and signal != "regret":
        names = ", ".join(["regret", *SIGNALS])
        raise ValueError(f"unknown signal {signal!r}; known signals: {names}")


def signal_values(
    signal: str | Signal,
    model: RewardModel,
    prompts: Any,
    rewards: Floats,
    missing: bool = False,
    limits: Limits = NO_LIMITS,
) -> Floats:
    """Return the creator's payoff by prompt, rewards (..., B, n) -> (..., B).

    "regret" is the best attainable reward, ``model.best(prompts)``, minus the mean reward.
    ``missing`` says that rewards are missing (NaN): each prompt's signal then reads its scored
    responses, and is NaN for fewer than two. Raises ValueError for values that are misshapen or
    not finite.
    """
    shape = rewards.shape[:-1]
    if signal == "regret":
        best = best_rewards(model, prompts, shape, limits)
        if missing:
            return best - by_count(lambda scored: scored.mean(-1), rewards)
        return best - np.add.reduce(rewards, -1) / rewards.shape[-1]
    function = SIGNALS[signal] if isinstance(signal, str) else signal
    if not missing:
        return _checked(function(rewards), shape, signal)
    if function not in READS_MISSING:
        return by_count(
            lambda scored: _checked(function(scored), scored.shape[:-1], signal), rewards
        )
    values = np.asarray(function(rewards), dtype=np.float64)
    has_signal = ~np.isnan(by_count(lambda scored: scored[:, 0], rewards))
    _checked(values[has_signal], (int(has_signal.sum()),), signal)
    return values


def best_rewards(
    model: RewardModel, prompts: Any, shape: tuple[int, ...], limits: Limits = NO_LIMITS
) -> Floats:
    """Return the best attainable reward of each prompt, (..., B), by a model that knows it."""
    name = name_of(model)
    best: Any = limits.of_reward(lambda: model.best(prompts), name)  # type: ignore[attr-defined]
    return check_best(best, shape, name)


def _checked(values: Any, shape: tuple[int, ...], signal: str | Signal) -> Floats:
    name = signal if isinstance(signal, str) else name_of(signal)
    return check_numbers(
        values, shape, f"signal {name} must return finite numbers", LARGEST_SIGNAL
    )


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
