"""Signals on hand-worked numbers, and the inequalities between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eva_env.signals import SIGNALS, a_star_avg, a_star_dts, a_star_min

REWARDS = np.array([[1.0, 4.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0], [3.0, 3.0, 1.0, 1.0]])
BY_HAND = {
    "a_star_min": [3, 0, 2],
    "a_star_avg": [2, 0, 1],
    "a_star_dts": [2, 0, 0],
    "variance": [1.5, 0, 1],
    "mean": [2, 0, 2],
    "inverse_mean": [0, 1, 0],
    "inverse_a_star_min": [0, 1, 1 / 3],
    "uniform": [1, 1, 1],
    "leave_one_out": [4 / 3, 0, 4 / 3],
}
SHIFT_INVARIANT = set(SIGNALS) - {"mean"}
SCALE_DEGREE = {name: 1 for name in SIGNALS} | {
    "variance": 2,
    "uniform": 0,
    "inverse_mean": 0,
    "inverse_a_star_min": 0,
}
whole = st.integers(-50, 50).map(float)
batches = st.tuples(st.integers(1, 5), st.integers(2, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=whole)
)


@pytest.mark.parametrize("name", SIGNALS)
def test_by_hand(name):
    assert SIGNALS[name](REWARDS) == pytest.approx(BY_HAND[name])


@given(batches)
def test_second_best_gap_mean_gap_and_range_form_a_chain(rewards):
    n = rewards.shape[1]
    assert (a_star_dts(rewards) <= n / (n - 1) * a_star_avg(rewards) + 1e-9).all()
    assert (n / (n - 1) * a_star_avg(rewards) <= a_star_min(rewards) + 1e-9).all()


@given(batches, st.sampled_from(sorted(SHIFT_INVARIANT)), whole)
def test_adding_a_constant_changes_nothing(rewards, name, shift):
    assert SIGNALS[name](rewards + shift) == pytest.approx(SIGNALS[name](rewards), abs=1e-9)


@given(batches, st.sampled_from(sorted(SIGNALS)), st.sampled_from([0.25, 2.0, 8.0]))
def test_scaling_scales_by_the_degree(rewards, name, factor):
    expected = factor ** SCALE_DEGREE[name] * SIGNALS[name](rewards)
    assert SIGNALS[name](factor * rewards) == pytest.approx(expected)


@given(batches, st.sampled_from(sorted(SIGNALS)), st.randoms(use_true_random=False))
def test_the_order_of_responses_does_not_matter(rewards, name, random):
    order = list(range(rewards.shape[1]))
    random.shuffle(order)
    assert SIGNALS[name](rewards[:, order]) == pytest.approx(SIGNALS[name](rewards), abs=1e-9)


@pytest.mark.parametrize("name", SIGNALS)
def test_leading_axes_are_batches_of_their_own(name):
    games = np.random.default_rng(0).normal(size=(3, 5, 4))
    expected = [SIGNALS[name](rewards) for rewards in games]
    assert SIGNALS[name](games) == pytest.approx(np.array(expected))
