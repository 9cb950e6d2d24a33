"""Reward models that stand between a base reward and the game.

The base is a verifier, a table or a learned model; what stands here makes it noisy, biased,
pairwise, one of several, or lets it drift or learn. To add one, write a frozen dataclass that
derives from ``Wrapper`` and append ``| Mine`` to ``AnyRewardModel``. That line buys it a name
on the command line and the contract tests; any callable is a reward model all the same.
"""

from eva_env.rewards.base import Plain as Plain
from eva_env.rewards.base import Wrapper as Wrapper
from eva_env.rewards.biased import Drifting as Drifting
from eva_env.rewards.biased import LengthBiased as LengthBiased
from eva_env.rewards.comparisons import Comparisons as Comparisons
from eva_env.rewards.ensemble import Ensemble as Ensemble
from eva_env.rewards.noise import Noisy as Noisy
from eva_env.rewards.pairwise import PairwiseWinRate as PairwiseWinRate
from eva_env.rewards.pairwise import win_rates as win_rates
from eva_env.rewards.retrained import Retrained as Retrained

AnyRewardModel = (
    Plain | Noisy | LengthBiased | Drifting | PairwiseWinRate | Ensemble | Retrained
)
"""All that the command line and the contract tests know."""
