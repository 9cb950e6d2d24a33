"""The estimates of a diagnosis, by hand and against closed forms."""

from itertools import product
from math import comb

import numpy as np
import pytest

from eva_env.signals import a_star_min, mean, variance
from experiments.diagnosis import estimates
from experiments.diagnosis.beta_binomial import PassRates, signals_by_passes
from experiments.diagnosis.measures import measure
from experiments.diagnosis.responses import Answers

ALL = np.ones((1, 4))
"""Every one of four parents once."""


# Estimates by hand


def test_correlation_by_hand():
    """x = 1, 2, 3, 4 against y = 1, 3, 2, 4: covariance 1, variances 1.25, so 0.8."""
    x, y = np.array([[1.0, 2, 3, 4]]), np.array([[1.0, 3, 2, 4]])
    assert estimates.correlation(x, y, ALL) == pytest.approx([0.8])
    assert estimates.correlation(x, -y, ALL) == pytest.approx([-0.8])


def test_correlation_weighs_repeated_parents_like_copies_of_them():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 6))
    counts = np.array([[2.0, 0, 1, 1, 0, 2]])
    rows = np.repeat(np.arange(6), counts[0].astype(int))
    copies = np.mean([np.corrcoef(x[s, rows], y[s, rows])[0, 1] for s in range(3)])
    assert estimates.correlation(x, y, counts) == pytest.approx([copies])


def test_correlation_leaves_out_missing_pairs_and_needs_variation():
    x, y = np.array([[1.0, 2, 3, 4, np.nan]]), np.array([[1.0, 3, 2, 4, 9]])
    assert estimates.correlation(x, y, np.ones((1, 5))) == pytest.approx([0.8])
    assert np.isnan(estimates.correlation(np.full((1, 4), 0.1), y[:, :4], ALL)).all()


def test_selection_gain_by_hand():
    """Weights 1, 3 on outcomes 2, 6: (2 + 18) / 4 = 5 against 4 is + 25 %; reversed - 25 %."""
    two, outcome = np.ones((1, 2)), np.array([[2.0, 6.0]])
    assert estimates.selection_gain(np.array([[1.0, 3]]), outcome, two) == pytest.approx([0.25])
    assert estimates.selection_gain(np.array([[3.0, 1]]), outcome, two) == pytest.approx(
        [-0.25]
    )
    assert estimates.selection_gain(np.array([[2.0, 2]]), outcome, two) == pytest.approx([0.0])


def test_selection_gain_shifts_negative_weights_and_leaves_out_parents_without_children():
    """-1, 1, 5 become 0, 2, 6; the third parent has no children, so all weight is on 6."""
    weights, outcome = np.array([[-1.0, 1, 5]]), np.array([[2.0, 6, np.nan]])
    gain = estimates.selection_gain(weights, outcome, np.ones((1, 3)))
    assert gain == pytest.approx([6 / 4 - 1])


def test_gain_is_undefined_where_the_children_have_no_signal():
    assert np.isnan(estimates.selection_gain(np.ones((1, 4)), np.zeros((1, 4)), ALL)).all()


def test_children_means_by_hand():
    means = estimates.children_means(np.array([1.0, 3, 5, np.nan]), np.array([0, 0, 2, 2]), 4)
    assert means == pytest.approx([2, np.nan, 5, np.nan], nan_ok=True)


def test_halves_are_disjoint_groups_of_one_prompt():
    """Powers of two: the sums of the two groups add up to the sum of all responses."""
    rewards = np.array([[1.0, 2, 4, 8], [16, 32, 64, 128]])
    rng = np.random.default_rng(0)
    first, second = estimates.halves(rewards, lambda r: r.sum(-1), rng, 2, splits=50)
    assert (first + second == rewards.sum(-1)).all()
    assert len(np.unique(first[:, 0])) == 6  # every pair of four responses occurs


