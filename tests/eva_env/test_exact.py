"""Oracle tests of the exact values: closed forms, identities, enumeration."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eva_env import distributions
from eva_env.debiasing import debias
from eva_env.game import draw_iid, softmax
from eva_env.signals import SIGNALS
from eva_env.tabular import exact
from eva_env.tabular.world import TabularReward, TabularWorld
from tests.support.tables import random_rows


def test_two_responses_by_hand():
    """T1: V*, the regret and the optimum in closed form."""
    reference, rewards = np.array([[0.5, 0.5]]), np.array([[0.0, 1.0]])
    best = exact.optimal_value(rewards, reference, 1.0)
    assert best == pytest.approx(math.log((1 + math.e) / 2), abs=1e-15)
    assert best == pytest.approx(0.620115, abs=1e-6)
    regret = exact.regret(reference, rewards, reference, 1.0)
    assert regret == pytest.approx(0.120114507, abs=1e-9)
    assert distributions.optimal_policy(rewards, reference, 1.0)[0, 1] == pytest.approx(
        math.e / (1 + math.e)
    )
    assert exact.regret(np.array([[0.25, 0.75]]), rewards) == 0.25


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 20))
def test_regret_is_the_divergence_from_the_optimum(seed, beta):
    """T1: Reg_beta = beta KL(pi || pi*)."""
    policy, reference, rewards = random_rows(seed)
    best = distributions.optimal_policy(rewards, reference, beta)
    regret = exact.regret(policy, rewards, reference, beta)
    np.testing.assert_allclose(
        regret, beta * distributions.kl(policy, best), atol=1e-12, rtol=1e-10
    )
    np.testing.assert_allclose(exact.regret(best, rewards, reference, beta), 0, atol=1e-12)
    assert (regret > 0).all()
    value = exact.regularised_value(policy, rewards, reference, beta)
    np.testing.assert_allclose(
        value, exact.value(policy, rewards) - beta * distributions.kl(policy, reference)
    )


def test_hot_and_cold_limits_of_the_optimal_value():
    """T2: V* - E r = Var(r) / (2 beta) where beta is large, and max r where it is small."""
    _, reference, rewards = random_rows(1)
    rewards = (rewards - rewards.min()) / np.ptp(rewards)
    mean = exact.value(reference, rewards)
    spread = exact.value(reference, (rewards - mean[:, None]) ** 2)
    hot = exact.optimal_value(rewards, reference, 1e3) - mean
    np.testing.assert_allclose(hot, spread / 2e3, atol=1e-8)
    assert (hot > 1e-6).all()
    cold = exact.optimal_value(rewards, reference, 1e-6)
    np.testing.assert_allclose(cold, rewards.max(-1), atol=1e-4)
    assert (exact.optimal_value(rewards) == rewards.max(-1)).all()


def test_optimum_at_zero_temperature_keeps_the_reference_among_ties():
    reference = np.array([[0.2, 0.3, 0.1, 0.4, 0.0]])
    rewards = np.array([[1.0, 5.0, 5.0, 2.0, 9.0]])
    best = distributions.optimal_policy(rewards, reference, 0.0)
    np.testing.assert_allclose(best, [[0, 0.75, 0.25, 0, 0]])
    near = distributions.optimal_policy(rewards, reference, 1e-3)
    np.testing.assert_allclose(near, best, atol=1e-12)


def test_bad_temperatures_and_missing_reference_are_named():
    policy, reference, rewards = random_rows(2)
    with pytest.raises(ValueError, match=r"beta must be finite and not negative, got -1"):
        distributions.optimal_policy(rewards, reference, -1.0)
    with pytest.raises(ValueError, match=r"beta = 0\.5 needs a reference"):
        exact.regret(policy, rewards, beta=0.5)


def test_divergence_handles_zeros():
    half, certain = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    assert distributions.kl(certain, half) == pytest.approx(math.log(2))
    assert distributions.kl(half, certain) == math.inf


def test_signals_of_a_coin():
    """T3: Bernoulli(p) rewards, with n = 6 responses and p = 1/4."""
    p, n = 0.25, 6
    policy, rewards = np.array([[1 - p, p]]), np.array([[0.0, 1.0]])
    expected = {
        "a_star_min": (1 - p**n - (1 - p) ** n, 0.821777),
        "a_star_avg": (1 - (1 - p) ** n - p, 0.572021),
        "a_star_dts": (n * p * (1 - p) ** (n - 1), 0.355957),
        "variance": (p * (1 - p) * (n - 1) / n, 0.1875 * 5 / 6),
        "mean": (p, 0.25),
        "one_minus_mean": (1 - p, 0.75),
        "uniform": (1, 1),
        "learnability": (p * (1 - p) * (n - 1) / n, 0.15625),
        "unit_learnability": (4 * p * (1 - p) * (n - 1) / n, 0.625),
        "proposer_learnability": (1 - p - (1 - p) ** n, 0.572021),
        "band_pass": (n * p * (1 - p) ** (n - 1), 0.355957),
        "uncertainty": (1 - 2 * (3 * 730 + 2 * 1476 + 1350) / 6 / 4096, 0.471680),
    }
    assert set(expected) == set(exact.CLOSED_FORMS)
    for name, values in expected.items():
        value = exact.expected_signal(name, policy, rewards, n)
        assert value == pytest.approx(values[0], abs=1e-12), name
        assert value == pytest.approx(values[1], abs=1e-6), name


@pytest.mark.parametrize(
    ("name", "peak", "expected"),
    [
        ("a_star_min", 0.5, 0.5),
        ("a_star_avg", 1 - 6 ** (-1 / 5), 0.301173),
        ("a_star_dts", 1 / 6, 0.166667),
        ("learnability", 0.5, 0.5),
        ("uncertainty", 0.5, 0.5),
        ("proposer_learnability", 1 - 6 ** (-1 / 5), 0.301173),
        ("band_pass", 1 / 6, 0.166667),
    ],
)
def test_where_a_coin_is_most_informative(name, peak, expected):
    """T3b: the p at which n = 6 responses are most informative."""
    p = np.linspace(0.001, 0.999, 19961)
    policy = np.stack([1 - p, p], axis=-1)
    rewards = np.broadcast_to([0.0, 1.0], policy.shape)
    signal = exact.expected_signal(name, policy, rewards, 6)
    assert p[signal.argmax()] == pytest.approx(peak, abs=1e-4)
    assert peak == pytest.approx(expected, abs=1e-6)


def test_signals_of_uniform_rewards():
    """T4: U(0, 1) rewards, n = 6."""
    rewards = np.linspace(0, 1, 20001)[None]
    policy = np.full_like(rewards, 1 / rewards.size)
    expected = {"a_star_min": 0.714286, "a_star_avg": 0.357143, "a_star_dts": 0.142857}
    for name, value in (expected | {"variance": 5 / 6 / 12}).items():
        assert exact.expected_signal(name, policy, rewards, 6) == pytest.approx(value, abs=2e-4)


def test_regret_estimate_is_consistent_and_learnability_is_not():
    """T6: E A*_avg grows to the regret, E A*_min does not stop there."""
    policy, _, rewards = random_rows(8)
    counts = (2, 4, 8, 64, 4096)
    estimates = [exact.expected_signal("a_star_avg", policy, rewards, n) for n in counts]
    assert (np.diff(estimates, axis=0) > -1e-12).all()
    regret = exact.regret(policy, rewards)
    assert (estimates[0] < regret).all()
    np.testing.assert_allclose(estimates[-1], regret, atol=1e-6)
    spread = exact.expected_signal("a_star_min", policy, rewards, 4096) - regret
    np.testing.assert_allclose(
        spread, exact.value(policy, rewards) - rewards.min(-1), atol=1e-6
    )


@pytest.mark.parametrize("ties", [False, True])
def test_best_of_n_improves_by_the_regret_estimate(ties):
    """T7: E A*_avg(n) = V(best of n) - V(pi), at a KL of at most log n - (n - 1) / n."""
    policy, _, rewards = random_rows(9, ties=ties)
    for n in (2, 6, 32):
        best = exact.best_of_n(policy, rewards, n)
        np.testing.assert_allclose(best.sum(-1), 1, atol=1e-12)
        gain = exact.value(best, rewards) - exact.value(policy, rewards)
        expected = exact.expected_signal("a_star_avg", policy, rewards, n)
        np.testing.assert_allclose(gain, expected, atol=1e-12)
        assert (distributions.kl(best, policy) <= math.log(n) - (n - 1) / n + 1e-12).all()


def test_best_of_two_by_hand():
    policy, rewards = np.array([[0.2, 0.5, 0.3]]), np.array([[2.0, 1.0, 3.0]])
    best = [[0.7**2 - 0.5**2, 0.5**2, 1 - 0.7**2]]
    np.testing.assert_allclose(exact.best_of_n(policy, rewards, 2), best, atol=1e-15)
    worst = [[0.5**2 - 0.3**2, 1 - 0.5**2, 0.3**2]]
    np.testing.assert_allclose(exact.worst_of_n(policy, rewards, 2), worst, atol=1e-15)
    np.testing.assert_allclose(exact.second_of_n(policy, rewards, 2), worst, atol=1e-15)


@pytest.mark.parametrize("ties", [False, True])
def test_pair_distribution_is_that_of_argmax_and_argmin(ties):
    policy, _, rewards = random_rows(10, prompts=3, responses=4, ties=ties)
    for n in (1, 2, 4):
        distribution = exact.pair_distribution(policy, rewards, n)
        for x, (p, r) in enumerate(zip(policy, rewards, strict=True)):
            brute = np.zeros((4, 4))
            for draw in product(range(4), repeat=n):
                seen = r[list(draw)]
                brute[draw[seen.argmax()], draw[seen.argmin()]] += p[list(draw)].prod()
            np.testing.assert_allclose(distribution[x], brute, atol=1e-13)


def test_pair_distribution_marginals():
    """T8: the distribution of best and worst sums to 1, to E A*_min and to best of n."""
    policy, _, rewards = random_rows(11, responses=12)
    distribution = exact.pair_distribution(policy, rewards, 6)
    np.testing.assert_allclose(distribution.sum((-1, -2)), 1, atol=1e-12)
    np.testing.assert_allclose(
        distribution.sum(-1), exact.best_of_n(policy, rewards, 6), atol=1e-12
    )
    np.testing.assert_allclose(
        distribution.sum(-2), exact.worst_of_n(policy, rewards, 6), atol=1e-12
    )
    gap = (distribution * (rewards[:, :, None] - rewards[:, None, :])).sum((-1, -2))
    expected = exact.expected_signal("a_star_min", policy, rewards, 6)
    np.testing.assert_allclose(gap, expected, atol=1e-12)


def test_gibbs_creator_attains_its_closed_form():
    """T23: max mu.s - alpha KL(mu || U) = alpha log mean exp(s / alpha)."""
    rng = np.random.default_rng(13)
    scores, prior, alpha = rng.normal(size=9), np.full(9, 1 / 9), 0.3
    mu = distributions.gibbs(scores, prior, alpha)
    payoff = mu @ scores - alpha * distributions.kl(mu, prior)
    assert payoff == pytest.approx(alpha * math.log(np.exp(scores / alpha).mean()), abs=1e-12)
    assert payoff == pytest.approx(exact.optimal_value(scores, prior, alpha), abs=1e-12)
    other = softmax(np.log(mu) + rng.normal(size=(50, 9)) / 10)
    assert (other @ scores - alpha * distributions.kl(other, prior) < payoff).all()


def test_minimax_regret_is_not_maximin_reward():
    """T25: the regret game has one solution, of value 0; maximin reward takes any policy."""
    rewards = np.array([[0.1, 0.1], [1.0, 0.0]])
    first = np.linspace(0, 1, 101)
    policies = np.stack([first, 1 - first], -1)[:, None].repeat(2, 1)
    worst = np.array([exact.regret(policy, rewards).max() for policy in policies])
    np.testing.assert_allclose(worst, 1 - first, atol=1e-12)
    assert (worst == 0).nonzero()[0] == [100]
    lowest = np.array([exact.value(policy, rewards).min() for policy in policies])
    assert lowest.max() == pytest.approx(0.1)
    np.testing.assert_allclose(lowest[first >= 0.1], 0.1)


def test_pure_noise_has_the_order_statistics_of_a_gaussian():
    """T5: a deterministic policy under noise of standard deviation sigma, n = 6."""
    sigma, draws = 0.4, 200_000
    model = TabularReward(np.zeros((1, 2)), np.array([sigma]))
    rewards = model(np.zeros(draws, int), np.zeros((draws, 6), int))
    expected = [("a_star_min", 2.53441), ("a_star_avg", 1.26721), ("a_star_dts", 0.62545)]
    for name, factor in expected:
        assert SIGNALS[name](rewards).mean() == pytest.approx(factor * sigma, abs=4e-3)
    assert SIGNALS["variance"](rewards).mean() * 6 / 5 == pytest.approx(sigma**2, abs=3e-3)


def test_variance_minus_the_noise_is_unbiased():
    """T26: S^2 - sigma^2 estimates the variance of the mean rewards under the policy."""
    world = TabularWorld(topics=2, levels=2, variants=1, responses=8, noise=0.3)
    policy, prompt, n = np.exp(world.reference_logits), 2, 6
    responses = draw_iid(policy[prompt], np.random.default_rng(1).random((400_000, n)))
    rewards = world.reward_model()(np.full(len(responses), prompt), responses)
    truth = exact.value(policy, world.proxy**2) - exact.value(policy, world.proxy) ** 2
    estimate = rewards.var(-1, ddof=1).mean() - 0.3**2
    assert estimate == pytest.approx(truth[prompt], abs=3e-3)
    debiased = debias("variance", rewards, 0.3, clip=False).mean() * n / (n - 1)
    assert debiased == pytest.approx(estimate, abs=1e-12)
