"""Paired comparisons between strategies, by hand and against scipy."""

import numpy as np
import pytest
from scipy import stats

from eva_env.statistics.power import power
from eva_env.wordlist import Wordlist
from experiments.comparison.arms import pair
from experiments.comparison.contrasts import contrasts, variation

ARMS = pair(["fresh", "eva"], ["dpo", "rloo"], "hard", Wordlist())
"""fresh-dpo, fresh-rloo, eva-dpo, eva-rloo, and the oracle's two."""


def scores(*by_arm):
    """(S, A, 1): prompts fixed; the oracle's arms are far away, and must not matter."""
    far = [np.full(len(by_arm[0]), 99.0)] * 2
    return np.array([*by_arm, *far]).T[..., None]


def test_creators_are_compared_over_solvers_by_hand():
    """Eva - fresh is .1, .2, .3 with DPO and .1, .0, .2 with RLOO: .1, .1, .25 on average."""
    values = scores([0.5, 0.6, 0.4], [0.5, 0.5, 0.5], [0.6, 0.8, 0.7], [0.6, 0.5, 0.7])
    rows = contrasts(values, ARMS)
    main = {row["kind"]: row for row in rows if row["family"] == "main"}
    eva = main["creators"]
    assert (eva["a"], eva["b"], eva["seeds"], eva["comparisons"]) == ("eva", "fresh", 3, 2)
    assert eva["mean"] == pytest.approx(0.15)
    half = stats.t.ppf(1 - 0.025 / 2, 2) * np.std([0.1, 0.1, 0.25], ddof=1) / np.sqrt(3)
    assert (eva["low"], eva["high"]) == pytest.approx((0.15 - half, 0.15 + half))
    assert eva["p"] == pytest.approx(stats.ttest_1samp([0.1, 0.1, 0.25], 0).pvalue)
    rloo = main["solvers"]
    assert (rloo["a"], rloo["b"]) == ("rloo", "dpo")
    assert rloo["mean"] == pytest.approx(np.mean([0.0, -0.1, 0.1, 0.0, -0.3, 0.0]))


def test_within_one_solver_or_creator_is_a_family_of_its_own():
    values = scores([0.5, 0.6, 0.4], [0.5, 0.5, 0.5], [0.6, 0.8, 0.7], [0.6, 0.5, 0.7])
    rows = [row for row in contrasts(values, ARMS) if row["family"] == "within"]
    means = {(row["a"], row["within"]): row["mean"] for row in rows}
    assert means == {
        ("eva", "dpo"): pytest.approx(0.2),
        ("eva", "rloo"): pytest.approx(0.1),
        ("rloo", "fresh"): pytest.approx(0.0),
        ("rloo", "eva"): pytest.approx(-0.1),
    }
    assert {row["comparisons"] for row in rows} == {4}


def test_p_values_are_holms_in_each_family():
    """Of two: the smaller is doubled, the larger stays unless that is above it."""
    values = scores([0.5, 0.6, 0.4], [0.5, 0.5, 0.5], [0.6, 0.8, 0.7], [0.6, 0.5, 0.7])
    main = [row for row in contrasts(values, ARMS) if row["family"] == "main"]
    small, large = sorted(row["p"] for row in main)
    adjusted = sorted(row["p_holm"] for row in main)
    assert adjusted == pytest.approx([min(2 * small, 1), max(2 * small, large)])


def test_seeds_without_a_cell_are_left_out_pair_by_pair():
    values = scores([0.5, np.nan, 0.4], [0.5, 0.5, 0.5], [0.6, 0.8, 0.7], [0.6, 0.5, 0.7])
    rows = {(row["a"], row["within"]): row for row in contrasts(values, ARMS)}
    assert rows["eva", None]["seeds"] == rows["eva", "dpo"]["seeds"] == 2
    assert rows["eva", "rloo"]["seeds"] == 3
    assert rows["eva", "dpo"]["mean"] == pytest.approx(0.2)


def test_prompts_are_a_sample_too():
    """The same mean over seeds, but from prompts that disagree: the interval is wider."""
    steady = np.zeros((5, 6, 40))
    steady[:, 2] = 0.1 + 0.01 * np.arange(5)[:, None]
    torn = steady.copy()
    torn[:, 2] += np.where(np.arange(40) % 2, 0.5, -0.5)
    for name in ("mean", "p"):
        narrow, wide = (contrasts(v, ARMS)[0][name] for v in (steady, torn))
        assert narrow == pytest.approx(wide) if name == "mean" else wide > 10 * narrow


def test_one_seed_has_no_interval():
    rows = contrasts(scores([0.5], [0.5], [0.6], [0.6]), ARMS)
    assert all(row["low"] is row["p"] is row["p_holm"] is None for row in rows)
    assert all(row["p_corrected"] is row["seeds_needed"] is None for row in rows)
    assert rows[0]["mean"] == pytest.approx(0.1)


def test_the_p_value_beside_a_corrected_interval_is_corrected_too():
    """It is below .05 exactly where the interval excludes 0, and Holm's is never larger."""
    rng = np.random.default_rng(0)
    decisions = set()
    for shift in (0.0, 0.05, 0.1, 0.2):
        values = scores(*rng.normal(0.5, 0.04, (4, 5)))
        values[:, 2:4] += shift
        for row in contrasts(values, ARMS):
            assert row["p_corrected"] == pytest.approx(min(1, row["comparisons"] * row["p"]))
            excludes = row["low"] > 0 or row["high"] < 0
            assert (row["p_corrected"] < 0.05) == excludes
            assert row["p_holm"] <= row["p_corrected"] + 1e-12
            decisions.add(excludes)
    assert decisions == {True, False}


def test_the_seeds_needed_detect_the_measured_difference_with_80_percent_power():
    values = scores([0.5, 0.6, 0.4], [0.5, 0.5, 0.5], [0.6, 0.8, 0.7], [0.6, 0.5, 0.7])
    row = next(row for row in contrasts(values, ARMS) if row["a"] == "eva")
    sd, floor, seeds = variation(np.array([0.1, 0.1, 0.25])[:, None])
    assert (sd, floor, seeds) == (pytest.approx(np.std([0.1, 0.1, 0.25], ddof=1)), 0, 3)
    needed = row["seeds_needed"]
    assert power(0.15, sd, needed, 2) >= 0.8 > power(0.15, sd, needed - 1, 2)


def test_without_a_difference_or_a_second_seed_no_number_of_seeds_is_named():
    equal = scores([0.5, 0.6, 0.4], [0.5, 0.5, 0.5], [0.5, 0.6, 0.4], [0.5, 0.5, 0.5])
    row = next(row for row in contrasts(equal, ARMS) if row["a"] == "eva")
    assert (row["mean"], row["seeds_needed"]) == (0, None)
