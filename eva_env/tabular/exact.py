"""What sampling only estimates, exactly: values, regret, order statistics, signals.

Everything is vectorised over prompts: ``policy`` and ``reference`` are probabilities (K, M),
``rewards`` a matrix (K, M), results (K,) in units of reward unless said otherwise. The single
row (M,) of one prompt will do as well. Responses of equal reward are one value of the order
statistics; which of them is named best or worst is left to chance, as ``argmax`` over draws
in random order does it.
"""

from collections.abc import Callable
from functools import partial
from itertools import combinations_with_replacement
from math import comb, factorial, prod

import numpy as np

from eva_env.distributions import kl, temperature
from eva_env.signals import PASS_RATE_SIGNALS, SIGNALS, Signal, pass_rate
from eva_env.types import Floats, Ints

MAX_OUTCOMES = 200_000
"""Most multisets of n responses that ``expected_signal`` enumerates for a prompt."""


def value(policy: Floats, rewards: Floats) -> Floats:
    """V(x; pi) = sum_y pi(y | x) r(x, y)."""
    return (policy * rewards).sum(-1)


def regularised_value(
    policy: Floats, rewards: Floats, reference: Floats, beta: float
) -> Floats:
    """V_beta = V - beta KL(pi || reference)."""
    return value(policy, rewards) - temperature(beta) * kl(policy, reference)


def optimal_value(
    rewards: Floats, reference: Floats | None = None, beta: float = 0.0
) -> Floats:
    """V*_beta = beta log sum_y reference exp(r / beta); max_y r at beta = 0."""
    if not temperature(beta):
        return rewards.max(-1)
    known = _required(reference, beta)
    top = np.where(known > 0, rewards, -np.inf).max(-1, keepdims=True)
    gap = np.where(known > 0, rewards - top, -np.inf)
    return top[..., 0] + beta * np.log((known * np.exp(gap / beta)).sum(-1))


def regret(
    policy: Floats, rewards: Floats, reference: Floats | None = None, beta: float = 0.0
) -> Floats:
    """Reg_beta = V*_beta - V_beta = beta KL(pi || pi*_beta); max_y r - V at beta = 0."""
    best = optimal_value(rewards, reference, beta)
    if beta == 0:
        return best - value(policy, rewards)
    return best - regularised_value(policy, rewards, _required(reference, beta), beta)


def best_of_n(policy: Floats, rewards: Floats, n: int) -> Floats:
    """Law (K, M) of the best of n i.i.d. responses: F_k^n - F_(k-1)^n at rank k."""
    return _order_statistic(policy, rewards, lambda cdf: cdf**n)


def second_of_n(policy: Floats, rewards: Floats, n: int) -> Floats:
    """Law (K, M) of the second best; its CDF is F^n + n F^(n-1) (1 - F)."""
    return _order_statistic(policy, rewards, lambda cdf: n * cdf ** (n - 1) - (n - 1) * cdf**n)


def worst_of_n(policy: Floats, rewards: Floats, n: int) -> Floats:
    """Law (K, M) of the worst of n i.i.d. responses: S_(k-1)^n - S_k^n, S = 1 - F."""
    return _order_statistic(policy, rewards, lambda cdf: 1 - (1 - cdf) ** n)


def pair_distribution(policy: Floats, rewards: Floats, n: int) -> Floats:
    """P[x, a, b] that a is the best and b the worst of n i.i.d. responses, (K, M, M).

    With W the mass of the ranks from b to a, W(b, a)^n - W(b+1, a)^n - W(b, a-1)^n +
    W(b+1, a-1)^n. Where all n rewards are equal, one response is both best and worst.
    """
    below, upto = _bounds(policy, rewards)
    low, high = below[..., None, :], upto[..., None, :]
    mass = (upto[..., None] - low) ** n - (upto[..., None] - high) ** n
    mass += (below[..., None] - high) ** n - (below[..., None] - low) ** n
    share = _share(policy, upto - below)
    law = mass * share[..., None] * share[..., None, :]
    law = np.where(rewards[..., None] > rewards[..., None, :], law, 0.0)
    alike = policy * (upto - below) ** (n - 1)
    return law + alike[..., None] * np.eye(policy.shape[-1])


def expected_signal(signal: str | Signal, policy: Floats, rewards: Floats, n: int) -> Floats:
    """Exact expectation of a signal over n i.i.d. responses to each prompt.

    By name: order statistics, moments and pass rates (for another threshold than ``PASS``
    give binary rewards); ``leave_one_out``, and any function (B, n) -> (B,)
    that treats its rows alone, by enumerating multisets of responses. ValueError for names of
    signals that compare prompts within a batch, and for more than ``MAX_OUTCOMES`` multisets.
    """
    if n < 2:
        raise ValueError(f"n must be at least 2 responses, got {n}")
    if isinstance(signal, str):
        known = [*CLOSED_FORMS, "leave_one_out"]
        if signal not in known:
            raise ValueError(
                f"no expectation by prompt of {signal!r}; there is one of: {', '.join(known)}"
            )
        if signal in CLOSED_FORMS:
            return CLOSED_FORMS[signal](policy, rewards, n)
        signal = SIGNALS[signal]
    return _enumerate(signal, policy, rewards, n)


