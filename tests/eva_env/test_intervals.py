"""Intervals and tests: by enumeration, against Student's t, and by simulation."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from eva_env.statistics.bootstrap import grand_mean, resampled
from eva_env.statistics.intervals import (
    half_width,
    holm,
    interval,
    mean_interval,
    p_value,
    variances,
)

NAN = np.nan


def table(seeds, replicates, prompts, parts, seed=0):
    """Draw values (S, replicates, P); ``parts`` are sd of seeds, prompts and residual."""
    rng = np.random.default_rng(seed)
    shapes = (seeds, replicates, 1), (replicates, prompts), (seeds, replicates, prompts)
    return sum(sd * rng.normal(size=shape) for sd, shape in zip(parts, shapes, strict=True))


def test_missing_values_are_left_out():
    """Seed 1 of the second arm failed: the mean is over the others, NaN if none is drawn."""
    values = np.random.default_rng(0).normal(size=(3, 2, 4))
    values[1, 1] = NAN
    assert grand_mean(values)[1] == pytest.approx(values[[0, 2], 1].mean())
    draws = resampled(values, 400, np.random.default_rng(1))
    alone = resampled(values[[0, 2], 1], 400, np.random.default_rng(2))
    present = draws[~np.isnan(draws[:, 1]), 1]
    assert 0.05 < np.isnan(draws[:, 1]).mean() < 0.17  # both of two drawn: 1/9
    assert not np.isnan(draws[:, 0]).any()
    assert present.mean() == pytest.approx(alone.mean(), abs=0.05)
    apart = (
        resampled(values, 400, np.random.default_rng(1), of) for of in ("seeds", "prompts")
    )
    assert not np.isnan(interval(grand_mean(values), *apart, ([3, 2], 4))).any()


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3), (3, 1), (4, 3)])
def test_the_closed_form_is_the_variance_over_all_draws(shape):
    """All draws of S - 1 of the seeds, and of P - 1 prompts, are equally likely."""
    values = np.random.default_rng(3).normal(size=shape)
    parts = [
        np.var([mean.take(indices).mean() for indices in product(range(n), repeat=n - 1)])
        for n, mean in zip(shape, (values.mean(1), values.mean(0)), strict=True)
        if n > 1
    ]
    by_seed, by_prompt, seeds = variances(values)
    assert by_seed == pytest.approx(parts[0])
    assert by_prompt == pytest.approx(parts[1] if shape[1] > 1 else 0.0)
    assert seeds == shape[0]


def test_the_half_width_by_hand():
    """Seeds at 0, 1 and 2 above prompts at 0, 3 and 6: variances 1 / 3 and 9 / 3.

    Both have two degrees of freedom, of which t reaches 4.3027; 40 prompts have 39: 2.0227.
    """
    prompts = np.array([0.0, 3.0, 6.0])
    values = np.arange(3.0)[:, None] + prompts
    by_seed, by_prompt, _ = variances(values)
    assert (by_seed, by_prompt) == (pytest.approx(1 / 3), pytest.approx(3.0))
    test = mean_interval(values)
    assert test.mean == pytest.approx(4.0)
    assert test.high - test.mean == pytest.approx(4.30265 * np.sqrt(10 / 3), rel=1e-5)
    half = half_width(1.0, 4.0, (3, 40), 0.05)
    assert half == pytest.approx(np.sqrt(4.30265**2 + 4 * 2.02269**2), rel=1e-5)
    assert half_width(1.0, 4.0, (3, 40), 0.05 / 3) > half


def test_three_comparisons_widen_the_interval_by_bonferroni():
    """Seeds -1, 0, 4 and fixed prompts: mean 1, variance 7; t of 2 degrees at 0.05 / 3 / 2."""
    estimate = mean_interval(np.array([[-1.0], [0.0], [4.0]]), comparisons=3)
    half = stats.t.ppf(1 - 0.05 / 6, 2) * np.sqrt(7 / 3)
    assert (estimate.low, estimate.high) == pytest.approx((1 - half, 1 + half))


def test_draws_give_the_same_interval():
    values = table(4, 3, 30, (0.2, 0.3, 0.5))
    rng = np.random.default_rng(1)
    draws = [resampled(values, 20_000, rng, of) for of in ("seeds", "prompts")]
    low, high = interval(grand_mean(values), *draws, (4, 30), comparisons=3)
    test = mean_interval(values, comparisons=3)
    assert (low, high) == (
        pytest.approx(test.low, abs=0.04 * (high - low).max()),
        pytest.approx(test.high, abs=0.04 * (high - low).max()),
    )


def test_with_fixed_prompts_it_is_students_interval():
    """The bootstrap's t interval up to Monte Carlo, the paired test to the last digit."""
    values = np.array([0.1, 0.5, 0.2, 0.7])
    centre = values.mean()
    half = stats.t.ppf(1 - 0.025 / 4, 3) * values.std(ddof=1) / np.sqrt(4)
    rng = np.random.default_rng(0)
    draws = [resampled(values[:, None], 40_000, rng, of) for of in ("seeds", "prompts")]
    low, high = interval(grand_mean(values[:, None]), *draws, (4, 1), comparisons=4)
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=0.02 * half)
    oracle = stats.ttest_1samp(values, 0)
    test = mean_interval(values[:, None])
    assert p_value(values[:, None]) == pytest.approx(oracle.pvalue, rel=1e-9)
    assert (test.low, test.high) == pytest.approx(oracle.confidence_interval(), abs=1e-12)
    assert test.mean == pytest.approx(0.375)
    assert mean_interval(-values[:, None]).low == -test.high