def test_spearman_brown_by_hand():
    """r = 0.5 doubles to 2/3; 0.8 takes four times as many."""
    assert estimates.spearman_brown(np.array([0.5]), 2) == pytest.approx([2 / 3])
    assert estimates.spearman_brown_samples(0.5, 6, 0.8) == pytest.approx(24)
    assert estimates.spearman_brown_samples(-0.1, 6, 0.8) is None


def test_correction_for_attenuation_by_hand():
    """0.3 / sqrt(0.9 * 0.4) = 0.5; too noisy to correct below the bound."""
    raw, first = np.array([0.3, -0.3, 0.3]), np.array([0.9, 0.9, 0.9])
    corrected = estimates.attenuation_corrected(raw, first, np.array([0.4, 0.4, 0.01]))
    assert corrected == pytest.approx([0.5, -0.5, np.nan], nan_ok=True)


# Closed forms


def simulated(rng, parents, n, heredity=1.0):
    """Coins with uniform pass rates; a child keeps its parent's rate with a probability."""
    rates = rng.random(parents)
    kept = rng.random(parents) < heredity
    born = np.where(kept, rates, rng.random(parents))
    return Answers(
        parents=(rng.random((parents, 2 * n)) < rates[:, None]).astype(float),
        children=(rng.random((parents, n)) < born[:, None]).astype(float),
        parent_of=np.arange(parents),
        operators=["keep" if k else "lose" for k in kept],
        prompts=list(range(parents)),
    )


def coin_reliability(n):
    """var q / (E q (1 - E q)) of q(p) = 1 - p^n - (1 - p)^n for p uniform: Beta integrals."""
    # E p^i (1-p)^j = i! j! / (i + j + 1)!
    moment = lambda i, j: 1 / ((i + j + 1) * comb(i + j, i))  # noqa: E731
    first = 1 - 2 * moment(n, 0)
    second = 1 - 4 * moment(n, 0) + 2 * moment(2 * n, 0) + 2 * moment(n, n)
    return (second - first**2) / (first * (1 - first)), first


def measured(answers, signal=a_star_min, seed=0):
    return measure(answers, signal, lambda prompt: "", True, seed, draws=100)


def test_measured_reliability_is_that_of_coins():
    result = measured(simulated(np.random.default_rng(0), 4000, 4))
    exact, signal = coin_reliability(4)
    assert result["reliability"]["value"] == pytest.approx(exact, abs=0.03)
    assert result["reliability"]["low"] < exact < result["reliability"]["high"]
    assert result["no_signal"]["value"] == pytest.approx(1 - signal, abs=0.02)
    by_signal = {row["signal"]: row["reliability"]["value"] for row in result["signals"]}
    assert by_signal["a_star_min"] == pytest.approx(result["reliability"]["value"], abs=0.01)
    assert result["all_pass"]["value"] == pytest.approx(1 / 5, abs=0.02)
    assert result["none_passes"]["value"] == pytest.approx(1 / 5, abs=0.02)
    assert result["fitted_reliability"] == pytest.approx(exact, abs=0.03)
    assert result["pass_rates"] == pytest.approx({"a": 1, "b": 1}, abs=0.1)


@pytest.mark.parametrize("heredity", [0.0, 0.5, 1.0])
def test_measured_heredity_and_gain_are_those_of_coins(heredity):
    """A child that keeps its parent's rate is a second measurement of it, else independent.

    So the correlation is heredity * reliability, corrected it is the heredity, and the gain is
    heredity * (E q^2 / (E q)^2 - 1), with E q^2 = cov + (E q)^2.
    """
    answers = simulated(np.random.default_rng(1), 4000, 4, heredity)
    result = measured(answers)
    exact, signal = coin_reliability(4)
    assert result["heredity"]["value"] == pytest.approx(heredity * exact, abs=0.04)
    gain = exact * signal * (1 - signal) / signal**2
    assert result["gain"]["value"] == pytest.approx(heredity * gain, abs=0.02)
    assert result["ceiling"]["value"] == pytest.approx(gain, abs=0.02)
    for row in result["operators"]:
        expected = exact if row["operator"] == "keep" else 0.0
        assert row["heredity"]["value"] == pytest.approx(expected, abs=0.06)


