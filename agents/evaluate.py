"""Evaluate a player on fixed prompts that no creator sees, and compare the results.

The reward during play depends on the prompts that a creator chose, so it is not a result.
Rewards on fixed prompts are. Shape letters: P prompts, n responses to each.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.base import Solver
from agents.policies.base import Policy
from eva_env.missing import mean_reward
from eva_env.payoffs import check_rewards, name_of
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
    """Return the player's rewards (P, n) on fixed prompts, in reward-model units.

    A missing reward is NaN. Raises ValueError for misshapen or infinite rewards.
    """
    return score(reward_model, prompts, sample_responses(player, prompts, n, seed))


def score(reward_model: RewardModel, prompts: Sequence[Any], responses: Any) -> Floats:
    """Return the rewards of responses (P, n); ValueError if misshapen or infinite."""
    shape = (len(prompts), len(responses[0]))
    rewards = check_rewards(reward_model(prompts, responses), shape, reward_model)
    infinite = np.isinf(rewards)
    if infinite.any():
        prompt = prompts[int(infinite.any(-1).argmax())]
        raise ValueError(
            f"{name_of(reward_model)} returned {rewards[infinite][0]} for a response to prompt "
            f"{prompt!r}; return a finite number, or NaN for a response that cannot be scored"
        )
    return rewards


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
