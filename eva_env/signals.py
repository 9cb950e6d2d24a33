"""Signals: functions from a prompt's rewards to its informativeness.

A signal maps rewards (..., B, n) to (..., B), in reward-model units unless its docstring says
otherwise. Leading axes are separate batches, as the vector engine plays them. Equation and
table numbers are those of Ye et al. 2025, "Reward-Guided Prompt Evolving in Reinforcement
Learning for LLMs" (ICML 2025; arXiv 2411.00062).

Two kinds of signal are easily confused. ``a_star_avg`` and ``a_star_dts`` estimate *regret*;
the first is consistent and errs below. ``a_star_min``, ``variance`` and the pass-rate signals
in ``PASS_RATE_SIGNALS`` measure *learnability*: they need not vanish for an optimal policy.

A signal function never sees a missing reward (NaN): ``eva_env.missing.by_count`` calls it on
the scored responses of each prompt, unless ``READS_MISSING`` names it.

A signal in ``SIGNALS`` reads the rewards only; a signal in ``ROUND_SIGNALS`` reads the whole
round. To add one, write a function and pass it, or append it to the tuple behind ``SIGNALS``;
``eva_env.testing.check_signal`` checks it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from eva_env.missing import by_count, has_missing, mean_scored, prompt_means
from eva_env.types import Floats, Round

Signal = Callable[[Floats], Floats]
RoundSignal = Callable[[Round], Floats]


def a_star_min(rewards: Floats) -> Floats:
    """Best minus worst reward; A*_min, the paper's offline default (Table 3)."""
    return rewards.max(-1) - rewards.min(-1)


def a_star_avg(rewards: Floats) -> Floats:
    """Best minus mean reward; A*_avg, the paper's online default (Table 3)."""
    return _unless_equal(rewards, np.maximum(rewards.max(-1) - rewards.mean(-1), 0.0))


def a_star_dts(rewards: Floats) -> Floats:
    """Best minus second-best reward; A*_dts, after double Thompson sampling (Table 3)."""
    top = np.partition(rewards, -2, axis=-1)
    return top[..., -1] - top[..., -2]


def variance(rewards: Floats) -> Floats:
    """Population variance of the rewards, in squared reward-model units (Table 4, var)."""
    return _unless_equal(rewards, rewards.var(-1))


def mean(rewards: Floats) -> Floats:
    """Mean reward (Table 4, avg)."""
    return _unless_equal(rewards, rewards.mean(-1), rewards[..., 0])


def one_minus_mean(rewards: Floats) -> Floats:
    """1 - mean reward, for rewards in [0, 1].

    Up to the constant, the payoff of the minimax adversary (Dennis et al. 2020, arXiv
    2012.02096): minus the solver's payoff.
    """
    return 1 - mean(rewards)


def inverse_mean(rewards: Floats) -> Floats:
    """1 - minmax(mean reward) over the batch, in [0, 1]; the authors' "1/avg" (Table 4)."""
    return _inverse(signal_of(mean, rewards))


def inverse_a_star_min(rewards: Floats) -> Floats:
    """1 - minmax(A*_min) over the batch, in [0, 1]; the authors' "1/A*_min" (Table 4)."""
    return _inverse(signal_of(a_star_min, rewards))


def uniform(rewards: Floats) -> Floats:
    """1 for every prompt, so that no prompt is preferred (Table 4, uniform)."""
    return np.ones(rewards.shape[:-1])


def leave_one_out(rewards: Floats) -> Floats:
    """Mean |r_i - mean of the others|.

    The authors' code averages the signed difference, which is zero by algebra.
    """
    n = rewards.shape[-1]
    deviation = rewards - rewards.mean(-1, keepdims=True)
    return _unless_equal(rewards, np.abs(deviation).mean(-1) * n / (n - 1))


PASS = 1 - 1e-6
"""Lowest reward of a response that passes: a verifier's 1, up to the rounding of float32."""


def passed(rewards: Floats, passing: float = PASS) -> NDArray[np.bool_]:
    """Return which rewards are at least ``passing``; same shape as the rewards."""
    return rewards >= passing


def pass_rate(rewards: Floats, passing: float = PASS) -> Floats:
    """Pass rate p: the share of scored rewards that are at least ``passing``, in [0, 1]."""
    if has_missing(rewards):
        return mean_scored(np.where(np.isnan(rewards), np.nan, passed(rewards, passing)))
    return passed(rewards, passing).mean(-1)


def learnability(rewards: Floats, passing: float = PASS) -> Floats:
    """p (1 - p) of the pass rate p, in [0, 1/4].

    SFL, sampling for learnability (Rutherford et al. 2024, arXiv 2408.15099).
    """
    p = pass_rate(rewards, passing)
    return p * (1 - p)


def unit_learnability(rewards: Floats, passing: float = PASS) -> Floats:
    """4 p (1 - p): ``learnability`` scaled to [0, 1]; 1 where half of the responses pass."""
    return 4 * learnability(rewards, passing)


def uncertainty(rewards: Floats, passing: float = PASS) -> Floats:
    """1 - 2 |p - 1/2|, in [0, 1]; R-Zero's challenger (Huang et al. 2025, arXiv 2508.05004).

    R-Zero has no verifier and takes p to be the share of the most frequent response; here p
    is the pass rate.
    """
    return 1 - 2 * np.abs(pass_rate(rewards, passing) - 0.5)


