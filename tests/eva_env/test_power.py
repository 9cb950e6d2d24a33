"""Power of the paired t test: published sample sizes, scipy's nct, and simulation."""

import numpy as np
import pytest
from scipy import stats

from eva_env.statistics.intervals import p_value
from eva_env.statistics.power import detectable, power, seeds_needed


@pytest.mark.parametrize(("effect", "seeds"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_sample_sizes_of_small_medium_and_large_effects(effect, seeds):
    """Two-sided, 5 %, power .8: as G*Power gives them for the matched-pairs t test."""
    assert seeds_needed(effect, 1) == seeds
    assert power(effect, 1, seeds) >= 0.8 > power(effect, 1, seeds - 1)
    assert detectable(1, seeds) <= effect < detectable(1, seeds - 1)


@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
@pytest.mark.parametrize("comparisons", [1, 10])
@pytest.mark.parametrize("effect", [0.0, 0.5, 1.0])
def test_power_is_the_tails_of_the_noncentral_t(effect, seeds, comparisons):
    edge, centre = stats.t.ppf(1 - 0.025 / comparisons, seeds - 1), effect * np.sqrt(seeds)
    expected = stats.nct.sf(edge, seeds - 1, centre) + stats.nct.cdf(-edge, seeds - 1, centre)
    assert power(-effect * 3, 3, seeds, comparisons) == pytest.approx(expected, abs=1e-4)


def test_power_by_simulation():
    """In the tails, where scipy's nct is NaN."""
    drawn = np.random.default_rng(0).normal(5, 1, size=(3, 100_000))
    rejected = stats.ttest_1samp(drawn, 0).pvalue < 0.05 / 10
    assert power(5, 1, 3, 10) == pytest.approx(rejected.mean(), abs=0.005)


def test_prompts_set_a_floor():
    """By simulation of ``p_value``: 4 seeds of sd .06, 100 prompts of sd .3, so .03."""
    rng = np.random.default_rng(0)
    shape = (4, 4000, 1), (4000, 100)
    differences = 0.12 + 0.06 * rng.normal(size=shape[0]) + 0.3 * rng.normal(size=shape[1])
    detected = (p_value(differences) < 0.05).mean()
    assert power(0.12, 0.06, 4, floor=0.03) == pytest.approx(detected, abs=0.02)
    assert power(0.12, 0.06, 4) > detected + 0.02
    least = detectable(0.06, 4, floor=0.03)
    assert power(least, 0.06, 4, floor=0.03) == pytest.approx(0.8)
    wanted = seeds_needed(0.12, 0.06, floor=0.04)
    assert wanted > seeds_needed(0.12, 0.06)
    assert power(0.12, 0.06, wanted, floor=0.04) >= 0.8
    assert seeds_needed(0.05, 0.06, floor=0.03) is None


def test_detectable_difference():
    """In units of the difference; one seed detects nothing."""
    assert power(detectable(0.03, 3, 10, 0.9), 0.03, 3, 10) == pytest.approx(0.9)
    assert detectable(0.06, 5) == pytest.approx(2 * detectable(0.03, 5))
    assert detectable(1, 5, 10) > detectable(1, 5) > detectable(1, 6)
    assert detectable(0.0, 5) == 0
    assert np.isnan([detectable(1, 1), power(1, 1, 1)]).all()
    assert (seeds_needed(1, 0.0), power(1, 0.0, 2), power(0, 1, 9)) == (
        2,
        1,
        pytest.approx(0.05, abs=1e-5),
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: detectable(-1, 3), "sd must be finite and not negative, got -1"),
        (lambda: detectable(1, 3, wanted=1), "between 0.05 and 1, got 1"),
        (lambda: seeds_needed(0, 1), "difference of 0"),
        (lambda: power(np.nan, 1, 3), "difference must be finite, got nan"),
    ],
)
def test_invalid_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
