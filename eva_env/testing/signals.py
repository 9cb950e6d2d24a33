"""The contracts of a signal, which reads rewards, and of a round signal."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from eva_env.signals import RoundSignal, Signal
from eva_env.testing.rules import rule
from eva_env.types import CREATOR, SOLVER, Floats, Proposal, Round

PROMPTS = 8


def check_signal(signal: Signal, samples: int = 6) -> None:
    """Check a signal on rewards in [0, 1], with ``samples`` responses to each prompt.

    It must map rewards (..., B, n) to finite numbers (..., B), treat leading axes as separate
    batches, ignore the order of the n responses, give the same numbers in repeated calls, and
    leave its input unchanged. Example::

        check_signal(lambda rewards: rewards.max(-1) - rewards.mean(-1))
    """
    rng = np.random.default_rng(0)
    games = rng.random((3, PROMPTS, samples))
    games[:, 0], games[:, 1] = 0.0, 1.0  # every response fails, every response passes
    games[:, 2] = rng.integers(2, size=games[:, 2].shape)
    rewards = games[0]
    values = _values(signal, rewards, rewards, "rewards (B, n)")
    shuffled = rng.permuted(rewards, axis=-1)
    _check_order(values, _values(signal, shuffled, shuffled, "rewards (B, n)"))
    each = np.stack([_values(signal, batch, batch, "rewards (B, n)") for batch in games])
    together = _values(signal, games, games, "rewards (G, B, n)")
    rule(
        np.allclose(together, each, rtol=1e-9, atol=1e-12),
        "leading axes must be separate batches: rewards (G, B, n) gave other numbers than G "
        "calls with rewards (B, n); reduce the last axis, axis=-1",
    )


def check_round_signal(signal: RoundSignal, samples: int = 6) -> None:
    """Check a round signal on a round with rewards in [0, 1] and log-probabilities.

    It must map a round to finite numbers (B,), ignore the order of the n responses, give the
    same numbers in repeated calls, and leave the round unchanged. Example::

        check_round_signal(lambda round: round.rewards.std(-1))
    """
    rng = np.random.default_rng(0)
    rewards, logprobs = rng.random((PROMPTS, samples)), -rng.random((PROMPTS, samples))
    prompts = [f"prompt {i}" for i in range(PROMPTS)]
    responses = np.array([[f"response {j}" for j in range(samples)] for _ in prompts])
    payoffs = {CREATOR: 0.5, SOLVER: float(rewards.mean())}
    proposal = Proposal(prompts, np.zeros(PROMPTS))
    round = Round(0, proposal, prompts, responses, rewards, rng.random(PROMPTS), payoffs)
    round = replace(round, logprobs=logprobs)
    order = rng.permuted(np.tile(np.arange(samples), (PROMPTS, 1)), axis=-1)
    rewards, logprobs, responses = (
        np.take_along_axis(array, order, -1) for array in (rewards, logprobs, responses)
    )
    shuffled = replace(round, rewards=rewards, logprobs=logprobs, responses=responses)
    values = _values(signal, round, round.rewards, "a round")
    _check_order(values, _values(signal, shuffled, rewards, "a round"))


def _values(signal: Callable[[Any], Floats], given: Any, rewards: Floats, what: str) -> Floats:
    """Return the signal of rewards or of a round, after the rules that each call must keep."""
    # 1. The input stays unchanged. A round holds more arrays than its rewards.
    arrays = [rewards]
    if isinstance(given, Round):
        arrays = [given.rewards, given.signal, given.proposal.logits]
        arrays += [] if given.logprobs is None else [given.logprobs]
    before = [array.copy() for array in arrays]
    values = np.asarray(signal(given))
    rule(
        all(np.array_equal(*pair) for pair in zip(arrays, before, strict=True)),
        f"a signal must not change its input: {what} changed; work on a copy",
    )
    # 2. One finite number for each prompt.
    shape = rewards.shape[:-1]
    rule(
        values.shape == shape,
        f"a signal must give one number for each prompt: {what} of shape {rewards.shape} must "
        f"give {shape}, got {values.shape}",
    )
    rule(values.dtype.kind in "fiub", f"a signal must be real, got dtype {values.dtype}")
    bad = values[~np.isfinite(values)]
    rule(
        bad.size == 0,
        f"a signal must be finite, got {bad[:1]}; mind prompts whose rewards are all equal",
    )
    # 3. The same call gives the same numbers.
    rule(
        np.array_equal(values, np.asarray(signal(given))),
        "a signal must be deterministic: the same rewards gave other numbers",
    )
    return values


def _check_order(values: Floats, shuffled: Floats) -> None:
    rule(
        np.allclose(values, shuffled, rtol=1e-9, atol=1e-12),
        "a signal must not depend on the order of the n responses",
    )