def proposer_learnability(rewards: Floats, passing: float = PASS) -> Floats:
    """1 - p where some response passes, 0 where none or all do, in [0, 1).

    AZR's reward for its proposer (Zhao et al. 2025, arXiv 2505.03335).
    """
    p = pass_rate(rewards, passing)
    return np.where(p == 0, 0.0, 1 - p)


def band_pass(rewards: Floats, passing: float = PASS, below: float = 0.25) -> Floats:
    """1 where 0 < p < ``below``, else 0: prompts that are barely solvable.

    STP keeps such conjectures (Dong and Ma 2025, arXiv 2502.00212). The default needs n >= 5
    responses: one of four is a quarter already.
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
"""Signals for verifiable rewards: they depend only on how many of the n responses pass."""


def payoff(round: Round) -> Floats:
    """The creator's payoff for each prompt, (B,): true regret in a game with that signal."""
    return round.signal


def alignment_potential(round: Round, weight: float = 1.0) -> Floats:
    """z(explicit margin) - weight * z(|implicit margin|), (B,); z standardises over the batch.

    M_AP of Huang et al. 2025, "Larger or Smaller Reward Margins to Select Preferences for LLM
    Alignment?" (ICML 2025; arXiv 2503.01864), as in the authors' code: the explicit margin is
    best minus worst reward, the implicit margin the difference of the mean log-probabilities
    per token of these two responses. It is high where the rewards separate two responses that
    the solver does not separate yet. A margin that is equal for all prompts counts as 0.
    Raises ValueError without log-probabilities.
    """
    if round.logprobs is None:
        raise ValueError(
            "alignment_potential needs round.logprobs, and this round has none; add them in "
            "Creator.observe_round by replay.logprobs(round), as "
            "Eva(signal='alignment_potential') does"
        )
    missing = np.isnan(round.rewards)
    best = np.where(missing, -np.inf, round.rewards).argmax(-1)
    worst = np.where(missing, np.inf, round.rewards).argmin(-1)
    pair = np.stack([best, worst], -1)
    chosen, rejected = np.moveaxis(np.take_along_axis(round.logprobs, pair, -1), -1, 0)
    explicit = signal_of(a_star_min, round.rewards)
    return _standardised(explicit) - weight * _standardised(np.abs(chosen - rejected))


def counterfactual_regret(played: Round, other: Round) -> Floats:
    """Mean reward of the other responses minus that of the played ones, by prompt, (B,).

    Both rounds come from forks of one game, so that they share prompts and rules. With the
    responses of a second solver it is the payoff of PAIRED (Dennis et al. 2020, arXiv
    2012.02096); with the best responses it is the true regret. Raises ValueError if the prompts
    differ.
    """
    if not np.array_equal(np.asarray(played.prompts), np.asarray(other.prompts)):
        raise ValueError(
            "both rounds must hold the same prompts; play them on forks of one game"
        )
    return prompt_means(other.rewards) - prompt_means(played.rewards)


def signal_of(signal: Signal, rewards: Floats) -> Floats:
    """Return a signal of rewards that may be missing, (..., B, n) -> (..., B).

    NaN for prompts with fewer than two scored responses.
    """
    if signal in READS_MISSING or not has_missing(rewards):
        return np.asarray(signal(rewards))
    return by_count(signal, rewards)


ROUNDING = 1e-12
"""Values of a batch that differ by less, as a share of the largest, differ by rounding."""


def _unless_equal(rewards: Floats, values: Floats, equal: Floats | float = 0.0) -> Floats:
    """Return ``values`` (..., B), and ``equal`` where all rewards of a prompt are equal.

    The mean of equal rewards may differ from them by rounding: that of 0.1, 0.1, 0.1 does.
    """
    return np.where(rewards.max(-1) == rewards.min(-1), equal, values)


def _inverse(values: Floats) -> Floats:
    known = ~np.isnan(values)
    highest = values.max(-1, keepdims=True, where=known, initial=-np.inf)
    lowest = values.min(-1, keepdims=True, where=known, initial=np.inf)
    spread, size = highest - lowest, np.maximum(np.abs(highest), np.abs(lowest))
    wide = spread > ROUNDING * size
    inverse = np.where(wide, (highest - values) / np.where(wide, spread, 1), 1.0)
    return np.where(known, inverse, np.nan)


def _standardised(values: Floats) -> Floats:
    size = np.abs(values).max(-1, keepdims=True)
    spread = values.max(-1, keepdims=True) - values.min(-1, keepdims=True)
    constant = spread <= ROUNDING * size
    deviation = np.where(constant, 0.0, values - values.mean(-1, keepdims=True))
    return deviation / np.where(constant, 1.0, values.std(-1, keepdims=True))


SIGNALS: dict[str, Signal] = {
    signal.__name__: signal
    for signal in (
        a_star_min,
        a_star_avg,
        a_star_dts,
        variance,
        mean,
        one_minus_mean,
        inverse_mean,
        inverse_a_star_min,
        uniform,
        leave_one_out,
        *PASS_RATE_SIGNALS,
    )
}
"""Signals by name."""

ROUND_SIGNALS: dict[str, RoundSignal] = {
    signal.__name__: signal for signal in (payoff, alignment_potential)
}
"""Signals by name that read more of a round than its rewards, so the game cannot pay them."""

READS_MISSING: frozenset[Signal] = frozenset({inverse_mean, inverse_a_star_min})
"""Signals that read rewards with NaN themselves, since they compare the prompts of a batch."""

NEEDS_LOGPROBS = {"alignment_potential"}
"""Names in ``ROUND_SIGNALS`` whose signals read ``Round.logprobs``."""
