"""Expected signals against enumeration and sampling, and signals without expectation."""

import math
from itertools import product

import numpy as np
import pytest

from eva_env.game import draw_iid
from eva_env.signals import SIGNALS, a_star_avg, leave_one_out
from eva_env.tabular import exact
from tests.support.tables import random_rows

NAMES = [*exact.CLOSED_FORMS, "leave_one_out"]


def enumerated(statistic, policy, rewards, n):
    """Expectation over all M^n ordered draws from one prompt."""
    draws = np.array(list(product(range(len(policy)), repeat=n)))
    return policy[draws].prod(-1) @ statistic(rewards[draws], draws)


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
    with pytest.raises(ValueError, match=r"'inverse_mean' has no expectation by prompt"):
        exact.expected_signal("inverse_mean", policy, rewards, 4)
    with pytest.raises(ValueError, match=r"n must be at least 2 responses, got 1"):
        exact.expected_signal("mean", policy, rewards, 1)
    wide = np.full((1, 64), 1 / 64)
    with pytest.raises(ValueError, match=r"119877472 multisets of n=6"):
        exact.expected_signal(leave_one_out, wide, wide, 6)


def test_a_single_row_is_accepted():
    policy, reference, rewards = random_rows(12)
    for name in NAMES:
        alone = exact.expected_signal(name, policy[2], rewards[2], 3)
        together = exact.expected_signal(name, policy, rewards, 3)[2]
        np.testing.assert_allclose(alone, together, atol=1e-14)
    np.testing.assert_allclose(
        exact.regret(policy[2], rewards[2], reference[2], 0.3),
        exact.regret(policy, rewards, reference, 0.3)[2],
    )