def test_corrected_heredity_is_the_heredity():
    """The mean is additive, so the Spearman-Brown projection of the children is exact."""
    result = measured(simulated(np.random.default_rng(2), 4000, 6, 0.6), mean)
    assert result["heredity_corrected"]["value"] == pytest.approx(0.6, abs=0.04)
    # Of a uniform rate the mean of n has reliability n / (n + 2).
    assert result["reliability"]["value"] == pytest.approx(6 / 8, abs=0.02)


def test_heredity_of_opposites_is_negative():
    """Children of prompts with a signal have none, and the others have one."""
    parents = np.array([[0.0, 1, 0, 1], [1, 1, 1, 1]] * 20)
    children = np.array([[1.0, 1], [0, 1]] * 20)
    answers = Answers(parents, children, np.arange(40), ["flip"] * 40, list(range(40)))
    result = measured(answers, variance)
    assert result["heredity"]["high"] < -0.3
    assert result["gain"]["value"] == pytest.approx(-1.0)
    assert result["gain"]["high"] < 0 < result["ceiling"]["low"]


def test_beta_binomial_reliability_is_that_of_enumerated_pass_rates():
    """Numerical integration over Beta(2, 3) of the exact distribution of the passes."""
    p = (np.arange(20_000) + 0.5) / 20_000
    density = p * (1 - p) ** 2
    density /= density.sum()
    for signal, n in product((a_star_min, variance, mean), (3, 6)):
        k = np.arange(n + 1)
        choose = np.array([comb(n, passes) for passes in k])
        chance = choose * p[:, None] ** k * (1 - p[:, None]) ** (n - k)
        values = signals_by_passes(signal, n)
        given, square = chance @ values, chance @ values**2
        centre = density @ given
        exact = (density @ given**2 - centre**2) / (density @ square - centre**2)
        assert PassRates(2, 3).reliability(signal, n) == pytest.approx(exact, abs=1e-6)


def test_samples_needed_is_the_first_that_reaches_the_target():
    rates = PassRates(0.3, 0.5)
    needed = rates.samples_needed(mean, 0.8)
    assert needed == 4  # n / (n + a + b) >= 0.8 from n = 3.2
    assert rates.reliability(mean, needed - 1) < 0.8 <= rates.reliability(mean, needed)
    assert PassRates(100, 100).samples_needed(a_star_min, 0.8) is None


def test_fit_finds_the_pass_rates():
    rng = np.random.default_rng(3)
    passes = rng.binomial(24, rng.beta(0.4, 1.2, 5000)).astype(float)
    a, b = PassRates.fit(passes, np.full(5000, 24.0))
    assert (a, b) == pytest.approx((0.4, 1.2), rel=0.1)


def test_no_signal_is_a_tenth_of_the_largest_signal():
    """Rewards from 0 to 10: a gap of 0.9 is none, 1.1 is one. Exactly 0 is counted separately.

    A random group of 4 of such 8 rewards is constant with probability 2 / 70.
    """
    rows = [[0, 0.9] * 2, [0, 1.1] * 2, [0, 10] * 2, [4, 4] * 2]
    parents = np.repeat(np.array(rows, dtype=float), 2, axis=1)
    answers = Answers(parents, np.empty((0, 4)), np.empty(0, int), [], [0, 1, 2, 3])
    result = measured(answers)
    assert result["no_signal_bound"] == pytest.approx(1)
    assert result["no_signal"]["value"] == pytest.approx((2 + 2 * 2 / 70) / 4, abs=0.02)
    assert result["zero_signal"]["value"] == pytest.approx((1 + 3 * 2 / 70) / 4, abs=0.02)
    assert result["all_pass"] is None  # rewards above 1 have no passes
    assert result["gain"]["value"] is None
