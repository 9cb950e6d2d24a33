"""A reward model of your own: a judge who gives whole marks.

Use it with:

    eva train reward-model:experiments/examples/own_reward_model.py:Rounded:mark=0.5
    eva compare reward-model:experiments/examples/own_reward_model.py:Rounded
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eva_env.rewards import Wrapper, base_rewards
from eva_env.types import Floats


@dataclass(frozen=True)
class Rounded(Wrapper):
    """Round the rewards of the model below to multiples of a mark."""

    mark: float = 0.25
    """Distance between two marks, in reward-model units."""

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the rounded rewards, (B, n)."""
        return np.round(base_rewards(self.base, prompts, responses) / self.mark) * self.mark
