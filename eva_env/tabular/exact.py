"""Exact values, regret, order statistics and signals, which sampling only estimates.

Everything is vectorised over prompts: ``policy`` and ``reference`` are probabilities (K, M),
``rewards`` a matrix (K, M), results (K,) in units of reward unless said otherwise. The single
row (M,) of one prompt is accepted too. Responses of equal reward are one value of the order
statistics; each of them is best or worst with probability in proportion to its mass, as with
``argmax`` over draws in random order.
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
"""Largest number of multisets of n responses that ``expected_signal`` enumerates per prompt."""


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
    reference = _required(reference, beta)
    top = np.where(reference > 0, rewards, -np.inf).max(-1, keepdims=True)
    gap = np.where(reference > 0, rewards - top, -np.inf)
    return top[..., 0] + beta * np.log((reference * np.exp(gap / beta)).sum(-1))


def regret(
    policy: Floats, rewards: Floats, reference: Floats | None = None, beta: float = 0.0
) -> Floats:
    """Reg_beta = V*_beta - V_beta = beta KL(pi || pi*_beta); max_y r - V at beta = 0."""
    best = optimal_value(rewards, reference, beta)
    if beta == 0:
        return best - value(policy, rewards)
    return best - regularised_value(policy, rewards, _required(reference, beta), beta)


def best_of_n(policy: Floats, rewards: Floats, n: int) -> Floats:
    """Return the distribution (K, M) of the best of n i.i.d. responses.

    F_k^n - F_(k-1)^n at rank k, with F the CDF of one reward.
    """
    return _order_statistic(policy, rewards, lambda cdf: cdf**n)


def second_of_n(policy: Floats, rewards: Floats, n: int) -> Floats:
    """Return the distribution (K, M) of the second best, with CDF F^n + n F^(n-1) (1 - F)."""
    return _order_statistic(policy, rewards, lambda cdf: n * cdf ** (n - 1) - (n - 1) * cdf**n)


def worst_of_n(policy: Floats, rewards: Floats, n: int) -> Floats:
    """Return the distribution (K, M) of the worst of n: S_(k-1)^n - S_k^n, S = 1 - F."""
    return _order_statistic(policy, rewards, lambda cdf: 1 - (1 - cdf) ** n)


def pair_distribution(policy: Floats, rewards: Floats, n: int) -> Floats:
    """Return P[x, a, b] that a is the best and b the worst of n i.i.d. responses, (K, M, M).

    With W the mass of the ranks from b to a, W(b, a)^n - W(b+1, a)^n - W(b, a-1)^n +
    W(b+1, a-1)^n. If all n rewards are equal, one response is both best and worst.
    """
    # 1. Inclusion and exclusion over ranks: all n draws lie between b and a, at least one at a
    #    and one at b. ``upto - below`` at (a, b) is the mass W.
    below, upto = _cdf_bounds(policy, rewards)
    low, high = below[..., None, :], upto[..., None, :]
    mass = (upto[..., None] - low) ** n - (upto[..., None] - high) ** n
    mass += (below[..., None] - high) ** n - (below[..., None] - low) ** n
    # 2. Responses of equal reward split the mass of their rank.
    share = _share_of_ties(policy, upto - below)
    distribution = mass * share[..., None] * share[..., None, :]
    # 3. Only a better than b counts, and the diagonal for n equal rewards.
    distribution = np.where(rewards[..., None] > rewards[..., None, :], distribution, 0.0)
    all_equal = policy * (upto - below) ** (n - 1)
    return distribution + all_equal[..., None] * np.eye(policy.shape[-1])


def expected_signal(signal: str | Signal, policy: Floats, rewards: Floats, n: int) -> Floats:
    """Return the exact expectation of a signal over n i.i.d. responses to each prompt, (K,).

    Signals given by name have closed forms: order statistics, moments and pass rates (pass
    binary rewards for a threshold other than ``PASS``). ``leave_one_out``, and any function
    (B, n) -> (B,) that treats its rows independently, are summed over all multisets of
    responses. ValueError for names of signals that compare prompts within a batch, and for
    more than ``MAX_OUTCOMES`` multisets.
    """
    if n < 2:
        raise ValueError(f"n must be at least 2 responses, got {n}")
    if isinstance(signal, str):
        names = [*CLOSED_FORMS, "leave_one_out"]
        if signal not in names:
            raise ValueError(
                f"{signal!r} has no expectation by prompt; choose one of: {', '.join(names)}"
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
    """Return the expectation of a signal of the number of passing responses (binomial)."""
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
"""Expectations of signals by name; the variance is the biased one, (n-1)/n Var r."""


def _enumerate(signal: Signal, policy: Floats, rewards: Floats, n: int) -> Floats:
    """Return the sum over all multisets of n responses of signal times probability."""
    outcomes = comb(policy.shape[-1] + n - 1, n)
    if outcomes > MAX_OUTCOMES:
        raise ValueError(
            f"{outcomes} multisets of n={n} responses are too many to enumerate (limit "
            f"{MAX_OUTCOMES}); estimate the signal from samples, or use a smaller world"
        )
    draws = np.array(list(combinations_with_replacement(range(policy.shape[-1]), n)))
    orders = np.array([_orders(draw) for draw in draws])
    by_prompt = zip(np.atleast_2d(policy), np.atleast_2d(rewards), strict=True)
    expected = [(orders * p[draws].prod(-1)) @ signal(r[draws]) for p, r in by_prompt]
    return np.array(expected).reshape(policy.shape[:-1])


def _orders(draw: Ints) -> int:
    """Return the number of orders of a multiset, the multinomial coefficient."""
    counts = np.unique(draw, return_counts=True)[1]
    return factorial(len(draw)) // prod(factorial(count) for count in counts.tolist())


def _order_statistic(
    policy: Floats, rewards: Floats, cdf: Callable[[Floats], Floats]
) -> Floats:
    """Return the distribution (K, M) of an order statistic.

    ``cdf`` maps the CDF of one draw to the CDF of the statistic.
    """
    below, upto = _cdf_bounds(policy, rewards)
    return (cdf(upto) - cdf(below)) * _share_of_ties(policy, upto - below)


def _cdf_bounds(policy: Floats, rewards: Floats) -> tuple[Floats, Floats]:
    """Return P(reward < r) and P(reward <= r) at each response's reward r, (K, M) each."""
    # 1. Sort the responses by reward, and accumulate their mass.
    order = np.argsort(rewards, axis=-1, kind="stable")
    ranked = np.take_along_axis(rewards, order, -1)
    upto = np.take_along_axis(policy, order, -1).cumsum(-1)
    upto /= upto[..., -1:]
    below = np.concatenate([np.zeros_like(upto[..., :1]), upto[..., :-1]], axis=-1)
    # 2. Give tied responses the bounds of their whole group: the lower bound of its first
    #    response, the upper bound of its last.
    step = ranked[..., 1:] > ranked[..., :-1]
    edge = np.ones_like(step[..., :1], shape=(*step.shape[:-1], 1))
    is_first, is_last = np.concatenate([edge, step], -1), np.concatenate([step, edge], -1)
    below = np.maximum.accumulate(np.where(is_first, below, 0.0), -1)
    upto = np.where(is_last, upto, 1.0)
    upto = np.minimum.accumulate(upto[..., ::-1], -1)[..., ::-1]
    # 3. Return to the order of the responses.
    back = np.argsort(order, axis=-1)
    return np.take_along_axis(below, back, -1), np.take_along_axis(upto, back, -1)


def _share_of_ties(policy: Floats, mass: Floats) -> Floats:
    """Return each response's share of the ``mass`` (K, M) of all responses with its reward."""
    return np.divide(policy, mass, out=np.zeros_like(mass), where=mass > 0)


def _required(reference: Floats | None, beta: float) -> Floats:
    if reference is None:
        raise ValueError(f"beta = {beta} needs a reference policy")
    return reference
