"""Judge a player on fixed prompts that no creator sees, and compare what came out.

In-play reward depends on the prompts that a creator chose, so it is no result; these are.
Shape letters: P prompts, n responses to each.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from agents.base import Policy, Solver
from eva_env.types import Floats, RewardModel


def answer(player: Solver | Policy, prompts: Sequence[Any], n: int, seed: int) -> Any:
    """The player's responses (P, n), drawn from a fixed generator of their own."""
    respond = player.answer if isinstance(player, Solver) else player.sample
    return respond(prompts, n, np.random.default_rng(seed))


def evaluate(
    player: Solver | Policy,
    prompts: Sequence[Any],
    reward_model: RewardModel,
    n: int,
    seed: int,
) -> Floats:
    """Rewards (P, n) of the player on fixed prompts, in reward-model units."""
    return np.asarray(reward_model(prompts, answer(player, prompts, n, seed)))


def wins(rewards: Floats, baseline: Floats, *, coupled: bool = False) -> Floats:
    """P(reward > baseline) + P(tie) / 2 of each prompt, (P, n) and (P, m) -> (P,) in [0, 1].

    Over all n * m pairs of a prompt's responses, so that no pair is drawn by luck. ``coupled``
    is for two players that answered from the same seed: pairs (i, i), which share a random
    stream, are left out. The others are independent, and a player is exactly on a par with
    itself, whereas with two seeds it may be lucky.
    """
    if len(rewards) != len(baseline):
        raise ValueError(f"got rewards of {len(rewards)} prompts, baseline of {len(baseline)}")
    score = (np.sign(rewards[:, :, None] - baseline[:, None, :]) + 1) / 2
    if not coupled:
        return score.mean((1, 2))
    n = rewards.shape[1]
    return score[:, ~np.eye(n, dtype=bool)].mean(-1)


def win_rate(rewards: Floats, baseline: Floats, *, coupled: bool = False) -> float:
    """Mean over prompts of ``wins``, in [0, 1]; 1/2 is on a par."""
    return float(wins(rewards, baseline, coupled=coupled).mean())


def interval(values: Sequence[float] | Floats, comparisons: int = 1) -> tuple[float, float]:
    """Mean and half-width of its 95 % Student-t interval; NaN below two values.

    With several comparisons all their intervals cover at once with 95 % (Bonferroni).
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(
        error * stats.t.ppf(1 - 0.025 / comparisons, len(values) - 1)
    )


def bootstrap(values: Floats, seed: int, draws: int = 2000) -> tuple[float, float]:
    """95 % percentile interval of the mean, resampling the prompts, (P,) -> (low, high)."""
    rng = np.random.default_rng(seed)
    values = np.asarray(values)
    means = values[rng.integers(len(values), size=(draws, len(values)))].mean(-1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
