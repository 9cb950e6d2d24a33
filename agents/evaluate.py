"""Evaluate a player on fixed prompts that no creator sees, and compare the results.

The reward during play depends on the prompts that a creator chose, so it is not a result.
Rewards on fixed prompts are. Shape letters: P prompts, n responses to each.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.base import Solver
from agents.policies.base import Policy
from eva_env.statistics.bootstrap import resampled
from eva_env.statistics.win_rates import PlayerResponses, wins
from eva_env.types import Floats, RewardModel


def sample_responses(player: Solver | Policy, prompts: Sequence[Any], n: int, seed: int) -> Any:
    """Draw the player's responses (P, n) from a generator that depends on ``seed`` alone."""
    respond = player.respond_for_evaluation if isinstance(player, Solver) else player.sample
    return respond(prompts, n, np.random.default_rng(seed))


def evaluate(
    player: Solver | Policy,
    prompts: Sequence[Any],
    reward_model: RewardModel,
    n: int,
    seed: int,
) -> Floats:
    """Return the player's rewards (P, n) on fixed prompts, in reward-model units."""
    return np.asarray(reward_model(prompts, sample_responses(player, prompts, n, seed)))


def win_rate(rewards: Floats, baseline: Floats) -> float:
    """Return the mean of ``wins`` over prompts of coupled rewards (P, n); 1/2 is a draw."""
    return float(wins(PlayerResponses(rewards), PlayerResponses(baseline)).mean())


def bootstrap(values: Floats, seed: int, draws: int = 2000) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean over prompts, (P,) -> (low, high)."""
    means = resampled(np.asarray(values)[None], draws, np.random.default_rng(seed))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
