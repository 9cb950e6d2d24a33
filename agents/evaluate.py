"""Judge a player on fixed prompts that no creator sees, and compare what came out.

In-play reward depends on the prompts that a creator chose, so it is no result; these are.
Shape letters: P prompts, n responses to each.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.base import Solver
from agents.policies.base import Policy
from eva_env.statistics.bootstrap import resampled
from eva_env.statistics.win_rates import Answers, wins
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
    """Rewards (P, n) of the player on fixed prompts, in reward-model units."""
    return np.asarray(reward_model(prompts, sample_responses(player, prompts, n, seed)))


def win_rate(rewards: Floats, baseline: Floats) -> float:
    """Mean over prompts of ``wins`` of coupled rewards (P, n), in [0, 1]; 1/2 is on a par."""
    return float(wins(Answers(rewards), Answers(baseline)).mean())


def bootstrap(values: Floats, seed: int, draws: int = 2000) -> tuple[float, float]:
    """95 % percentile interval of the mean, resampling the prompts, (P,) -> (low, high)."""
    means = resampled(np.asarray(values)[None], draws, np.random.default_rng(seed))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
