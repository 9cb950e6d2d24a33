"""Oracle tests of the exact values: closed forms, identities, enumeration."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eva_env.game import draw_iid, softmax
from eva_env.signals import SIGNALS, a_star_avg, leave_one_out
from eva_env.tabular import exact
from eva_env.tabular.world import TabularReward, TabularWorld

NAMES = [*exact.CLOSED_FORMS, "leave_one_out"]


def random_rows(seed, prompts=5, responses=6, ties=False):
    rng = np.random.default_rng(seed)
    policy, reference = softmax(rng.normal(size=(2, prompts, responses)) * 2)
    rewards = rng.normal(size=(prompts, responses))
    if ties:
        rewards = np.round(rewards)
    return policy, reference, rewards


def enumerated(statistic, policy, rewards, n):
    """Expectation over all M^n ordered draws from one prompt."""
    draws = np.array(list(product(range(len(policy)), repeat=n)))
    return policy[draws].prod(-1) @ statistic(rewards[draws], draws)


def test_two_responses_by_hand():
    reference, rewards = np.array([[0.5, 0.5]]), np.array([[0.0, 1.0]])
    assert exact.optimal_value(rewards, reference, 1.0) == pytest.approx(
        math.log((1 + math.e) / 2), abs=1e-15
    )
    assert exact.optimal_value(rewards, reference, 1.0) == pytest.approx(0.620115, abs=1e-6)
    assert exact.regret(reference, rewards, reference, 1.0) == pytest.approx(
        0.120114507, abs=1e-9
    )
    assert exact.optimal_policy(rewards, reference, 1.0)[0, 1] == pytest.approx(
        math.e / (1 + math.e)
    )
    assert exact.regret(np.array([[0.25, 0.75]]), rewards) == 0.25


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 20))
def test_regret_is_the_divergence_from_the_optimum(seed, beta):
    policy, reference, rewards = random_rows(seed)
    best = exact.optimal_policy(rewards, reference, beta)
    regret = exact.regret(policy, rewards, reference, beta)
    np.testing.assert_allclose(regret, beta * exact.kl(policy, best), atol=1e-12, rtol=1e-10)
    np.testing.assert_allclose(exact.regret(best, rewards, reference, beta), 0, atol=1e-12)
    assert (regret > 0).all()
    value = exact.regularised_value(policy, rewards, reference, beta)
    np.testing.assert_allclose(
        value, exact.value(policy, rewards) - beta * exact.kl(policy, reference)
    )


def test_hot_and_cold_limits_of_the_optimal_value():
    _, reference, rewards = random_rows(1)
    mean = exact.value(reference, rewards)
    spread = exact.value(reference, (rewards - mean[:, None]) ** 2)
    hot = exact.optimal_value(rewards, reference, 1e3) - mean
    np.testing.assert_allclose(hot, spread / 2e3, atol=1e-6)
    np.testing.assert_allclose(
        exact.optimal_value(rewards, reference, 1e5) - mean, spread / 2e5, atol=1e-9
    )
    cold = exact.optimal_value(rewards, reference, 1e-6)
    np.testing.assert_allclose(cold, rewards.max(-1), atol=1e-4)
    assert (exact.optimal_value(rewards) == rewards.max(-1)).all()


def test_optimum_at_zero_temperature_keeps_the_reference_among_ties():
    reference = np.array([[0.2, 0.3, 0.1, 0.4, 0.0]])
    rewards = np.array([[1.0, 5.0, 5.0, 2.0, 9.0]])
    best = exact.optimal_policy(rewards, reference, 0.0)
    np.testing.assert_allclose(best, [[0, 0.75, 0.25, 0, 0]])
    near = exact.optimal_policy(rewards, reference, 1e-3)
    np.testing.assert_allclose(near, best, atol=1e-12)


def test_bad_temperatures_and_missing_reference_are_named():
    policy, reference, rewards = random_rows(2)
    with pytest.raises(ValueError, match=r"beta must be finite and not negative, got -1"):
        exact.optimal_policy(rewards, reference, -1.0)
    with pytest.raises(ValueError, match=r"beta = 0\.5 needs a reference"):
        exact.regret(policy, rewards, beta=0.5)


def test_divergence_handles_zeros():
    half, one = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    assert exact.kl(one, half) == pytest.approx(math.log(2))
    assert exact.kl(half, one) == math.inf


def test_signals_of_a_coin():
    p, n = 0.25, 6
    policy, rewards = np.array([[1 - p, p]]), np.array([[0.0, 1.0]])
    expected = {
        "a_star_min": 0.821777,
        "a_star_avg": 0.572021,
        "a_star_dts": 0.355957,
        "variance": 0.1875 * 5 / 6,
        "mean": 0.25,
        "uniform": 1.0,
    }
    for name, known in expected.items():
        assert exact.expected_signal(name, policy, rewards, n) == pytest.approx(known, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "peak"),
    [("a_star_min", 0.5), ("a_star_avg", 1 - 6 ** (-1 / 5)), ("a_star_dts", 1 / 6)],
)
def test_where_a_coin_is_most_informative(name, peak):
    p = np.linspace(0.001, 0.999, 19961)
    policy = np.stack([1 - p, p], axis=-1)
    rewards = np.broadcast_to([0.0, 1.0], policy.shape)
    signal = exact.expected_signal(name, policy, rewards, 6)
    assert p[signal.argmax()] == pytest.approx(peak, abs=1e-4)


def test_signals_of_uniform_rewards():
    rewards = np.linspace(0, 1, 20001)[None]
    policy = np.full_like(rewards, 1 / rewards.size)
    for name, known in {
        "a_star_min": 5 / 7,
        "a_star_avg": 6 / 7 - 1 / 2,
        "a_star_dts": 1 / 7,
        "variance": 5 / 6 / 12,
    }.items():
        assert exact.expected_signal(name, policy, rewards, 6) == pytest.approx(known, abs=2e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ties", [False, True])
def test_expectations_agree_with_enumeration(name, ties):
    policy, _, rewards = random_rows(3, prompts=4, responses=4, ties=ties)
    for n in (2, 3, 5):
        closed = exact.expected_signal(name, policy, rewards, n)
        brute = [
            enumerated(lambda r, _: SIGNALS[name](r), p, r, n)
            for p, r in zip(policy, rewards, strict=True)
        ]
        np.testing.assert_allclose(closed, brute, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_expectations_agree_with_sampling(name):
    policy, _, rewards = random_rows(4, prompts=1, responses=5)
    draws = draw_iid(policy[0], np.random.default_rng(0).random((100_000, 4)))
    sample = SIGNALS[name](rewards[0][draws])
    expected = exact.expected_signal(name, policy, rewards, 4)[0]
    error = sample.std() / math.sqrt(len(sample))
    assert abs(sample.mean() - expected) <= 4 * error + 1e-12


def test_gini_is_leave_one_out_of_two():
    policy, _, rewards = random_rows(5)
    expected = exact.expected_signal("leave_one_out", policy, rewards, 2)
    apart = exact.expected_signal("a_star_min", policy, rewards, 2)
    np.testing.assert_allclose(expected, apart, atol=1e-13)


def test_functions_are_enumerated_like_names():
    policy, _, rewards = random_rows(6)
    np.testing.assert_allclose(
        exact.expected_signal(a_star_avg, policy, rewards, 4),
        exact.expected_signal("a_star_avg", policy, rewards, 4),
        atol=1e-13,
    )


def test_signals_without_expectation_are_named():
    policy, _, rewards = random_rows(7)
    with pytest.raises(ValueError, match=r"no expectation by prompt of 'inverse_mean'"):
        exact.expected_signal("inverse_mean", policy, rewards, 4)
    with pytest.raises(ValueError, match=r"n must be at least 2 responses, got 1"):
        exact.expected_signal("mean", policy, rewards, 1)
    wide = np.full((1, 64), 1 / 64)
    with pytest.raises(ValueError, match=r"119877472 multisets of n=6"):
        exact.expected_signal(leave_one_out, wide, wide, 6)


def test_regret_estimate_is_consistent_and_learnability_is_not():
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
    policy, _, rewards = random_rows(9, ties=ties)
    for n in (2, 6, 32):
        best = exact.best_of_n(policy, rewards, n)
        np.testing.assert_allclose(best.sum(-1), 1, atol=1e-12)
        gain = exact.value(best, rewards) - exact.value(policy, rewards)
        expected = exact.expected_signal("a_star_avg", policy, rewards, n)
        np.testing.assert_allclose(gain, expected, atol=1e-12)
        assert (exact.kl(best, policy) <= math.log(n) - (n - 1) / n + 1e-12).all()


def test_best_of_two_by_hand():
    policy, rewards = np.array([[0.2, 0.5, 0.3]]), np.array([[2.0, 1.0, 3.0]])
    best = [[0.7**2 - 0.5**2, 0.5**2, 1 - 0.7**2]]
    np.testing.assert_allclose(exact.best_of_n(policy, rewards, 2), best, atol=1e-15)
    worst = [[0.5**2 - 0.3**2, 1 - 0.5**2, 0.3**2]]
    np.testing.assert_allclose(exact.worst_of_n(policy, rewards, 2), worst, atol=1e-15)
    np.testing.assert_allclose(exact.second_of_n(policy, rewards, 2), worst, atol=1e-15)


@pytest.mark.parametrize("ties", [False, True])
def test_pair_law_is_that_of_argmax_and_argmin(ties):
    policy, _, rewards = random_rows(10, prompts=3, responses=4, ties=ties)
    for n in (1, 2, 4):
        law = exact.pair_law(policy, rewards, n)
        for x, (p, r) in enumerate(zip(policy, rewards, strict=True)):
            brute = np.zeros((4, 4))
            for draw in product(range(4), repeat=n):
                seen = r[list(draw)]
                brute[draw[seen.argmax()], draw[seen.argmin()]] += p[list(draw)].prod()
            np.testing.assert_allclose(law[x], brute, atol=1e-13)


def test_pair_law_marginals():
    policy, _, rewards = random_rows(11, responses=12)
    law = exact.pair_law(policy, rewards, 6)
    np.testing.assert_allclose(law.sum((-1, -2)), 1, atol=1e-12)
    np.testing.assert_allclose(law.sum(-1), exact.best_of_n(policy, rewards, 6), atol=1e-12)
    np.testing.assert_allclose(law.sum(-2), exact.worst_of_n(policy, rewards, 6), atol=1e-12)
    gap = (law * (rewards[:, :, None] - rewards[:, None, :])).sum((-1, -2))
    expected = exact.expected_signal("a_star_min", policy, rewards, 6)
    np.testing.assert_allclose(gap, expected, atol=1e-12)


def test_one_row_will_do():
    policy, reference, rewards = random_rows(12)
    for name in NAMES:
        alone = exact.expected_signal(name, policy[2], rewards[2], 3)
        together = exact.expected_signal(name, policy, rewards, 3)[2]
        np.testing.assert_allclose(alone, together, atol=1e-14)
    np.testing.assert_allclose(
        exact.regret(policy[2], rewards[2], reference[2], 0.3),
        exact.regret(policy, rewards, reference, 0.3)[2],
    )


def test_gibbs_creator_attains_its_closed_form():
    rng = np.random.default_rng(13)
    scores, prior, alpha = rng.normal(size=9), np.full(9, 1 / 9), 0.3
    mu = exact.gibbs(scores, prior, alpha)
    payoff = mu @ scores - alpha * exact.kl(mu, prior)
    assert payoff == pytest.approx(alpha * math.log(np.exp(scores / alpha).mean()), abs=1e-12)
    assert payoff == pytest.approx(exact.optimal_value(scores, prior, alpha), abs=1e-12)
    other = softmax(np.log(mu) + rng.normal(size=(50, 9)) / 10)
    assert (other @ scores - alpha * exact.kl(other, prior) < payoff).all()


def test_minimax_regret_is_not_maximin_reward():
    rewards = np.array([[0.1, 0.1], [1.0, 0.0]])
    first = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert exact.regret(first, rewards).tolist() == [0.0, 0.0]
    assert exact.regret(first[:, ::-1], rewards).tolist() == [0.0, 1.0]
    assert exact.value(first, rewards).min() == exact.value(first[:, ::-1], rewards)[0] == 0.1


def test_pure_noise_has_the_order_statistics_of_a_gaussian():
    sigma, draws = 0.4, 200_000
    model = TabularReward(np.zeros((1, 2)), np.array([sigma]))
    rewards = model(np.zeros(draws, int), np.zeros((draws, 6), int))
    known = {"a_star_min": 2.53441, "a_star_avg": 1.26721, "a_star_dts": 0.62545}
    for name, factor in known.items():
        assert SIGNALS[name](rewards).mean() == pytest.approx(factor * sigma, abs=4e-3)
    assert SIGNALS["variance"](rewards).mean() * 6 / 5 == pytest.approx(sigma**2, abs=3e-3)


def test_variance_less_the_noise_is_unbiased():
    world = TabularWorld(topics=2, levels=2, variants=1, responses=8, noise=0.3)
    policy, prompt, n = np.exp(world.reference_logits), 2, 6
    responses = draw_iid(policy[prompt], np.random.default_rng(1).random((100_000, n)))
    rewards = world.reward_model()(np.full(len(responses), prompt), responses)
    estimate = rewards.var(-1, ddof=1).mean() - 0.3**2
    truth = exact.expected_signal("variance", policy, world.proxy, n)[prompt] * n / (n - 1)
    assert estimate == pytest.approx(truth, abs=3e-3)
