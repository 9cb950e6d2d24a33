"""Resampling of seeds and prompts: by enumeration, against Student's t, and by simulation."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from agents.evaluate import interval as student
from eva_env.solving import bootstrap
from eva_env.solving.bootstrap import holm, interval, mean, paired_test, resampled
from eva_env.solving.zero_sum import nash

NAN = np.nan


def table(seeds, replicates, prompts, parts, seed=0):
    """Values (S, replicates, P) with standard deviations of seeds, prompts and the rest."""
    rng = np.random.default_rng(seed)
    shapes = (seeds, replicates, 1), (replicates, prompts), (seeds, replicates, prompts)
    return sum(sd * rng.normal(size=shape) for sd, shape in zip(parts, shapes, strict=True))


def test_draws_are_means_over_the_seeds_and_prompts_drawn():
    values = np.random.default_rng(0).normal(size=(3, 2, 2, 5))
    draws = resampled(values, 50, np.random.default_rng(1))
    seeds, prompts = bootstrap.counts(3, 5, 50, np.random.default_rng(1))
    assert (seeds.sum(1) == 3).all()
    assert (prompts.sum(1) == 5).all()
    assert draws.shape == (50, 2, 2)
    for draw, own, others in zip(draws, seeds.astype(int), prompts.astype(int), strict=True):
        picked = values[np.repeat(range(3), own)][..., np.repeat(range(5), others)]
        assert draw == pytest.approx(picked.mean((0, -1)))


def test_cells_without_a_value_are_left_out():
    """Seed 1 of the second arm failed: its mean is over the others, NaN without them."""
    values = np.random.default_rng(0).normal(size=(3, 2, 4))
    values[1, 1] = NAN
    assert mean(values)[1] == pytest.approx(values[[0, 2], 1].mean())
    draws = resampled(values, 400, np.random.default_rng(1))
    alone = resampled(values[[0, 2], 1], 400, np.random.default_rng(2))
    known = draws[~np.isnan(draws[:, 1]), 1]
    assert 0.01 < np.isnan(draws[:, 1]).mean() < 0.08  # 1/27 = 0.037
    assert not np.isnan(draws[:, 0]).any()
    assert known.mean() == pytest.approx(alone.mean(), abs=0.05)
    apart = (
        resampled(values, 400, np.random.default_rng(1), of) for of in ("seeds", "prompts")
    )
    assert not np.isnan(interval(mean(values), *apart, ([3, 2], 4))).any()


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3), (3, 1), (4, 3)])
def test_the_closed_form_is_the_variance_over_all_draws(shape):
    """All S^S draws of the seeds, and P^P of the prompts, are equally likely.

    So their variances need no Monte Carlo; each is that of a sample, times n / (n - 1).
    """
    values = np.random.default_rng(3).normal(size=shape)
    parts = [
        np.var([mean.take(own).mean() for own in product(range(n), repeat=n)]) * n / (n - 1)
        for n, mean in zip(shape, (values.mean(1), values.mean(0)), strict=True)
        if n > 1
    ]
    found, freedom = bootstrap.standard_error(values)
    assert found == pytest.approx(np.sqrt(sum(parts)))
    wanted = sum(parts) ** 2 / sum(
        part**2 / (n - 1) for part, n in zip(parts, shape, strict=False)
    )
    assert freedom == pytest.approx(1 if shape[0] == 2 else wanted)


def test_the_standard_error_by_hand():
    """Seeds at 0 and 2 above prompts at 0, 3 and 6: variances 2 / 2 and 9 / 3, sum 4.

    With three seeds, at 0, 1 and 2: 1 / 3 + 3 with (10/3)^2 / ((1/9) / 2 + 9 / 2) = 2.44.
    """
    prompts = np.array([0.0, 3.0, 6.0])
    error, freedom = bootstrap.standard_error(np.array([[0.0], [2.0]]) + prompts)
    assert (error, freedom) == (pytest.approx(2.0), 1)
    error, freedom = bootstrap.standard_error(np.arange(3.0)[:, None] + prompts)
    assert error == pytest.approx(np.sqrt(10 / 3))
    assert freedom == pytest.approx((100 / 9) / (1 / 18 + 9 / 2))


def test_draws_spread_by_the_standard_error():
    values = table(4, 3, 30, (0.2, 0.3, 0.5))
    rng = np.random.default_rng(1)
    draws = [resampled(values, 20_000, rng, of) for of in ("seeds", "prompts")]
    low, high = interval(mean(values), *draws, (4, 30), comparisons=3)
    test = paired_test(values, comparisons=3)
    assert (low, high) == (
        pytest.approx(test.low, abs=0.04 * (high - low).max()),
        pytest.approx(test.high, abs=0.04 * (high - low).max()),
    )


def test_with_fixed_prompts_it_is_students_interval():
    """The bootstrap's t interval up to Monte Carlo, the paired test to the last digit."""
    values = np.array([0.1, 0.5, 0.2, 0.7])
    centre, half = student(values, comparisons=4)
    rng = np.random.default_rng(0)
    draws = [resampled(values[:, None], 40_000, rng, of) for of in ("seeds", "prompts")]
    low, high = interval(mean(values[:, None]), *draws, (4, 1), comparisons=4)
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=0.02 * half)
    oracle = stats.ttest_1samp(values, 0)
    test = paired_test(values[:, None])
    assert test.p == pytest.approx(oracle.pvalue, abs=1e-12)
    assert (test.low, test.high) == pytest.approx(oracle.confidence_interval(), abs=1e-12)
    assert test.mean == pytest.approx(0.375)
    assert paired_test(-values[:, None]).low == -test.high


