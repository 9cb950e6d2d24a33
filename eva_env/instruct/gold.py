"""The gold reward of ``Instruct``: the constraints that a response meets, if it is sane."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np

from eva_env.instruct.families import FAMILIES
from eva_env.instruct.instruction import parse
from eva_env.instruct.text import MOST_COPIED, copied, sanity
from eva_env.types import Floats, Likelihood

LEAST_SANITY = 0.5
"""Texts of a lower sanity meet nothing."""


@dataclass(frozen=True)
class InstructGold:
    """The share of a prompt's constraints that a response meets, or all or nothing.

    It does not check that a response answers the request: a copy of the prompt may meet it.

    A response counts only if it is no copy of the prompt (``text.copied`` at most
    ``MOST_COPIED``) and sane English: by counts (``text.sanity`` of at least
    ``LEAST_SANITY``), and by the starting policy, under which its mean log-probability per
    token must not fall below a floor. Without ``likelihood`` the floor is not checked.
    """

    strict: bool = True
    """1 for a sane response that meets all constraints, otherwise 0. False: the share of the
    constraints that it meets, times its sanity."""
    least_logprob: float = -np.inf
    """The floor, in nats per token."""
    likelihood: Likelihood | None = None
    """Mean log-probability per token under the starting policy."""

    def with_likelihood(self, likelihood: Likelihood) -> Self:
        """Return the reward that reads the starting policy's log-probabilities."""
        return replace(self, likelihood=likelihood)

    def __call__(self, prompts: Sequence[str], responses: Any) -> Floats:
        """Return the rewards (B, n), in [0, 1]; ValueError for a text that is no prompt."""
        rewards = np.array(
            [
                [_reward(prompt, str(response), self.strict) for response in row]
                for prompt, row in zip(prompts, responses, strict=True)
            ]
        )
        # The language model is slow, so it reads only what has a reward to lose.
        readable = rewards > 0
        if self.likelihood is None or not np.isfinite(self.least_logprob) or not readable.any():
            return rewards
        rows = np.flatnonzero(readable.any(-1)).tolist()
        logprobs = self.likelihood(
            [prompts[i] for i in rows],
            [[responses[i][j] for j in np.flatnonzero(readable[i]).tolist()] for i in rows],
        )
        rewards[readable] *= logprobs >= self.least_logprob
        return rewards


def constraints_met(prompt: str, response: str) -> list[bool]:
    """Return whether a response meets each constraint of a prompt, in the prompt's order.

    Raises ValueError for a text that is not a prompt of this world.
    """
    instruction = parse(prompt)
    if instruction is None:
        raise ValueError(f"{prompt!r} is not a prompt of the instruct world")
    return [
        bool(FAMILIES[family].met(response, value)) for family, value in instruction.constraints
    ]


@lru_cache(maxsize=1 << 16)
def _reward(prompt: str, response: str, strict: bool) -> float:
    met, sane = constraints_met(prompt, response), sanity(response)
    if sane < LEAST_SANITY or copied(prompt, response) > MOST_COPIED:
        return 0.0
    return float(all(met)) if strict else float(np.mean(met)) * sane
