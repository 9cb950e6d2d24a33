"""The contract of a reward model, and of its hooks ``best`` and ``advance``."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eva_env.testing.rules import rule
from eva_env.types import (
    CREATOR,
    SOLVER,
    Advances,
    Floats,
    KnowsBest,
    Proposal,
    RewardModel,
    Round,
    offers,
)


def check_reward_model(
    reward_model: RewardModel, prompts: Sequence[Any], responses: Any, noisy: bool = False
) -> None:
    """Check rewards, ``best`` and ``advance`` on (B, n) responses to B prompts.

    Rewards must be finite, of shape (B, n), and equal in repeated calls, also for empty text.
    ``noisy`` allows rewards above ``best``, which is then the best mean. Example::

        check_reward_model(Gold(), ["List two animals."], [["cat dog", "cat", ""]])
    """
    shape = (len(prompts), len(responses[0]))
    rewards = _rewards(reward_model, prompts, responses, shape)
    rule(
        np.array_equal(rewards, _rewards(reward_model, prompts, responses, shape)),
        "the same call must give the same rewards: put drift into advance, noise under a seed",
    )
    if isinstance(prompts[0], str):
        _rewards(reward_model, prompts, [[""] * shape[1]] * shape[0], shape)
    if offers(reward_model, KnowsBest):
        _check_best(reward_model, prompts, rewards, noisy)
    if offers(reward_model, Advances):
        _check_advance(reward_model, prompts, responses, rewards)


def _check_best(
    reward_model: KnowsBest, prompts: Sequence[Any], rewards: Floats, noisy: bool
) -> None:
    best = np.asarray(reward_model.best(prompts))
    rule(
        best.shape == rewards.shape[:1] and bool(np.isfinite(best).all()),
        f"best must give {len(rewards)} finite numbers, one for each prompt, got {best!r}",
    )
    above = rewards.max(-1) > best + 1e-9
    rule(
        noisy or not above.any(),
        f"best must be the highest attainable reward: a reward to "
        f"{prompts[int(above.argmax())]!r} is higher",
    )


def _check_advance(
    reward_model: Advances, prompts: Sequence[Any], responses: Any, rewards: Floats
) -> None:
    payoffs = {CREATOR: 0.0, SOLVER: float(rewards.mean())}
    proposal = Proposal(prompts, np.zeros(len(prompts)))
    signal = rewards.max(-1) - rewards.mean(-1)
    round = Round(0, proposal, prompts, responses, rewards, signal, payoffs)
    following = reward_model.advance(round)
    rule(callable(following), f"advance must give a reward model, got {following!r}")
    _rewards(following, prompts, responses, rewards.shape)
    rule(
        np.array_equal(rewards, _rewards(reward_model, prompts, responses, rewards.shape)),
        "advance must return the next model and leave this one unchanged",
    )


def _rewards(
    model: RewardModel, prompts: Sequence[Any], responses: Any, shape: tuple[int, ...]
) -> Floats:
    rewards = np.asarray(model(prompts, responses))
    rule(rewards.shape == shape, f"rewards must have shape {shape}, got {rewards.shape}")
    rule(
        rewards.dtype.kind in "fiu", f"rewards must be real numbers, got dtype {rewards.dtype}"
    )
    bad = rewards[~np.isfinite(rewards)]
    rule(bad.size == 0, f"rewards must be finite, got {bad[:1]}")
    return rewards
