"""A penalty on responses that were cut off before they ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eva_env.require import require
from eva_env.rewards.base import Wrapper, base_rewards
from eva_env.types import Floats


@dataclass(frozen=True)
class MissingEndPenalty(Wrapper):
    """The base's rewards, minus a penalty for each response without an end.

    A language model's response has no end if it was cut off at the largest number of tokens.
    The penalty is that of the authors' online script (``missing_eos_penalty``, 1.0 there) and
    of TRL, in units of the base's rewards.
    """

    penalty: float = 1.0
    """Subtracted from the reward of a response that was cut off, in reward-model units."""

    def __post_init__(self) -> None:
        require(self, "[0, inf)", "penalty")

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the penalised rewards (B, n)."""
        rewards = base_rewards(self.base, prompts, responses)
        return rewards - self.penalty * cut_off(responses)

    @property
    def best(self) -> Callable[[Sequence[Any]], Floats]:
        """``best(prompts)`` of the base: the best response can end. Missing where it is."""
        return self.base.best


def cut_off(responses: Any) -> Floats:
    """Return 1 for each response that was cut off and 0 for the others, (B, n)."""
    if isinstance(responses, np.ndarray):  # integers have no end
        return np.zeros(responses.shape)
    return np.array(
        [[not getattr(response, "ended", True) for response in row] for row in responses],
        dtype=np.float64,
    )
