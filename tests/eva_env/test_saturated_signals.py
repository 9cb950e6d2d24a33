"""Every registered signal on equal, nearly equal and huge rewards; and weights made of them."""

import math

import numpy as np
import pytest

from agents.evolution.selection import weigh
from eva_env.missing import by_count
from eva_env.signals import ROUND_SIGNALS, SIGNALS, alignment_potential, signal_of
from tests.eva_env.test_round_signals import a_round

EQUAL = (0.1, 0.3, 1 / 3, -0.7, 1e-30, 1e30, -1e30, 0.0)
"""Values whose mean of several is not always the value itself."""
SPREADS = {"a_star_min", "a_star_avg", "a_star_dts", "variance", "leave_one_out"}


@pytest.mark.parametrize("count", [2, 3, 6, 7])
@pytest.mark.parametrize("name", SIGNALS)
def test_equal_rewards_have_an_exact_signal(name, count):
    rewards = np.repeat(np.array(EQUAL)[:, None], count, 1)
    values = SIGNALS[name](rewards)
    assert np.isfinite(values).all()
    if name in SPREADS:
        assert (values == 0).all()


@pytest.mark.parametrize("name", SIGNALS)
def test_huge_rewards_have_a_finite_signal_with_the_right_value(name):
    small = np.array([[1.0, 3.0, 2.0, 2.0], [-1.0, 1.0, -2.0, 2.0], [2.0, 2.0, 2.0, 3.0]])
    values, expected = SIGNALS[name](small * 1e30), SIGNALS[name](small)
    degree = 2 if name == "variance" else 1
    if name in SPREADS | {"mean"}:
        np.testing.assert_allclose(values, expected * 1e30**degree, rtol=1e-12)
    elif name == "one_minus_mean":
        np.testing.assert_allclose(values, 1 - 1e30 * small.mean(-1), rtol=1e-12)
    elif name.startswith("inverse"):
        np.testing.assert_allclose(values, expected, atol=1e-12)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", sorted(SPREADS))
def test_signals_that_are_spreads_are_never_negative(name):
    """Best minus mean was, where the mean rounds above the best."""
    for scale in (1e-30, 1.0, 1e30):
        for best in (0.1, 0.7, 1 / 3):
            below = np.full((1, 7), best * scale)
            below[0, 0] = math.nextafter(best * scale, -math.inf)
            assert SIGNALS[name](below)[0] >= 0


@pytest.mark.parametrize("name", SIGNALS)
def test_a_prompt_with_one_scored_response_has_no_signal(name):
    rewards = np.array([[0.3, np.nan, np.nan], [0.1, 0.1, 0.1]])
    values = signal_of(SIGNALS[name], rewards)
    assert np.isnan(values[0])
    assert np.isfinite(values[1])
    assert np.isnan(by_count(SIGNALS[name], rewards[:1]))


@pytest.mark.parametrize("name", ["inverse_mean", "inverse_a_star_min"])
def test_a_batch_that_differs_by_rounding_is_constant(name):
    """0.1 + 0.2 + 0.3 depends on the order, and 0.4 - 0.1 is not 0.5 - 0.2."""
    means = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])
    spreads = np.array([[0.1, 0.4], [0.2, 0.5]])
    assert means.mean(-1)[0] != means.mean(-1)[1]
    assert np.ptp(spreads[0]) != np.ptp(spreads[1])
    rewards = means if name == "inverse_mean" else spreads
    assert SIGNALS[name](rewards).tolist() == [1, 1]
    assert SIGNALS[name](rewards * [[1], [2]]).tolist() == [1, 0]


@pytest.mark.parametrize("name", ROUND_SIGNALS)
def test_signals_of_rounds_are_finite_for_equal_and_huge_rewards(name):
    logprobs = [[-0.1, -1e4], [0.0, -1e-8], [-700.0, -1.0]]
    for rewards in ([[0.1, 0.1]] * 3, [[-1e30, 1e30], [1e30, 0.0], [0.0, 1.0]]):
        assert np.isfinite(ROUND_SIGNALS[name](a_round(rewards, logprobs))).all()


def test_margins_that_differ_by_rounding_count_as_zero():
    round = a_round([[0.1, 0.4], [0.2, 0.5]], [[-0.1, -0.3]] * 2)
    assert alignment_potential(round).tolist() == [0, 0]


@pytest.mark.parametrize("weighting", ["proportional", "minmax", "softmax", "rank"])
def test_weights_of_values_that_differ_by_rounding_are_equal(weighting):
    values = np.array([0.4 - 0.1, 0.5 - 0.2, 0.3])
    assert np.ptp(values) > 0
    assert np.exp(weigh(values, weighting)).tolist() == pytest.approx([1 / 3] * 3)
    assert np.exp(weigh(values * 1e30, weighting)).tolist() == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("weighting", ["proportional", "minmax", "softmax", "rank"])
def test_weights_of_huge_and_tiny_values_are_probabilities(weighting):
    for scale in (1e-300, 1e-30, 1e30, 1e300):
        weights = np.exp(weigh(np.array([0.0, 1.0, 3.0]) * scale, weighting))
        assert np.isfinite(weights).all()
        assert weights.sum() == pytest.approx(1)
        assert weights[2] >= weights[1] >= weights[0]
        if weighting == "proportional":
            assert weights.tolist() == pytest.approx([0, 0.25, 0.75])
    rounded = np.array([0.0, 1e30, -1e10])  # a rounding error of 1e30
    assert np.exp(weigh(rounded, "proportional")).tolist() == [0, 1, 0]