def _best(policy: Floats, rewards: Floats, n: int) -> Floats:
    return value(best_of_n(policy, rewards, n), rewards)


def _variance(policy: Floats, rewards: Floats, n: int) -> Floats:
    centred = rewards - value(policy, rewards)[..., None]
    return value(policy, centred**2) * (n - 1) / n


def _of_passes(signal: Signal, policy: Floats, rewards: Floats, n: int) -> Floats:
    """Expectation of a signal of the number of passing responses, which is binomial."""
    p = np.asarray(value(policy, pass_rate(rewards[..., None])))[..., None]
    passed = np.arange(n + 1)
    ways = np.array([comb(n, k) for k in range(n + 1)], dtype=np.float64)
    outcomes = (np.arange(n) < passed[:, None]).astype(np.float64)
    return (ways * p**passed * (1 - p) ** (n - passed)) @ signal(outcomes)


CLOSED_FORMS: dict[str, Callable[[Floats, Floats, int], Floats]] = {
    "a_star_min": lambda p, r, n: _best(p, r, n) - value(worst_of_n(p, r, n), r),
    "a_star_avg": lambda p, r, n: _best(p, r, n) - value(p, r),
    "a_star_dts": lambda p, r, n: _best(p, r, n) - value(second_of_n(p, r, n), r),
    "variance": _variance,
    "mean": lambda p, r, n: value(p, r),
    "one_minus_mean": lambda p, r, n: 1 - value(p, r),
    "uniform": lambda p, r, n: np.ones(p.shape[:-1]),
} | {signal.__name__: partial(_of_passes, signal) for signal in PASS_RATE_SIGNALS}
"""Expectations of the signals by name; the variance is the biased one, (n-1)/n Var r."""


def _enumerate(signal: Signal, policy: Floats, rewards: Floats, n: int) -> Floats:
    """Sum of signal times multinomial probability over all multisets of n responses."""
    outcomes = comb(policy.shape[-1] + n - 1, n)
    if outcomes > MAX_OUTCOMES:
        raise ValueError(
            f"{outcomes} multisets of n={n} responses are too many to enumerate (limit "
            f"{MAX_OUTCOMES}); estimate the signal from samples, or take a smaller world"
        )
    draws = np.array(list(combinations_with_replacement(range(policy.shape[-1]), n)))
    orders = np.array([_orders(draw) for draw in draws])
    rows = zip(np.atleast_2d(policy), np.atleast_2d(rewards), strict=True)
    expected = [(orders * p[draws].prod(-1)) @ signal(r[draws]) for p, r in rows]
    return np.array(expected).reshape(policy.shape[:-1])


def _orders(draw: Ints) -> int:
    """In how many orders the draw can come."""
    counts = np.unique(draw, return_counts=True)[1]
    return factorial(len(draw)) // prod(factorial(count) for count in counts.tolist())


def _order_statistic(policy: Floats, rewards: Floats, cdf: Callable[[Floats], Floats]) -> Floats:
    """Law (K, M) of an order statistic, ``cdf`` of which is a function of the draws' CDF."""
    below, upto = _bounds(policy, rewards)
    return (cdf(upto) - cdf(below)) * _share(policy, upto - below)


def _bounds(policy: Floats, rewards: Floats) -> tuple[Floats, Floats]:
    """Probability of a reward below, and of one up to, that of each response; (K, M) both."""
    order = np.argsort(rewards, axis=-1, kind="stable")
    ranked = np.take_along_axis(rewards, order, -1)
    upto = np.take_along_axis(policy, order, -1).cumsum(-1)
    upto /= upto[..., -1:]
    below = np.concatenate([np.zeros_like(upto[..., :1]), upto[..., :-1]], axis=-1)
    step = ranked[..., 1:] > ranked[..., :-1]
    edge = np.ones_like(step[..., :1], shape=(*step.shape[:-1], 1))
    below = np.maximum.accumulate(np.where(np.concatenate([edge, step], -1), below, 0.0), -1)
    upto = np.where(np.concatenate([step, edge], -1), upto, 1.0)
    upto = np.minimum.accumulate(upto[..., ::-1], -1)[..., ::-1]
    back = np.argsort(order, axis=-1)
    return np.take_along_axis(below, back, -1), np.take_along_axis(upto, back, -1)


def _share(policy: Floats, mass: Floats) -> Floats:
    """Each response's share of the mass of those with its reward."""
    return np.divide(policy, mass, out=np.zeros_like(mass), where=mass > 0)


def _required(reference: Floats | None, beta: float) -> Floats:
    if reference is None:
        raise ValueError(f"beta = {beta} needs a reference policy")
    return reference
