"""Signals on hand-worked numbers, and the inequalities between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eva_env.signals import (
    PASS_RATE_SIGNALS,
    SIGNALS,
    a_star_avg,
    a_star_dts,
    a_star_min,
    band_pass,
    pass_rate,
)

REWARDS = np.array([[1.0, 4.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0], [3.0, 3.0, 1.0, 0.0]])
BY_HAND = {
    "a_star_min": [3, 0, 3],
    "a_star_avg": [2, 0, 1.25],
    "a_star_dts": [2, 0, 0],
    "variance": [1.5, 0, 1.6875],
    "mean": [2, 0, 1.75],
    "one_minus_mean": [-1, 1, -0.75],
    "inverse_mean": [0, 1, 0.125],
    "inverse_a_star_min": [0, 1, 0],
    "uniform": [1, 1, 1],
    "leave_one_out": [4 / 3, 0, 5 / 3],
    "learnability": [0, 0, 3 / 16],
    "unit_learnability": [0, 0, 3 / 4],
    "uncertainty": [0, 0, 1 / 2],
    "proposer_learnability": [0, 0, 1 / 4],
    "band_pass": [0, 0, 0],
}
VERIFIED = np.array([[0.0] * 8, [1.0] + [0.0] * 7, [1.0, 0.0] * 4, [1.0] * 8])
"""Pass rates 0, 1/8, 1/2 and 1."""
BY_HAND_OF_VERIFIED = {
    "a_star_min": [0, 1, 1, 0],
    "a_star_avg": [0, 7 / 8, 1 / 2, 0],
    "a_star_dts": [0, 1, 0, 0],
    "variance": [0, 7 / 64, 1 / 4, 0],
    "mean": [0, 1 / 8, 1 / 2, 1],
    "one_minus_mean": [1, 7 / 8, 1 / 2, 0],
    "inverse_mean": [1, 7 / 8, 1 / 2, 0],
    "inverse_a_star_min": [1, 0, 0, 1],
    "uniform": [1, 1, 1, 1],
    "leave_one_out": [0, 1 / 4, 4 / 7, 0],
    "learnability": [0, 7 / 64, 1 / 4, 0],
    "unit_learnability": [0, 7 / 16, 1, 0],
    "uncertainty": [0, 1 / 4, 1, 0],
    "proposer_learnability": [0, 7 / 8, 1 / 2, 0],
    "band_pass": [0, 1, 0, 0],
}
ABSOLUTE = {"one_minus_mean"} | {signal.__name__ for signal in PASS_RATE_SIGNALS}
"""Signals that depend on the pass threshold, so rewards cannot be shifted or scaled."""
SHIFT_INVARIANT = set(SIGNALS) - {"mean"} - ABSOLUTE
SCALE_DEGREE = {name: 1 for name in set(SIGNALS) - ABSOLUTE} | {
    "variance": 2,
    "uniform": 0,
    "inverse_mean": 0,
    "inverse_a_star_min": 0,
}
whole = st.integers(-50, 50).map(float)
batches = st.tuples(st.integers(1, 5), st.integers(2, 8)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=whole)
)
few = batches.map(lambda rewards: np.clip(rewards, -2, 2))


@pytest.mark.parametrize("name", SIGNALS)
def test_by_hand(name):
    assert SIGNALS[name](REWARDS) == pytest.approx(BY_HAND[name])


@pytest.mark.parametrize("name", SIGNALS)
def test_verified_responses_by_hand(name):
    assert SIGNALS[name](VERIFIED) == pytest.approx(BY_HAND_OF_VERIFIED[name])


@given(batches)
def test_second_best_gap_mean_gap_and_range_form_a_chain(rewards):
    n = rewards.shape[1]
    assert (a_star_dts(rewards) >= 0).all()
    assert (a_star_dts(rewards) <= n / (n - 1) * a_star_avg(rewards) + 1e-9).all()
    assert (n / (n - 1) * a_star_avg(rewards) <= a_star_min(rewards) + 1e-9).all()


@given(arrays(np.float64, (4, 2), elements=whole))
def test_the_chain_collapses_to_one_number_for_two_responses(rewards):
    assert (a_star_dts(rewards) == a_star_min(rewards)).all()
    assert (2 * a_star_avg(rewards) == a_star_min(rewards)).all()


@given(batches, st.sampled_from(sorted(SHIFT_INVARIANT)), whole)
def test_adding_a_constant_changes_nothing(rewards, name, shift):
    assert SIGNALS[name](rewards + shift) == pytest.approx(SIGNALS[name](rewards), abs=1e-9)


@given(batches, st.sampled_from(sorted(SCALE_DEGREE)), st.sampled_from([0.25, 2.0, 8.0]))
def test_scaling_scales_by_the_degree(rewards, name, factor):
    expected = factor ** SCALE_DEGREE[name] * SIGNALS[name](rewards)
    assert SIGNALS[name](factor * rewards) == pytest.approx(expected)


@given(few, st.sampled_from(PASS_RATE_SIGNALS), whole, st.sampled_from([0.25, 2.0, 8.0]))
def test_pass_rates_move_with_their_threshold(rewards, signal, shift, factor):
    moved = signal(factor * rewards + shift, passing=factor + shift)
    assert (moved == signal(rewards, passing=1.0)).all()


@given(few, st.sampled_from(PASS_RATE_SIGNALS))
def test_pass_rate_signals_depend_only_on_which_responses_pass(rewards, signal):
    binary = (rewards >= 1).astype(float)
    assert (signal(rewards) == signal(binary)).all()
    assert signal(binary) == pytest.approx(signal(np.sort(binary)))


@given(batches, st.sampled_from(sorted(SIGNALS)), st.randoms(use_true_random=False))
def test_the_order_of_responses_does_not_matter(rewards, name, random):
    order = list(range(rewards.shape[1]))
    random.shuffle(order)
    assert SIGNALS[name](rewards[:, order]) == pytest.approx(SIGNALS[name](rewards), abs=1e-9)


@pytest.mark.parametrize("name", SIGNALS)
def test_leading_axes_are_separate_batches(name):
    games = np.random.default_rng(0).normal(0.8, size=(3, 5, 4))
    expected = [SIGNALS[name](rewards) for rewards in games]
    assert SIGNALS[name](games) == pytest.approx(np.array(expected))


def test_a_response_passes_from_the_threshold_on_up_to_rounding():
    assert pass_rate(np.array([[0.9, 1.0, 1.1, 1 - 1e-7]])) == pytest.approx([0.75])
    almost = np.nextafter(np.ones((1, 2), np.float32), np.array([[0, 2]], np.float32))
    assert pass_rate(almost) == pytest.approx([1])
    assert pass_rate(np.array([[0.2, 0.5, 0.7, 0.4]]), passing=0.5) == pytest.approx([0.5])


def test_the_band_is_open_at_both_ends():
    passed = (np.arange(8) < np.arange(9)[:, None]).astype(float)
    assert band_pass(passed).tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert band_pass(passed, below=0.5).tolist() == [0, 1, 1, 1, 0, 0, 0, 0, 0]
    assert band_pass(np.eye(4)).tolist() == [0] * 4