def test_one_seed_shows_nothing():
    values = np.random.default_rng(0).normal(size=(1, 2, 6))
    draws = resampled(values, 10, np.random.default_rng(0))
    assert np.isnan(interval(mean(values), draws, draws, (1, 6))).all()
    test = paired_test(values)
    assert test.mean == pytest.approx(values.mean((0, 2)))
    assert np.isnan([test.low, test.high, test.p]).all()
    failed = np.concatenate([values, np.full((1, 2, 6), NAN)])
    assert np.isnan(paired_test(failed).p).all()


def test_a_failed_seed_is_no_part_of_the_test():
    values = table(4, 2, 5, (1, 1, 1))
    values[2, 0] = NAN
    test, alone = paired_test(values), paired_test(values[[0, 1, 3]])
    assert [part[0] for part in test] == pytest.approx([part[0] for part in alone])
    assert test.mean[1] == pytest.approx(values[:, 1].mean())


def test_alike_throughout_is_no_difference():
    assert paired_test(np.zeros((3, 4))).p == 1
    assert paired_test(np.ones((3, 1))).p == 0


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
    """Of 2,000 experiments with crossed effects; the standard error of a coverage is 0.005."""
    test = paired_test(table(seeds, 2000, prompts, parts))
    assert 0.93 < ((test.low < 0) & (test.high > 0)).mean() < 0.99
    assert (test.p < 0.05).mean() == pytest.approx(((test.low > 0) | (test.high < 0)).mean())


def test_prompts_that_vary_more_than_seeds_do_not_make_few_seeds_worse():
    """The half-width is near 1.96 sd / sqrt(P), not 4.3 times as t with 2 degrees has it."""
    test = paired_test(table(3, 500, 400, (0.005, 0.3, 0.1)))
    half = np.median(test.high - test.low) / 2
    assert half == pytest.approx(1.96 * 0.3 / 20, rel=0.1)


def test_holm_by_hand():
    """4 * .005; 3 * .01; 2 * .03; then .04, which may not be below the last: .06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == pytest.approx([1, 1])
    assert holm([0.02, NAN, 0.01]) == pytest.approx([0.02, NAN, 0.02], nan_ok=True)
    assert holm([]).shape == (0,)


def test_support_frequencies_by_hand():
    """Three draws in which the first row dominates, one in which the second does."""
    first = np.array([[1.0, 2], [0, 0]])
    draws = np.stack([first, first, first, first[::-1]])
    assert bootstrap.support_frequencies(lambda m: nash(m).row, draws).tolist() == [0.75, 0.25]
    draws[0, 0, 0] = NAN
    assert bootstrap.support_frequencies(lambda m: nash(m).row, draws) == pytest.approx(
        [2 / 3, 1 / 3]
    )
    draws[:, 1, 1] = NAN
    assert len(bootstrap.support_frequencies(lambda m: nash(m).row, draws)) == 2
    with pytest.raises(ValueError, match="take more seeds"):
        bootstrap.support_frequencies(
            lambda m: nash(m).row, np.stack([np.diag([NAN, 1]), np.diag([1, NAN])])
        )
