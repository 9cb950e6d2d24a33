"""Evaluate a player on fixed prompts that no creator sees, and compare the results.

The reward during play depends on the prompts that a creator chose, so it is not a result.
Rewards on fixed prompts are. Shape letters: P prompts, n responses to each.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.base import Solver
from agents.policies.base import Policy
from eva_env.boundary import NO_LIMITS, Limits, name_of
from eva_env.boundary import score as score
from eva_env.missing import mean_reward
from eva_env.statistics.bootstrap import resampled
from eva_env.statistics.win_rates import PlayerResponses, wins
from eva_env.types import Floats, RewardModel


def sample_responses(
    player: Solver | Policy,
    prompts: Sequence[Any],
    n: int,
    seed: int,
    limits: Limits = NO_LIMITS,
) -> Any:
    """Draw the player's responses (P, n) from a generator that depends on ``seed`` alone."""
    respond = player.respond_for_evaluation if isinstance(player, Solver) else player.sample
    rng = np.random.default_rng(seed)
    return limits.of_response(lambda: respond(prompts, n, rng), name_of(player))


def evaluate(
    player: Solver | Policy,
    prompts: Sequence[Any],
    reward_model: RewardModel,
    n: int,
    seed: int,
    limits: Limits = NO_LIMITS,
) -> Floats:
    """Return the player's rewards (P, n) on fixed prompts, in reward-model units.

    A missing reward is NaN. Raises ValueError as ``eva_env.boundary.score`` does.
    """
    responses = sample_responses(player, prompts, n, seed, limits)
    return score(reward_model, prompts, responses, limits, n)


def win_rate(rewards: Floats, baseline: Floats) -> float | None:
    """Return the mean of ``wins`` over prompts of coupled rewards (P, n); 1/2 is a draw.

    None if no prompt has a pair of scored responses.
    """
    return mean_reward(wins(PlayerResponses(rewards), PlayerResponses(baseline))[:, None])


def bootstrap(values: Floats, seed: int, draws: int = 2000) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean over prompts, (P,) -> (low, high)."""
    means = resampled(np.asarray(values)[None], draws, np.random.default_rng(seed))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
