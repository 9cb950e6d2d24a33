"""Signals of verifiable rewards, where a response passes or fails: functions of the pass rate.

Each maps rewards (..., B, n) to (..., B); ``passing`` is the reward from which a response
passes, in reward-model units. They measure learnability, not regret: where no response
passes, the regret is greatest and they are 0.
"""

from collections.abc import Callable

import numpy as np

from eva_env.types import Floats

PASS = 1 - 1e-6
"""A response passes from this reward on: a verifier's 1, up to the rounding of float32."""


def pass_rate(rewards: Floats, passing: float = PASS) -> Floats:
    """p, the share of rewards that are at least ``passing``, in [0, 1]."""
    return (rewards >= passing).mean(-1)


def learnability(rewards: Floats, passing: float = PASS) -> Floats:
    """p (1 - p) of the pass rate p, in [0, 1/4].

    SFL, sampling for learnability (Rutherford et al. 2024, arXiv 2408.15099).
    """
    p = pass_rate(rewards, passing)
    return p * (1 - p)


def unit_learnability(rewards: Floats, passing: float = PASS) -> Floats:
    """4 p (1 - p): ``learnability`` in [0, 1], one where half of the responses pass."""
    return 4 * learnability(rewards, passing)


def uncertainty(rewards: Floats, passing: float = PASS) -> Floats:
    """1 - 2 |p - 1/2|, in [0, 1]; R-Zero's challenger (Huang et al. 2025, arXiv 2508.05004).

    There p is the share of the most frequent response, for want of a verifier; here it is
    the pass rate.
    """
    return 1 - 2 * np.abs(pass_rate(rewards, passing) - 0.5)


def proposer_learnability(rewards: Floats, passing: float = PASS) -> Floats:
    """1 - p where some response passes, 0 where none or all do, in [0, 1).

    AZR's reward for its proposer (Zhao et al. 2025, arXiv 2505.03335).
    """
    p = pass_rate(rewards, passing)
    return np.where(p > 0, 1 - p, 0.0)


def band_pass(rewards: Floats, passing: float = PASS, below: float = 0.25) -> Floats:
    """1 where 0 < p < ``below``, else 0: what is barely solvable.

    Which conjectures STP keeps (Dong and Ma 2025, arXiv 2502.00212). Needs n >= 5 responses:
    of four, one is a quarter already.
    """
    p = pass_rate(rewards, passing)
    return ((p > 0) & (p < below)).astype(np.float64)


PASS_RATE_SIGNALS: tuple[Callable[[Floats], Floats], ...] = (
    learnability,
    unit_learnability,
    uncertainty,
    proposer_learnability,
    band_pass,
)
"""Signals of verifiable rewards, which read nothing but how many of the n responses pass."""
