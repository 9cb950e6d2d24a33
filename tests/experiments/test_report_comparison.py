"""The page of a comparison: its finding, the forest plot, curves, matrices."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eva_env.statistics.intervals import mean_interval, p_value
from experiments.report import arms, comparison, differences, finding, games, matrices
from experiments.report.numbers import CUT_NOTE, decimal, percent
from experiments.report.page import render
from experiments.report.summary import Summary
from tests.support.report_cases import (
    recorded_comparison,
)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    recorded_comparison(folder)
    return folder


def test_wins_are_blue_losses_orange_and_missing_cells_are_none():
    payoffs = {"mean": [[0.5, 0.9], [0.1, None]], "low": [[0.5, 0.8], [0.0, None]]}
    payoffs["high"] = [[0.5, 1.0], [0.2, None]]
    heat = matrices.matrix(payoffs, "ab", "ab", "", "", percent, 0.5)
    entries = [entry for _, row in heat.rows for entry in row]
    assert [entry and (entry.text, entry.share) for entry in entries] == [
        ("50.0 %", pytest.approx(0.0)),
        ("90.0 %", pytest.approx(-1.0)),
        ("10.0 %", pytest.approx(1.0)),
        None,
    ]
    assert entries[1].detail == "80.0 to 100.0 %"
    regret = matrices.matrix({"mean": [[0.2, 0.6]]}, "a", "ab", "", "", decimal)
    assert [entry.share for entry in regret.rows[0][1]] == [0.0, pytest.approx(1.0)]


def test_a_lower_bound_is_called_one():
    bound = {"nash_conv": {"mean": 0.25, "low": 0.2, "high": 0.3}, "lower_bound": True}
    rows = {"eva": bound, "fresh": bound | {"lower_bound": False}}
    table = games.solution_table("", "value", rows, ["nash_conv"])
    assert [*table.header] == ["arm", "NashConv"]
    assert [row[1].text for row in table.rows] == ["≥ 0.250", "0.250"]
    details = ["lower bound, 0.200 to 0.300", "0.200 to 0.300"]
    assert [row[1].detail for row in table.rows] == details


def of_kind(blocks, kind):
    return [block for block in blocks if type(block).__name__ == kind]


def test_the_power_stands_out_if_it_does_not_suffice_and_caveats_are_folded(compared):
    data = json.loads((compared / "summary.json").read_text())
    data["conclusions"] += data["power"]["sentences"]
    blocks = comparison.opening(Summary(compared, {}, data)).blocks
    failed, headline, power, *_ = of_kind(blocks, "Text")
    assert (headline.kind, [*headline.lines]) == (
        "headline",
        ["eva-dpo is ahead of fresh-dpo by 10.0 points (95 % interval 5.0 to 15.0)."],
    )
    assert (failed.kind, power.kind) == ("note", "note")
    assert [*power.lines] == data["power"]["sentences"]
    caveats = of_kind(blocks, "Fold")[-1]
    assert [*caveats.blocks[0].lines] == data["conclusions"]
    data["power"]["enough"] = True
    enough = comparison.opening(Summary(compared, {}, data)).blocks
    assert len(of_kind(enough, "Text")) == len(of_kind(blocks, "Text")) - 1


def paired_row(a, b, mean, half, **more):
    """A paired test: significant where the interval excludes 0."""
    head = {"kind": "creators", "a": a, "b": b, "family": "main", "within": None, "seeds": 5}
    return head | {"mean": mean, "low": mean - half, "high": mean + half, "p": 0.01} | more


def compared_as(rows, **more):
    return Summary(None, {}, {"arms": {}, "metric": "win_rate", "comparisons": rows} | more)


ROWS = (
    paired_row("b", "a", 0.4, 0.1),
    paired_row("c", "a", -0.2, 0.1),
    paired_row("c", "b", 0.02, 0.1),
)


def test_the_finding_names_who_is_ahead_and_whom_the_data_cannot_distinguish():
    summary = compared_as(ROWS)
    assert finding.sentences(summary, ROWS) == [
        "b is ahead of a by 40.0 points (95 % interval 30.0 to 50.0) and a is ahead of c by "
        "20.0 (10.0 to 30.0).",
        "The data cannot distinguish c from b.",
    ]
    many = [paired_row(f"c{i}", "a", 0.4, 0.1) for i in range(4)]
    many += [paired_row("d", f"c{i}", 0.0, 0.1) for i in range(4)]
    first, second = finding.sentences(compared_as(many), many)
    assert first.startswith("c0 is ahead of a, c1 is ahead of a, c2")
    assert second == "The data cannot distinguish 4 of 8 pairs."
    (single,) = finding.sentences(summary, ROWS[2:])
    assert single == (
        "The data cannot distinguish c from b (+2.0 points, 95 % interval -8.0 to +12.0)."
    )
    (lonely,) = finding.sentences(summary, [{"a": "a", "b": "b", "mean": 0.3, "low": None}])
    assert lonely.startswith("One seed shows nothing")
    assert finding.sentences(summary, []) == []


def test_the_next_step_has_its_command(tmp_path):
    conclusions = ["a is ahead.", "Next: you need about 47 seeds (--seeds 47), if it is so."]
    data = {"arms": {}, "conclusions": conclusions}
    text, code = finding.next_steps(Summary(tmp_path / "a b", {}, data))
    assert [*text.lines] == conclusions[1:]
    assert code.text == f"eva compare --resume '{tmp_path}/a b' --seeds 47"
    data["conclusions"][1] = "Next: take the intervals as the result."
    assert len(finding.next_steps(Summary(tmp_path, {}, data))) == 1
    assert finding.next_steps(Summary(tmp_path, {}, {"arms": {}})) == []


def test_a_recorded_corrected_p_is_shown():
    row = paired_row("b", "a", 0.4, 0.1, p=0.01, comparisons=4)
    assert differences.corrected_p(row, 1) == 0.04
    assert differences.corrected_p(row | {"p_corrected": 0.05}, 1) == 0.05


@pytest.mark.parametrize("sign", [1, -1])
def test_a_reversed_difference_reverses_who_is_ahead(sign):
    row = paired_row("a", "b", 0.3 * sign, 0.1)
    assert differences.winner(row) == (("a", "b") if sign == 1 else ("b", "a"))
    assert differences.winner(paired_row("a", "b", 0.1 * sign, 0.1)) is None, "it touches 0"
    assert differences.winner({"a": "a", "b": "b", "low": None, "high": None}) is None


def test_the_forest_plot_is_a_table_with_one_p_that_fits_the_interval():
    rows = [row | {"comparisons": 3, "p": 0.02, "p_holm": 0.04} for row in ROWS]
    forest = differences.forest(compared_as(rows, suite="hard"), rows, "Differences")
    assert [(r.a, r.b, r.mean, r.p, r.decided) for r in forest.rows] == [
        ("b", "a", "+40.0", "0.06", True),
        ("c", "a", "-20.0", "0.06", True),
        ("c", "b", "+2.0", "0.06", False),
    ]
    assert forest.rows[0].interval == "+30.0 to +50.0"
    assert [r.verdict for r in forest.rows] == [
        "b is ahead",
        "a is ahead",
        "cannot be distinguished",
    ]
    for row in forest.rows:
        assert 0 <= row.low < row.place < row.high <= 1
        assert (row.low <= forest.zero <= row.high) != row.decided
    assert "Bonferroni-corrected for 3 comparisons" in forest.note
    assert [label for _, label in forest.ticks] == ["-20", "0", "+20", "+40"]
    assert differences.forest(compared_as([]), [], "") is None


@given(
    st.lists(st.lists(st.floats(-1, 1), min_size=4, max_size=4), min_size=2, max_size=6),
    st.integers(1, 9),
)
def test_p_is_below_five_percent_exactly_where_the_interval_excludes_zero(table, tests):
    """Of the very interval and test that a comparison records."""
    gaps = np.array(table)
    low, high = (float(end) for end in mean_interval(gaps, tests)[1:])
    row = {"p": float(p_value(gaps)), "low": low, "high": high, "comparisons": tests}
    p = differences.corrected_p(row, tests)
    if abs(p - 0.05) > 1e-6 and min(abs(low), abs(high)) > 1e-9:
        assert (p < 0.05) == (differences.winner(row | {"a": 1, "b": 2}) is not None)


def test_a_page_explains_the_mark_of_a_cut_interval(compared):
    html = render(comparison.page(compared))
    assert ("†" in re.sub("† Cut: [^<]*", "", html)) == ("† Cut:" in html)


def test_the_opening_explains_the_mark_in_its_own_sentences(compared):
    data = json.loads((compared / "summary.json").read_text())
    regret = data["exact"]["arms"]["eva-dpo"]["worst_regret"]

    def small_print():
        blocks = comparison.opening(Summary(compared, {}, data)).blocks
        return [text.lines[0] for text in of_kind(blocks, "Text") if text.kind == "small"]

    regret |= {"mean": 0.01, "low": 0.0, "high": 0.02}
    assert small_print() == []
    regret["low"] = -0.01
    assert small_print() == [CUT_NOTE]


def test_the_headline_of_an_exact_game_is_the_worst_case_against_its_value(compared):
    data = json.loads((compared / "summary.json").read_text())
    summary = Summary(compared, {}, data)
    exact = data["exact"]["arms"]
    exact["eva-dpo"]["worst_regret"] = {"mean": 0.25, "low": 0.2, "high": 0.3}
    exact["oracle-dpo"]["worst_regret"] = {"mean": 0.1, "low": 0.0, "high": 0.2}
    sentence = finding.worst_regret(summary)
    assert "eva-dpo has a true regret of 0.250 (95 % interval 0.200 to 0.300)" in sentence
    assert "the lowest of 6 arms. The value of the game is 0.325:" in sentence
    values = {label: value for label, value, _ in finding.tiles(summary)}
    assert values["lowest worst-case true regret"] == "0.250"
    assert values["value of the game"] == "0.325"
    assert finding.worst_regret(Summary(compared, {}, data | {"exact": None})) == ""


def test_an_exact_tie_has_no_best_arm():
    same = {"hard": {"win_rate": {"mean": 0.5, "low": 0.5, "high": 0.5}}}
    data = {
        "arms": {name: {"suites": same, "ceiling": False} for name in ("eva-dpo", "fresh-dpo")},
        "comparisons": [paired_row("eva", "fresh", 0.0, 0.0)],
        "suite": "hard",
        "power": {"start": 0.5},
    }
    summary = Summary(None, {}, data)
    assert finding.in_sentences(summary).startswith("All 2 arms tie exactly on hard, at 50.0 %")
    (tile,) = finding.tiles(summary)
    assert tile == ("tied win rate, hard", "50.0 %", "all arms")
    data["comparisons"][0] |= {"high": 0.1}
    assert finding.tiles(summary)[0][0] == "best win rate, hard"


def test_the_page_of_a_comparison_names_its_judge():
    data = {"arms": {}, "judged_by": "/home/me/score.py:judge", "task": "prompts"}
    _, subtitle = comparison.heading(Summary(None, {}, data))
    assert subtitle.endswith("suite decides. Judged by score.py:judge.")
    assert comparison.heading(Summary(None, {}, data | {"judged_by": "gold"}))[1].endswith(
        "decides."
    )


def test_win_rates_are_percentages_and_the_deciding_suite_comes_first(compared):
    data = {"arms": {"eva": {"suites": {"hard": {"win_rate": 0.625, "gold": 0.5}}}}}
    summary = Summary(compared, {}, data | {"suites": ["easy", "hard"], "suite": "hard"})
    table = arms.scores(summary, "win_rate", "")
    assert [*table.header] == ["arm", "hard", "easy"]
    assert [entry.text for entry in table.rows[0]] == ["eva", "62.5 %", "\N{EN DASH}"]
    assert arms.scores(summary, "gold", "").rows[0][1].text == "0.500"


def test_differences_are_points_and_averaged_over_the_other_player():
    row = paired_row("eva", "fresh", 0.034, 0.044, p=0.2, seeds=3)
    forest = differences.forest(compared_as([row]), [row], "Differences")
    (line,) = forest.rows
    assert (line.mean, line.interval, line.p) == ("+3.4", "-1.0 to +7.8", "0.2")
    assert (line.within, forest.unit) == ("", "points")
    assert forest.note.startswith("Differences are paired by seed (3 seeds). Intervals")
    inner = row | {"within": "dpo", "family": "within"}
    summary = compared_as([row, inner])
    assert "averaged over" in differences.forest(summary, [row], "Differences").note
    forest = differences.forest(summary, [inner], "Differences")
    assert "averaged over" not in forest.note
    assert forest.rows[0].within == "with dpo"


def test_panels_show_a_group_before_grey_lines_and_label_the_ends(compared):
    data = json.loads((compared / "summary.json").read_text())
    grid, fold = arms.curve(Summary(compared, {}, data), "win_rate", "hard", "responses")
    assert [chart.title for chart in grid.charts] == [
        "fresh",
        "uniform-evolve",
        "eva",
        "oracle (ceiling)",
    ]
    for chart in grid.charts:
        assert chart.svg.count('class="behind"') == 6, "all arms but the two of this creator"
        assert len(re.findall(r">(?:dpo|rloo) \d+\.\d %</text>", chart.svg)) == 2
    assert [*fold.blocks[0].header][:2] == ["responses", "fresh-dpo"]


def test_units_that_are_proportional_to_responses_are_named_and_not_drawn():
    line = {"budget": {"responses": [0, 6, 12], "prompts": [0, 1, 2], "seconds": [0, 3, 4]}}
    data = {"arms": {"eva": {"curves": {"hard": line}}}}
    assert arms.units(Summary(None, {}, data)) == (["responses", "seconds"], ["prompts"])
