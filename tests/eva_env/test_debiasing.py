"""Noise floors against order statistics, and noise estimated from repeated responses."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from eva_env.debiasing import (
    NOISE_FLOORS,
    NoiseEstimate,
    debias,
    estimate_noise,
    normal_lead,
    normal_range,
)
from eva_env.distributions import draw_iid
from eva_env.game import Game
from eva_env.signals import SIGNALS, a_star_min, variance
from eva_env.tabular import exact
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal

FLOORS = [signal.__name__ for signal in NOISE_FLOORS]


def order_statistic(k, n):
    """Expectation of the k-th smallest of n standard normals, from its density."""
    ways = special.gammaln(n + 1) - special.gammaln(k) - special.gammaln(n - k + 1)

    def moment(x):
        upto, above = (k - 1) * special.log_ndtr(x), (n - k) * special.log_ndtr(-x)
        return x * np.exp(ways + upto + above + stats.norm.logpdf(x))

    return integrate.quad(moment, -12, 12, limit=200)[0]


def answered(world, rounds, seed=0):
    """Rounds of a game of 32 uniform prompts with 6 responses of the reference policy."""
    game = Game(world.reward_model(), batch_size=32, samples=6, rounds=rounds)
    game.reset(seed)
    policy, rng = np.exp(world.reference_logits), np.random.default_rng(seed + 1)
    while not game.done:
        drawn = np.asarray(
            game.propose(Proposal(world.trainable, np.zeros(len(world.trainable))))
        )
        uniforms = rng.random((32, 6))
        yield game.respond(
            np.array([draw_iid(policy[x], u) for x, u in zip(drawn, uniforms, strict=True)])
        )


def estimated(world, rounds, groups=None):
    total = NoiseEstimate()
    for round in rounds:
        named = None if groups is None else groups[round.prompts]
        total += estimate_noise(round.prompts, round.responses, round.rewards, named)
    return total


def draws_of(world, prompt, size, seed=0):
    """Noisy rewards (size, 6) of responses to one prompt, and the responses."""
    policy = np.exp(world.reference_logits[prompt])
    responses = draw_iid(policy, np.random.default_rng(seed).random((size, 6)))
    return world.reward_model()(np.full(size, prompt), responses), responses


def test_constants_of_six():
    assert normal_range(6) == pytest.approx(2.53441, abs=5e-6)
    assert normal_range(6) / 2 == pytest.approx(1.26721, abs=5e-6)
    assert normal_lead(6) == pytest.approx(0.62545, abs=5e-6)
    assert normal_range(2) == normal_lead(2) == pytest.approx(2 / np.sqrt(np.pi), abs=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5, 16, 64, 500])
def test_constants_agree_with_the_densities_of_order_statistics(n):
    best, second = order_statistic(n, n), order_statistic(n - 1, n)
    assert normal_range(n) == pytest.approx(best - order_statistic(1, n), abs=1e-9)
    assert normal_lead(n) == pytest.approx(best - second, abs=1e-9)


@pytest.mark.parametrize("name", FLOORS)
@pytest.mark.parametrize("n", [2, 3, 7])
def test_the_floor_is_the_signal_of_pure_noise(name, n):
    noise = 0.3 * np.random.default_rng(n).standard_normal((60_000, n))
    left = debias(name, 5 + noise, 0.3, clip=False)
    assert abs(left.mean()) < 4 * left.std() / np.sqrt(len(left))
    floor = SIGNALS[name](noise).mean()
    assert abs(floor) > 10 * left.std() / np.sqrt(len(left))


def test_debiased_by_hand():
    rewards = np.array([[0.0, 4.0, 2.0], [1.0, 1.5, 1.0]])
    step = 1.5 / np.sqrt(np.pi)
    assert normal_range(3) == pytest.approx(2 * step)
    for name, expected in {
        "a_star_min": [4 - 2 * step, 0.5 - step],
        "a_star_avg": [2 - step, 1 / 3 - step / 2],
        "a_star_dts": [2 - step, 0.5 - step / 2],
        "variance": [8 / 3 - 2 / 3, 1 / 18 - 1 / 6],
        "leave_one_out": [2 - np.sqrt(3 / np.pi), 1 / 3 - np.sqrt(3 / np.pi) / 2],
    }.items():
        std = np.array([1.0, 0.5])
        assert debias(name, rewards, std, clip=False) == pytest.approx(expected)
        assert debias(SIGNALS[name], rewards, std) == pytest.approx(np.maximum(expected, 0))
        assert debias(name, rewards, 0.0) == pytest.approx(SIGNALS[name](rewards))


@given(st.integers(0, 10**6), st.sampled_from(FLOORS), st.floats(0, 3))
def test_games_are_separate_batches_and_scale(seed, name, std):
    games = np.random.default_rng(seed).normal(size=(3, 4, 5))
    each = [debias(name, rewards, std) for rewards in games]
    assert debias(name, games, std) == pytest.approx(np.array(each))
    degree = 2 if name == "variance" else 1
    assert debias(name, 2 * games - 1, 2 * std) == pytest.approx(2**degree * np.array(each))


@pytest.mark.parametrize("signal", ["mean", "learnability", "mood", lambda r: r.mean(-1)])
def test_signals_without_a_floor_are_refused(signal):
    with pytest.raises(ValueError, match=r"has one: a_star_min, a_star_avg, a_star_d"):
        debias(signal, np.zeros((2, 3)), 1.0)


@pytest.mark.parametrize("std", [-0.1, np.nan, [0.1, -0.1]])
def test_a_standard_deviation_below_zero_is_refused(std):
    with pytest.raises(ValueError, match="std must not be negative or NaN"):
        debias("variance", np.zeros((2, 3)), std)


@pytest.mark.parametrize("name", ["a_star_min", "a_star_avg"])
def test_the_true_gap_lies_between_the_debiased_and_the_noisy_gap(name):
    world = TabularWorld(topics=2, levels=4, variants=1, responses=8, noise=0.2)
    policy = np.exp(world.reference_logits)
    truth = exact.expected_signal(name, policy, world.proxy, 6)
    floor = SIGNALS[name](np.zeros((1, 6)))[0] - debias(name, np.zeros((1, 6)), 0.2, clip=False)
    for prompt in (4, 6, 7):
        rewards, _ = draws_of(world, prompt, 20_000)
        left = debias(name, rewards, 0.2, clip=False)
        error = 4 * left.std() / np.sqrt(len(left))
        assert truth[prompt] - floor - error < left.mean() < truth[prompt]
        assert SIGNALS[name](rewards).mean() > truth[prompt]


def test_repeats_by_hand():
    prompts = ["a", "b", "a"]
    responses = [["x", "y", "x"], ["x", "x", "x"], ["y", "z", "z"]]
    rewards = np.array([[1.0, 2.0, 3.0], [0.0, 3.0, 6.0], [8.0, 0.5, 0.5]])
    estimate = estimate_noise(prompts, responses, rewards)
    assert estimate.squares[None] == pytest.approx(2 + 18 + 18)
    assert estimate.freedom[None] == 1 + 2 + 1 + 1
    assert estimate.pooled == pytest.approx(np.sqrt(38 / 5))
    grouped = estimate_noise(prompts, responses, rewards, ["even", "odd", "even"])
    assert grouped.squares == pytest.approx({"even": 20.0, "odd": 18.0})
    assert grouped.freedom == {"even": 3, "odd": 2}
    expected = [np.sqrt(9), np.sqrt(20 / 3), np.sqrt(38 / 5)]
    assert grouped.std(["odd", "even", "new"]) == pytest.approx(expected)


def test_without_repeats_the_estimate_is_zero():
    assert NoiseEstimate().pooled == 0
    assert NoiseEstimate().std(["a", "b"]).tolist() == [0, 0]
    once = estimate_noise(["a"], [["x", "y"]], np.array([[1.0, 2.0]]), ["t"])
    assert once.freedom == {"t": 0}
    assert once.std(["t"]).tolist() == [0]
    assert (debias("a_star_min", np.array([[1.0, 2.0]]), once.std(["t"])) == 1).all()


def test_estimates_add_up_and_survive_pickling():
    parts = [
        estimate_noise([1, 2], [[0, 0], [1, 1]], np.array(rewards), ["p", group])
        for rewards, group in (([[0.0, 2.0], [0.0, 4.0]], "q"), ([[0.0, 4.0], [1.0, 1.0]], "r"))
    ]
    total = sum(parts, NoiseEstimate())
    assert total.squares == {"p": 2 + 8, "q": 8, "r": 0}
    assert total.freedom == {"p": 2, "q": 1, "r": 1}
    assert pickle.loads(pickle.dumps(total)) == total
    assert parts[0].squares == {"p": 2, "q": 8}


def test_a_shift_between_rounds_is_not_noise():
    rounds = [np.full((2, 3), level) for level in (0.0, 0.5, 1.0)]
    total = sum((estimate_noise([0, 0], np.zeros((2, 3)), r) for r in rounds), NoiseEstimate())
    assert total.freedom == {None: 15}
    assert total.pooled == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("world_seed", [0, 1, 2])
def test_the_estimate_is_that_of_a_chi_squared(world_seed):
    world = TabularWorld(noise=0.2, world_seed=world_seed)
    estimate = estimated(world, answered(world, 30, world_seed))
    (freedom,) = estimate.freedom.values()
    assert freedom > 600
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], freedom) / freedom
    assert low < estimate.pooled**2 / 0.2**2 < high
    quiet = TabularWorld(world_seed=world_seed)
    assert estimated(quiet, answered(quiet, 2)).pooled == pytest.approx(0, abs=1e-12)


def test_one_round_is_unbiased_for_the_variance_of_the_noise():
    world = TabularWorld(noise=0.2)
    ratios, weights = [], []
    for round in answered(world, 300):
        estimate = estimate_noise(round.prompts, round.responses, round.rewards)
        ratios.append((estimate.pooled / 0.2) ** 2)
        weights.append(estimate.freedom[None])
    error = np.sqrt((2 / np.array(weights)).mean() / len(ratios))
    assert np.mean(ratios) == pytest.approx(1, abs=4 * error)


def test_variance_minus_the_estimated_noise_is_unbiased():
    """The noise is estimated from the rewards that it is subtracted from."""
    world = TabularWorld(topics=2, levels=2, variants=1, responses=8, noise=0.3)
    prompt, size = 2, 100_000
    rewards, responses = draws_of(world, prompt, size, seed=1)
    std = estimate_noise(np.full(size, prompt), responses, rewards).pooled
    assert std == pytest.approx(0.3, abs=3e-3)
    estimate = debias(variance, rewards, std, clip=False).mean()
    policy = np.exp(world.reference_logits)
    truth = exact.expected_signal("variance", policy, world.proxy, 6)[prompt]
    assert estimate == pytest.approx(truth, abs=3e-3)
    assert variance(rewards).mean() - truth > 0.05


@pytest.mark.parametrize("world_seed", [0, 1])
def test_estimated_noise_lowers_the_share_of_noisy_topics_like_the_true_noise(world_seed):
    world = TabularWorld(noise=0.4, noisy_topics=2, world_seed=world_seed)
    topics = world.prompt_topics
    rounds = list(answered(world, 60))
    noise = estimated(world, rounds, topics)
    assert noise.std(range(6)) == pytest.approx([0, 0, 0, 0, 0.4, 0.4], abs=0.05)
    prompts = np.concatenate([round.prompts for round in rounds])
    rewards = np.concatenate([round.rewards for round in rounds])
    noisy = topics[prompts] >= 4

    def share(values):
        return values[noisy].sum() / values.sum()

    raw = share(a_star_min(rewards))
    by_truth = share(debias("a_star_min", rewards, world.noise_std[prompts]))
    by_topic = share(debias("a_star_min", rewards, noise.std(topics[prompts])))
    assert noisy.mean() == pytest.approx(1 / 3, abs=0.03)
    assert raw > 0.5
    assert by_truth < 1 / 3
    assert by_topic == pytest.approx(by_truth, abs=0.03)
    assert share(debias("a_star_min", rewards, noise.pooled)) > raw
