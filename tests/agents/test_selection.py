from itertools import permutations
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evolution.selection import (
    Weighting,
    balance_topics,
    greedy,
    mix_staleness,
    share,
    stratified,
    weigh,
    weighted,
)

WEIGHTINGS = get_args(Weighting)
VALUES = st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0, 1e6]), min_size=1, max_size=40)


def draw(how, values, size, rng, weighting: Weighting = "proportional"):
    if how == "greedy":
        return greedy(values, size, rng)
    weights = weigh(values, weighting)
    if how == "stratified":
        return stratified(values, weights, size, rng)
    return weighted(weights, size, rng)


def inclusion(weights, size, draws=4000, seed=0):
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([weighted(weights, size, rng) for _ in range(draws)])
    return np.bincount(drawn, minlength=len(weights)) / draws


@pytest.mark.parametrize(
    ("weighting", "values", "expected"),
    [
        ("proportional", [1.0, 3.0, 0.0], [1 / 4, 3 / 4, 0]),
        ("minmax", [1.0, 2.0, 4.0], [0, 1 / 4, 3 / 4]),
        ("minmax", [-5.0, -3.0, -4.0], [0, 2 / 3, 1 / 3]),
        ("softmax", [0.0, np.log(2), np.log(5)], [1 / 8, 2 / 8, 5 / 8]),
        ("rank", [5.0, 1.0, 5.0, 9.0], [2.5 / 10, 1 / 10, 2.5 / 10, 4 / 10]),
    ],
)
def test_weightings_by_hand(weighting, values, expected):
    np.testing.assert_allclose(np.exp(weigh(np.array(values), weighting)), expected)


def test_temperature_and_exponent_by_hand():
    np.testing.assert_allclose(
        np.exp(weigh(np.array([0.0, np.log(2)]), "softmax", tau=0.5)), [1 / 5, 4 / 5]
    )
    np.testing.assert_allclose(
        np.exp(weigh(np.array([7.0, 8.0, 100.0]), "rank", alpha=2.0)), [1 / 14, 4 / 14, 9 / 14]
    )


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("value", [0.0, 2.5, -1.0])
def test_equal_values_weigh_the_same(weighting, value):
    np.testing.assert_allclose(np.exp(weigh(np.full(5, value), weighting)), 0.2)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(weighting, bad):
    with pytest.raises(ValueError, match="at index 2"):
        weigh(np.array([1.0, 2.0, bad]), weighting)
    with pytest.raises(ValueError, match="at index 2"):
        greedy(np.array([1.0, 2.0, bad]), 1, np.random.default_rng())


def test_proportional_rejects_negative_values_but_not_rounding():
    with pytest.raises(ValueError, match=r"got -0.5 at index 1; take minmax"):
        weigh(np.array([1.0, -0.5]))
    np.testing.assert_allclose(np.exp(weigh(np.array([1.0, -1e-17]))), [1, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weigh(np.arange(3.0), "softmax", tau=0.0), "tau must be positive, got 0.0"),
        (lambda: weigh(np.arange(3.0), "rank", alpha=-1.0), "alpha must not be negative"),
        (lambda: weigh(np.arange(3.0), "cubic"), "unknown weighting 'cubic'; known: prop"),  # type: ignore[arg-type]
        (lambda: balance_topics(np.zeros(2), ["a", "b"], 1.5), r"c must lie in \[0, 1\]"),
        (lambda: mix_staleness(np.zeros(2), np.ones(2), -0.1), r"rho must lie in \[0, 1\]"),
        (lambda: mix_staleness(np.zeros(2), np.array([1, -2]), 0.1), "got -2.0 at index 1"),
    ],
)
def test_wrong_settings_are_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_outlier_flattens_proportional_weights_and_not_ranks():
    values = np.array([1.0, 2.0, 3.0, 1e9])
    assert np.exp(weigh(values))[3] > 0.999999
    np.testing.assert_allclose(np.exp(weigh(values, "rank")), [0.1, 0.2, 0.3, 0.4])
    drawn = weighted(weigh(values), 2, np.random.default_rng(0))
    assert len(set(drawn)) == 2
    assert 3 in drawn


def test_fewer_positive_weights_than_draws_are_filled_up_uniformly():
    rate = inclusion(weigh(np.array([0.0, 2.0, 0.0, 1.0, 0.0])), 3)
    np.testing.assert_array_equal(rate[[1, 3]], 1.0)
    np.testing.assert_allclose(rate[[0, 2, 4]], 1 / 3, atol=0.03)


@pytest.mark.parametrize("how", ["weighted", "greedy", "stratified"])
def test_sizes_at_the_edge(how):
    values, rng = np.arange(7.0), np.random.default_rng(0)
    assert len(draw(how, values, 0, rng)) == 0
    assert sorted(draw(how, values, 7, rng)) == list(range(7))
    assert len(draw(how, np.zeros(0), 0, rng)) == 0
    for size in (8, -1):
        with pytest.raises(ValueError, match=f"number of prompts 7, got {size}"):
            draw(how, values, size, rng)


@given(
    values=VALUES,
    fraction=st.floats(0, 1),
    how=st.sampled_from(["weighted", "greedy", "stratified"]),
    weighting=st.sampled_from(WEIGHTINGS),
    seed=st.integers(0, 9),
)
@settings(max_examples=200, deadline=None)
def test_exact_size_without_repeats_and_seeded(values, fraction, how, weighting, seed):
    values = np.array(values)
    size = share(fraction, len(values))
    drawn = draw(how, values, size, np.random.default_rng(seed), weighting)
    assert len(drawn) == len(set(drawn)) == size
    again = draw(how, values, size, np.random.default_rng(seed), weighting)
    np.testing.assert_array_equal(drawn, again)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_inclusion_grows_with_the_signal(weighting):
    rate = inclusion(weigh(np.arange(1.0, 9.0), weighting, tau=3.0), 3)
    assert (np.diff(rate) > 0).all()
    assert rate.sum() == pytest.approx(3)


