"""Reward-model wrappers: noise, bias, drift, win rates, ensembles and refits over a base.

The base is a verifier, a table or a learned model. To add a wrapper, write a frozen dataclass
that derives from ``Wrapper`` and append ``| Mine`` to ``AnyRewardModel``: the command line then
knows it by name, and the contract tests cover it. Any callable is a reward model without that.
"""

from eva_env.rewards.base import Plain as Plain
from eva_env.rewards.base import Wrapper as Wrapper
from eva_env.rewards.base import base_rewards as base_rewards
from eva_env.rewards.biased import Drifting as Drifting
from eva_env.rewards.biased import LengthBiased as LengthBiased
from eva_env.rewards.comparisons import Comparisons as Comparisons
from eva_env.rewards.ending import MissingEndPenalty as MissingEndPenalty
from eva_env.rewards.ensemble import Ensemble as Ensemble
from eva_env.rewards.noise import Noisy as Noisy
from eva_env.rewards.pairwise import PairwiseWinRate as PairwiseWinRate
from eva_env.rewards.pairwise import win_rates as win_rates
from eva_env.rewards.retrained import Retrained as Retrained

AnyRewardModel = (
    Plain | Noisy | LengthBiased | Drifting | PairwiseWinRate | Ensemble | Retrained
)
"""The wrappers that the command line and the contract tests know."""