def test_one_seed_shows_nothing():
    values = np.random.default_rng(0).normal(size=(1, 2, 6))
    draws = resampled(values, 10, np.random.default_rng(0))
    assert np.isnan(interval(grand_mean(values), draws, draws, (1, 6))).all()
    test = mean_interval(values)
    assert test.mean == pytest.approx(values.mean((0, 2)))
    assert np.isnan([test.low, test.high, p_value(values)]).all()
    failed = np.concatenate([values, np.full((1, 2, 6), NAN)])
    assert np.isnan(p_value(failed)).all()


def test_a_failed_seed_is_left_out_of_the_test():
    values = table(4, 2, 5, (1, 1, 1))
    values[2, 0] = NAN
    test, alone = mean_interval(values), mean_interval(values[[0, 1, 3]])
    assert [part[0] for part in test] == pytest.approx([part[0] for part in alone])
    assert test.mean[1] == pytest.approx(values[:, 1].mean())


def test_p_values_of_differences_without_variance():
    assert p_value(np.zeros((3, 4))) == 1
    assert p_value(np.ones((3, 1))) == 0


@pytest.mark.parametrize(
    ("seeds", "prompts", "parts"),
    [
        (3, 1, (1.0, 0.0, 0.3)),
        (3, 40, (1.0, 0.3, 0.3)),
        (5, 200, (0.1, 0.1, 0.4)),
        (10, 40, (0.1, 0.1, 0.3)),
        (20, 40, (0.1, 0.3, 0.3)),
        (3, 400, (0.02, 0.3, 0.3)),
        (2, 400, (1.0, 0.3, 0.3)),
    ],
)
def test_coverage_with_few_seeds(seeds, prompts, parts):
    """2,000 experiments with crossed effects; the standard error of a coverage is 0.005."""
    values = table(seeds, 2000, prompts, parts)
    test = mean_interval(values)
    missed = (test.low > 0) | (test.high < 0)
    assert 0.005 < missed.mean() < 0.065
    assert ((p_value(values) < 0.05) == missed).all()


@pytest.mark.parametrize(("seeds", "ratio"), [(3, 1), (3, 4), (5, 4), (10, 4)])
def test_corrected_intervals_cover_jointly(seeds, ratio):
    """Four comparisons in 1,000 experiments; ``ratio``: variance of seeds over that of prompts.

    Student's t with pooled degrees of freedom misses in up to 12 % of them.
    """
    values = table(seeds, 4000, 100, (np.sqrt(ratio * seeds / 100), 1.0, 0.5))
    test = mean_interval(values, comparisons=4)
    missed = ((test.low > 0) | (test.high < 0)).reshape(4, 1000).any(0)
    assert missed.mean() < 0.06


def test_prompts_that_vary_more_than_seeds_do_not_make_few_seeds_worse():
    """The half-width is near 1.96 sd / sqrt(P), not 4.3 times as t with 2 degrees has it."""
    test = mean_interval(table(3, 500, 400, (0.005, 0.3, 0.1)))
    half = np.median(test.high - test.low) / 2
    assert half == pytest.approx(1.96 * 0.3 / 20, rel=0.2)


def test_holm_by_hand():
    """4 * .005; 3 * .01; 2 * .03; then .04, which may not be below the last: .06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == pytest.approx([1, 1])
    assert holm([0.02, NAN, 0.01]) == pytest.approx([0.02, NAN, 0.02], nan_ok=True)
    assert holm([]).shape == (0,)