def test_inclusion_is_that_of_successive_draws():
    p = np.array([0.5, 0.3, 0.2])
    exact = np.zeros(3)
    for i, j in permutations(range(3), 2):
        exact[[i, j]] += p[i] * p[j] / (1 - p[i])
    np.testing.assert_allclose(inclusion(np.log(p), 2, 20_000), exact, atol=0.012)


@given(values=st.lists(st.floats(0, 10), min_size=4, max_size=20, unique=True))
@settings(max_examples=50, deadline=None)
def test_greedy_is_top_k_and_the_limit_of_a_steep_rank(values):
    values, rng = np.array(values), np.random.default_rng(0)
    top = np.argsort(-values)[:3]
    np.testing.assert_array_equal(greedy(values, 3, rng), top)
    np.testing.assert_array_equal(weighted(weigh(values, "rank", alpha=1e6), 3, rng), top)


def test_an_infinitely_steep_rank_is_uniform_over_the_best():
    weights = np.exp(weigh(np.array([1.0, 3.0, 2.0, 3.0]), "rank", alpha=np.inf))
    np.testing.assert_allclose(weights, [0, 0.5, 0, 0.5])


def test_temperature_limits():
    values = np.array([0.3, 0.1, 0.9, 0.5])
    cold = weigh(values, "softmax", tau=1e-6)
    np.testing.assert_array_equal(weighted(cold, 3, np.random.default_rng(0)), [2, 3, 0])
    for flat in (weigh(values, "softmax", tau=1e9), weigh(values, "rank", alpha=0.0)):
        np.testing.assert_allclose(np.exp(flat), 0.25, rtol=1e-6)


def test_greedy_lets_the_generator_break_ties():
    rng = np.random.default_rng(0)
    drawn = [greedy(np.array([1.0, 2.0, 1.0, 1.0]), 2, rng) for _ in range(3000)]
    assert all(one[0] == 1 for one in drawn)
    rate = np.bincount([one[1] for one in drawn], minlength=4) / 3000
    np.testing.assert_allclose(rate, [1 / 3, 0, 1 / 3, 1 / 3], atol=0.03)


def test_stratified_draws_from_every_quantile_bin():
    values = np.random.default_rng(1).permutation(40).astype(float)
    weights = weigh(values, "proportional")
    drawn = stratified(values, weights, 10, np.random.default_rng(0))
    assert sorted(values[drawn] // 4) == list(range(10))
    few = stratified(values, weights, 5, np.random.default_rng(0))
    assert sorted(values[few] // 4) == [1, 3, 5, 7, 9]


def test_stratified_weighs_inside_a_bin():
    values = np.array([1.0, 9.0, 10.0, 30.0])
    rng = np.random.default_rng(0)
    drawn = np.concatenate(
        [stratified(values, weigh(values), 2, rng, bins=2) for _ in range(4000)]
    )
    np.testing.assert_allclose(
        np.bincount(drawn) / 4000, [1 / 10, 9 / 10, 1 / 4, 3 / 4], atol=0.03
    )


def test_topic_balance_mixes_by_hand():
    weights = np.log([0.1, 0.2, 0.7])
    mixed = np.exp(balance_topics(weights, ["math", "math", "code"], c=0.25))
    np.testing.assert_allclose(
        mixed, 0.75 * np.array([0.1, 0.2, 0.7]) + 0.25 * np.array([1, 1, 2]) / 4
    )
    np.testing.assert_allclose(balance_topics(weights, ["a", "b", "b"], c=0.0), weights)


def test_staleness_mixes_by_hand():
    weights, ages = np.log([0.1, 0.2, 0.7]), np.array([5, 0, 3])
    mixed = [np.exp(mix_staleness(weights, ages, rho)) for rho in (0.0, 0.1, 1.0)]
    np.testing.assert_allclose(mixed[0], [0.1, 0.2, 0.7])
    np.testing.assert_allclose(mixed[1], [0.09 + 5 / 80, 0.18, 0.63 + 3 / 80])
    np.testing.assert_allclose(mixed[2], [5 / 8, 0, 3 / 8])


def test_prompts_of_one_age_are_equally_stale():
    weights = weigh(np.array([0.0, 1.0, 3.0]))
    for ages in (np.zeros(3, int), np.full(3, 7)):
        mixed = np.exp(mix_staleness(weights, ages, 0.3))
        np.testing.assert_allclose(mixed, 0.7 * np.array([0, 1, 3]) / 4 + 0.1)
    assert len(mix_staleness(np.zeros(0), np.zeros(0), 0.3)) == 0


@given(
    values=VALUES,
    rho=st.floats(0, 1),
    weighting=st.sampled_from(WEIGHTINGS),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_staleness_leaves_a_distribution_that_grows_with_age(values, rho, weighting, seed):
    weights = weigh(np.array(values), weighting)
    ages = np.random.default_rng(seed).integers(0, 5, len(values))
    mixed = np.exp(mix_staleness(weights, ages, rho))
    assert mixed.sum() == pytest.approx(1)
    shift = mixed - (1 - rho) * np.exp(weights)
    assert (np.diff(shift[np.argsort(ages, kind="stable")]) >= -1e-12).all()


def test_share_is_the_floor_of_the_product_as_written():
    assert [share(0.25, n) for n in (3, 4, 7, 8)] == [0, 1, 1, 2]
    assert share(0.29, 100) == 29
