"""Shares stay in [0, 1] and regret stays above 0 wherever an interval becomes text or a row."""

import math

import pytest

from experiments.comparison.ranges import (
    REGRET,
    SHARE,
    UNBOUNDED,
    clip,
    mean_with_interval,
    range_of,
)
from experiments.comparison.tables import pairs, strategies


def estimate(mean, low, high):
    return {"mean": mean, "low": low, "high": high}


@pytest.mark.parametrize(
    ("low", "high", "expected", "mark"),
    [
        (0.2, 0.9, (0.2, 0.9), ""),
        (0.0, 1.0, (0.0, 1.0), ""),
        (0.2, 1.3, (0.2, 1.0), "high"),
        (-0.1, 0.9, (0.0, 0.9), "low"),
        (-0.1, 1.3, (0.0, 1.0), "low high"),
        (None, None, (None, None), ""),
    ],
)
def test_an_interval_is_clipped_and_marked(low, high, expected, mark):
    clipped = clip(estimate(0.5, low, high), SHARE)
    assert (clipped.low, clipped.high) == expected
    assert clipped.mark == mark


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (estimate(0.709, 0.702, 0.716), "70.9 ±0.7"),
        (estimate(0.98, 0.942, 1.018), "98.0 ≥94.2"),
        (estimate(0.02, -0.018, 0.058), "2.0 ≤5.8"),
        (estimate(0.5, -0.1, 1.1), "50.0 any"),
        (estimate(0.5, None, None), "50.0"),
        (estimate(None, None, None), "-"),
    ],
)
def test_a_cell_of_a_table(given, text):
    assert mean_with_interval(given, SHARE, 100, 1) == text
    assert mean_with_interval(given, SHARE, 100, 1, "\n") == text.replace(" ", "\n")


def test_regret_has_no_upper_end_and_gold_rewards_have_none():
    assert mean_with_interval(estimate(0.011, -0.002, 0.024), REGRET, 1000, 0) == "11 ≤24"
    assert mean_with_interval(estimate(3.0, -1.0, 7.0), UNBOUNDED, 1, 1) == "3.0 ±4.0"
    assert REGRET.most == math.inf
    assert range_of("win_rate_area") == range_of("pass_rate") == SHARE
    assert range_of("gold_area") == UNBOUNDED


def test_csv_rows_are_clipped_and_name_the_clipped_ends():
    scores = {"win_rate": estimate(0.9, 0.7, 1.1), "gold": estimate(0.9, 0.7, 1.1)}
    arm = {"creator": "eva", "solver": "dpo", "ceiling": False, "seeds": [0, 1]}
    arm |= {"suites": {"hard": scores}, "budget": {"tokens": 5}}
    (row,) = strategies({"arms": {"eva-dpo": arm}})
    assert (row["win_rate_low"], row["win_rate_high"], row["gold_high"]) == (0.7, 1.0, 1.1)
    assert row["clipped"] == "win_rate_high"
    matrix = {"players": ["a", "start"], "mean": [[0.5, 0.9], [0.1, 0.5]]}
    matrix |= {"low": [[0.5, 0.7], [-0.1, None]], "high": [[0.5, 1.1], [0.3, None]]}
    rows = pairs(matrix, "players", "players", SHARE)
    assert [(row["low"], row["high"], row["clipped"]) for row in rows] == [
        (0.5, 0.5, ""), (0.7, 1.0, "high"), (0.0, 0.3, "low"), (None, None, ""),
    ]  # fmt: skip
