"""Charts and numbers of the report: their data, their words, and where intervals end."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.report import (
    games,
    run,
)
from experiments.report.blocks import Entry
from experiments.report.charts import interval_chart, line_chart
from experiments.report.drawing import Style
from experiments.report.entries import estimate_entry, interval_text
from experiments.report.lines import extent, spaced, ticks
from experiments.report.numbers import SHARE, decimal, number, percent, points, probability
from experiments.report.record import Record
from experiments.report.series import Series


def node(id, parent=None, round=1, **more):
    return {"id": id, "text": f"prompt {id}", "parent": parent, "round": round} | more


def charts(section):
    return {chart.title: chart for chart in section.blocks[0].charts}


def values(chart):
    return [[entry.value for entry in row] for row in chart.data.rows]


def record(rounds=(), prompts=(), evaluations=()):
    return Record({"settings": {}}, rounds, prompts, evaluations, (), ())


def test_the_share_of_distinct_prompts_is_of_those_drawn():
    prompts = [node(i, round=1) for i in (0, 0, 1, 2)] + [node(3, drawn=False)]
    drifted = record([{"round": 1, "distinct_prompts": 3, "cluster_share": 0.5}], prompts)
    assert values(charts(run.diversity(drifted))["Variety"]) == [[1, 0.75, 0.5]]


def test_gold_and_proxy_stand_over_the_root_of_kl():
    rows = [
        {"round": i, "suite": "hard", "gold": gold, "proxy": proxy, "kl": kl}
        for i, (gold, proxy, kl) in enumerate([(0.5, 0.1, -0.01), (0.4, 0.9, 4.0)])
    ]
    drawn = charts(run.over_optimisation(record(evaluations=rows)))
    assert values(drawn["Gold by distance"]) == [["hard", 0.0, 0.5], ["hard", 2.0, 0.4]]
    assert values(drawn["Proxy by distance"]) == [["hard", 0.0, 0.1], ["hard", 2.0, 0.9]]
    assert values(drawn["Gold against proxy"]) == [["hard", 0.1, 0.5], ["hard", 0.9, 0.4]]


def test_a_line_chart_knows_its_gaps_and_is_none_without_data():
    gold = Series("gold", [0, 1, 2, 3], [0.25, None, float("nan"), 0.5])
    chart = line_chart("Gold", [gold, Series("proxy", [0], [None])], x="round")
    assert values(chart) == [[0, 0.25], [1, None], [2, None], [3, 0.5]]
    assert 'aria-label="Gold, by round. gold from 0.250 to 0.500"' in chart.svg
    assert [name for name, _ in chart.legend] == ["gold"]
    assert line_chart("Gold", [Series("gold", [0], [None])]) is None


def test_an_interval_of_a_share_never_leaves_its_bounds_and_says_so():
    beyond = {"mean": 0.959, "low": 0.913, "high": 1.005}
    assert estimate_entry(beyond, percent, SHARE).detail == "91.3 to 100.0 % †"
    assert estimate_entry(beyond | {"low": -0.2}, percent, SHARE).detail == "0.0 to 100.0 % †"
    assert interval_text(beyond | {"high": 1.0}, percent, SHARE) == "91.3 to 100.0 %"
    assert estimate_entry(beyond).detail == "0.913 to 1.005"
    chart = interval_chart("Wins", {"eva": (beyond, Style())}, share=True)
    assert chart.data.rows[0][1].detail == "91.3 to 100.0 % †"
    assert extent(np.array([0.9, 1.3]), share=True)[1] == 1.02
    share = games.solution_table("", "share", {"eva": {"mean": 0.1, "low": -6.3, "high": 6.5}})
    assert share.rows[0][1].detail == "0.0 to 100.0 % †"


@given(st.lists(st.floats(0, 100), max_size=8))
def test_labels_at_the_ends_of_lines_do_not_overlap(heights):
    moved = spaced(sorted(heights), 0, 150)
    assert all(b - a >= 12 - 1e-9 for a, b in itertools.pairwise(moved))
    assert not moved or (moved[0] >= 0 and moved[-1] <= 150)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_inside(low, span):
    marks = ticks(low, low + span, 5)
    assert 2 <= len(marks) <= 6
    slack = 1e-6 * span
    assert all(low - slack <= mark <= low + span + slack for mark in marks)


@pytest.mark.parametrize(
    ("p", "text"), [(None, "\N{EN DASH}"), (4e-5, "< 0.0001"), (0.0123, "0.012"), (1.0, "1")]
)
def test_p_values_are_short(p, text):
    assert probability(p) == text


def test_points_have_a_sign_and_zero_has_no_minus():
    assert [points(v) for v in (0.1, -0.1, -0.0001)] == ["+10.0", "-10.0", "+0.0"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"),
        (36864, "36,864"),
        (0.0, "0.000"),
        (0.5, "0.500"),
        (-12.34567, "-12.35"),
        (1234.5, "1,234"),
        (-0.00012, "-1.20e-04"),
        (0.00012, "1.20e-04"),
    ],
)
def test_numbers_are_as_long_as_they_need_to_be(value, shown):
    assert number(value) == shown


def test_a_decimal_has_no_exponent_and_zero_has_no_sign():
    assert [decimal(v) for v in (-0.0004, 0.0006, -0.5, 12.345)] == [
        "0.000",
        "0.001",
        "-0.500",
        "12.35",
    ]


def test_an_estimate_has_its_interval_if_there_is_one():
    assert estimate_entry({"mean": 0.5, "low": 0.25, "high": 0.75}) == Entry(
        "0.500", 0.5, "0.250 to 0.750"
    )
    assert estimate_entry({"mean": 0.5, "low": None, "high": None}) == Entry("0.500", 0.5)
    assert estimate_entry({"mean": 0.5, "low": 0.5, "high": 0.5}).detail == ""
    assert estimate_entry(None) == Entry("\N{EN DASH}")
