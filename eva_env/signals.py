"""Signals: how much there is to learn from a prompt, read off the rewards of its responses.

Each maps rewards (..., B, n) to (..., B), in reward-model units unless said otherwise; leading
axes are batches of their own, as the vector engine plays them. Equation and
table numbers are those of Ye et al. 2025, "Reward-Guided Prompt Evolving in Reinforcement
Learning for LLMs" (ICML 2025; arXiv 2411.00062).

Three notions that are easily confused: ``a_star_avg`` and ``a_star_dts`` estimate *regret*
(the first consistently, from below); ``a_star_min`` and ``variance`` measure
*learnability*: they do not vanish at the optimum.
"""

from collections.abc import Callable

import numpy as np

from eva_env.types import Floats

Signal = Callable[[Floats], Floats]


def a_star_min(rewards: Floats) -> Floats:
    """Best minus worst reward; A*_min, the paper's offline default (Table 3)."""
    return rewards.max(-1) - rewards.min(-1)


def a_star_avg(rewards: Floats) -> Floats:
    """Best minus mean reward; A*_avg, the paper's online default (Table 3)."""
    return rewards.max(-1) - rewards.mean(-1)


def a_star_dts(rewards: Floats) -> Floats:
    """Best minus second-best reward; A*_dts, after double Thompson sampling (Table 3)."""
    top = np.partition(rewards, -2, axis=-1)
    return top[..., -1] - top[..., -2]


def variance(rewards: Floats) -> Floats:
    """Population variance of the rewards, in squared reward-model units (Table 4, var)."""
    return rewards.var(-1)


def mean(rewards: Floats) -> Floats:
    """Mean reward (Table 4, avg)."""
    return rewards.mean(-1)


def inverse_mean(rewards: Floats) -> Floats:
    """1 - minmax(mean reward) over the batch, in [0, 1]; the authors' "1/avg" (Table 4)."""
    return _inverse(mean(rewards))


def inverse_a_star_min(rewards: Floats) -> Floats:
    """1 - minmax(A*_min) over the batch, in [0, 1]; the authors' "1/A*_min" (Table 4)."""
    return _inverse(a_star_min(rewards))


def uniform(rewards: Floats) -> Floats:
    """One for every prompt: evolve without a preference (Table 4, uniform)."""
    return np.ones(rewards.shape[:-1])


def leave_one_out(rewards: Floats) -> Floats:
    """Mean |r_i - mean of the others|.

    The authors' code averages the signed difference, which is zero by algebra.
    """
    n = rewards.shape[-1]
    deviation = rewards - rewards.mean(-1, keepdims=True)
    return np.abs(deviation).mean(-1) * n / (n - 1)


def _inverse(values: Floats) -> Floats:
    highest = values.max(-1, keepdims=True)
    spread = highest - values.min(-1, keepdims=True)
    return np.where(spread > 0, (highest - values) / np.where(spread > 0, spread, 1), 1.0)


SIGNALS: dict[str, Signal] = {
    signal.__name__: signal
    for signal in (
        a_star_min,
        a_star_avg,
        a_star_dts,
        variance,
        mean,
        inverse_mean,
        inverse_a_star_min,
        uniform,
        leave_one_out,
    )
}
"""Signals by name. Append yours to the tuple, or pass the function itself."""
