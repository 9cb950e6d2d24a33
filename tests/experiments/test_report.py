"""`eva report`: what a page says, that no text of a record runs, and that any record works."""

import html.parser
import itertools
import json
import re
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eva_env.statistics.intervals import mean_interval, p_value
from experiments import cli
from experiments.commands import report
from experiments.report import arms, comparison, differences, finding, games, result, run
from experiments.report.blocks import Entry
from experiments.report.charts import interval_chart, line_chart
from experiments.report.creator import operators
from experiments.report.drawing import Style
from experiments.report.entries import estimate_entry, interval_text
from experiments.report.lines import extent, spaced, ticks
from experiments.report.numbers import SHARE, decimal, number, percent, points, probability
from experiments.report.page import render
from experiments.report.record import Record, conditions
from experiments.report.series import Series
from experiments.report.settings import flat
from experiments.report.summary import Summary
from experiments.report.tree import embed, families, gather, genealogy
from experiments.run.errors import UserError
from experiments.run.records import Run
from tests.support.report_cases import (
    ATTACKS,
    GENERATIONS,
    hostile,
    recorded_comparison,
    recorded_run,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    recorded_run(folder)
    return folder


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    recorded_comparison(folder)
    return folder


@pytest.fixture(scope="module")
def shown(played):
    return render(run.page(played))


@pytest.fixture
def begun(played, tmp_path):
    """A run that has not played a round."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.json").write_text((played / "config.json").read_text())
    return tmp_path / "run"


class Reader(html.parser.HTMLParser):
    """Elements with their attributes, headings, and the content of scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.headings, self.scripts, self.inside = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        if self.inside == "h2":
            self.headings.append(data)


def copy(folder, tmp_path, **files):
    """A copy of a run's record, in which some files are replaced; None deletes."""
    shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("checkpoints"))
    for name, text in files.items():
        path = next((tmp_path / "copy").glob(f"{name}.json*"))
        path.write_text(text) if text is not None else path.unlink()
    return tmp_path / "copy"


def test_a_run_is_shown_section_by_section(shown):
    assert Reader(shown).headings == [
        "Result",
        "Alarms",
        "Learning curves",
        "Diversity and drift",
        "Signals",
        "Rewards in play",
        "Proxy against gold",
        "Drift of the policy",
        "Losses and logs",
        "Genealogy",
        "Before and after",
        "Rounds",
        "Configuration",
    ]


def test_a_comparison_begins_with_its_finding(compared):
    html = render(comparison.page(compared))
    assert Reader(html).headings == [
        "Finding",
        "Learning curves",
        "Arms on the suites",
        "Exact regret",
        "Solver against solver",
        "Cross-play",
        "Solutions of the games",
        "Ratings",
        "Replicator flow",
        "Drift of the prompts",
        "Tuning",
        "Budget",
        "Alarms and failures",
        "Genealogy",
        "Before and after",
        "Configuration",
    ]
    assert "eva-dpo is ahead of fresh-dpo" in html
    assert re.search(
        r"The chosen configurations.*?>solver\.lr<.*?All configurations", html, re.DOTALL
    )
    assert "ValueError: NaN" in html


def test_the_page_needs_nothing_and_charts_have_words(shown):
    elements = Reader(shown).elements
    charts = [attrs for tag, attrs in elements if tag == "svg" and "role" in attrs]
    assert len(charts) > 15
    assert all(" from " in attrs["aria-label"] for attrs in charts)
    assert not re.search(r"https?:|@import|url\((?!#)", shown)
    assert not re.search("#f00[0-9a-f]{3}", shown), "a colour that stands for a role is left"
    names = [attrs["id"] for tag, attrs in elements if "id" in attrs and tag != "path"]
    assert len(names) == len(set(names))


def test_text_of_models_is_never_markup(tmp_path):
    page = Reader(render(run.page(hostile(tmp_path / "run").folder)))
    assert {"img", "iframe", "object"}.isdisjoint(tag for tag, _ in page.elements)
    assert not [attrs for _, attrs in page.elements if any(a.startswith("on") for a in attrs)]
    script, data = page.scripts[1], page.scripts[0]
    assert len(page.scripts) == 2
    assert "alert" not in script
    nodes = json.loads(data)
    assert [node[0] for node in nodes] == list(ATTACKS * GENERATIONS)
    assert [node[3][0][6] for node in nodes] == list(ATTACKS * GENERATIONS)


@given(JSON)
def test_embedded_data_is_the_same_data_and_cannot_end_its_script(data):
    text = embed(data)
    assert json.loads(text) == data
    assert not re.search("[<>&\u2028\u2029]", text)


def test_numbers_that_json_does_not_know_are_missing():
    row = {"id": 0, "text": "a", "round": 1, "signal": float("nan"), "rewards": [float("inf")]}
    assert json.loads(genealogy("g", [row]).data)[0][3] == [[1, None, None, None, None, [None]]]


@pytest.mark.parametrize("files", [{}, {"alarms": None, "transcripts": None, "prompts": None}])
def test_an_older_record_has_fewer_charts(played, tmp_path, files):
    folder = copy(played, tmp_path, **files)
    new = {"rounds": "entropy effective cluster_share no_gradient complexity proposed logs"}
    new |= {"evaluations": "kl length proxy budget", "prompts": "rewards best_response drawn"}
    for name, keys in new.items():
        path = folder / f"{name}.jsonl"
        if path.exists():
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            kept = [{k: v for k, v in row.items() if k not in keys.split()} for row in rows]
            path.write_text("".join(json.dumps(row) + "\n" for row in kept))
    page = Reader(render(run.page(folder)))
    assert {"Result", "Learning curves", "Rounds", "Configuration"} <= {*page.headings}
    assert "Proxy against gold" not in page.headings
    assert ("Genealogy" in page.headings) == (not files)


@pytest.mark.parametrize("keep", ["none", "even", "odd"])
def test_any_key_of_a_summary_but_its_arms_may_be_absent(compared, tmp_path, keep):
    summary = json.loads((compared / "summary.json").read_text())
    arms = dict(list(summary.pop("arms").items())[:2])
    sides = {"none": (), "even": list(summary)[::2], "odd": list(summary)[1::2]}
    kept = {key: summary[key] for key in sides[keep]} | {"arms": arms}
    for arm in arms.values():
        inner = {"none": (), "even": list(arm)[::2], "odd": list(arm)[1::2]}[keep]
        [arm.pop(key) for key in list(arm) if key not in inner]
    (tmp_path / "cells").mkdir()
    shutil.copy(compared / "config.json", tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps(kept))
    assert "Finding" in Reader(render(comparison.page(tmp_path))).headings


def test_a_torn_last_line_is_left_out(played, tmp_path):
    whole = (played / "rounds.jsonl").read_text()
    folder = copy(played, tmp_path, rounds=whole + '{"round": 5, "rew')
    assert len(Record.read(folder).rounds) == 4


def test_a_run_that_has_only_begun_is_a_page(begun):
    html = render(run.page(begun))
    assert "The run has no evaluation yet." in html
    assert "0 of 4 rounds" in html


def test_the_same_record_gives_the_same_bytes(played, shown, tmp_path):
    """In a process of its own, where hashes of texts are others."""
    written = tmp_path / "report.html"
    command = [
        sys.executable,
        "-m",
        "experiments",
        "report",
        str(played),
        "--out",
        str(written),
    ]
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "1"})
    assert written.read_text() == shown


def broken(kind, played, folder):
    """A folder that cannot be reported on."""
    record = Run.create(folder, json.loads((played / "config.json").read_text())).folder
    if kind == "not JSON":
        (record / "rounds.jsonl").write_text('{"round": 1}\nnonsense\n{"round": 3}\n')
    elif kind == "no row":
        (record / "rounds.jsonl").write_text("{}\n")
    elif kind == "not text":
        (record / "prompts.jsonl").write_bytes(b"\xff\xfe\n")
    elif kind == "a folder":
        (record / "evaluations.jsonl").mkdir()
    elif kind == "full":
        (record / "report.html").symlink_to("/dev/full")
    else:
        (record / "cells").mkdir()
        if kind != "unfinished":
            (record / "summary.json").write_text(kind)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("not JSON", "rounds.jsonl, line 2, is not JSON"),
        ("no row", "rounds.jsonl, line 1, lacks 'round'"),
        ("not text", "prompts.jsonl, line 1, is not JSON"),
        ("a folder", "evaluations.jsonl: .* Is a directory"),
        ("full", "cannot use .*report.html: .*No space left on device"),
        ("unfinished", "has no summary yet"),
        ("{", "summary.json is not JSON"),
        ("[]", "summary.json is not the summary of a comparison"),
    ],
)
def test_a_folder_that_cannot_be_read_or_written_gives_one_line(
    kind, message, played, tmp_path, capsys
):
    broken(kind, played, tmp_path / "run")
    assert cli.main(["report", str(tmp_path / "run")]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("eva report: ")
    assert printed.count("\n") == 1
    assert re.search(message, printed)


def test_a_folder_without_a_run_gives_one_line(tmp_path, capsys):
    assert cli.main(["report", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"eva report: no run at {tmp_path}")


def test_the_file_may_lie_elsewhere_and_be_opened(begun, tmp_path, capsys):
    opened = []

    class Browser(webbrowser.BaseBrowser):
        def open(self, url, new=0, autoraise=True):
            opened.append(url)
            return True

    webbrowser.register("test", None, Browser(), preferred=True)
    out = tmp_path / "page.html"
    assert report.main([str(begun), "--out", str(out), "--open"]) == 0
    assert opened == [out.as_uri()]
    assert out.read_text().startswith("<!doctype html>")
    assert capsys.readouterr().out == f"the report is {out}\n"


def node(id, parent=None, round=1, **more):
    return {"id": id, "text": f"prompt {id}", "parent": parent, "round": round} | more


def test_the_first_draw_says_where_a_prompt_comes_from():
    rows = [
        node(0, drawn=False),
        node(1, 0, operator="mix"),
        node(0, 1, 2, operator="shift_in"),
    ]
    nodes = gather([*rows, node(1, 5, 3, operator="persona")])
    assert [(n.parent, n.operator, len(n.draws)) for n in nodes.values()] == [
        (1, "shift_in", 1),
        (0, "mix", 2),
    ]
    family, *others = families(nodes)
    assert (family.members, family.depth, others) == ([0, 1], 1, [])
    assert nodes[0].parent is None, "a cycle is cut where it began"


def test_a_prompt_that_was_rewritten_into_itself_is_a_root():
    assert [family.depth for family in families(gather([node(0, 0), node(1, 0)]))] == [1]


def test_families_are_whole_or_left_out_the_deepest_stay():
    chain = [node(0), node(1, 0), node(2, 1)]
    rows = [node(9), *chain, node(8), node(7, 8)]
    tree = genealogy("g", rows, limit=400)
    assert [n[:2] for n in json.loads(tree.data)] == [
        ["prompt 0", -1],
        ["prompt 1", 0],
        ["prompt 2", 1],
    ]
    assert tree.note.startswith("3 of 6 prompts, 1 of 3 families")
    assert genealogy("g", rows).note == "6 prompts in 3 families."


def test_operators_are_counted_step_by_step():
    rows = [
        {"operator": "mix > persona", "signal": 1.0, "mean": 2.0},
        {"operator": "mix", "signal": 3.0, "mean": None},
        {"operator": None, "signal": 0.0, "mean": 0.0},
    ]
    table = [[cell.text for cell in row] for row in operators(rows).rows]
    assert table == [
        ["mix", "2", "2.000", "2.000"],
        ["persona", "1", "1.000", "2.000"],
        ["not rewritten", "1", "0.000", "0.000"],
    ]


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


def test_wins_are_blue_losses_orange_and_missing_cells_are_none():
    payoffs = {"mean": [[0.5, 0.9], [0.1, None]], "low": [[0.5, 0.8], [0.0, None]]}
    payoffs["high"] = [[0.5, 1.0], [0.2, None]]
    heat = games.matrix(payoffs, "ab", "ab", "", "", games.percent, 0.5)
    entries = [entry for _, row in heat.rows for entry in row]
    assert [entry and (entry.text, entry.share) for entry in entries] == [
        ("50.0 %", pytest.approx(0.0)),
        ("90.0 %", pytest.approx(-1.0)),
        ("10.0 %", pytest.approx(1.0)),
        None,
    ]
    assert entries[1].detail == "80.0 to 100.0 %"
    regret = games.matrix({"mean": [[0.2, 0.6]]}, "a", "ab", "", "", decimal)
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
    (lonely,) = finding.sentences(summary, [{"a": "a", "b": "b", "mean": 0.3, "low": None}])
    assert lonely.startswith("One seed shows nothing")
    assert finding.sentences(summary, []) == []


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


def test_a_page_explains_the_mark_of_a_cut_interval(compared):
    html = render(comparison.page(compared))
    assert ("†" in re.sub("† Cut: [^<]*", "", html)) == ("† Cut:" in html)


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
    assert forest.note.startswith("Differences are paired by seed (3 seeds) and averaged over")
    inner = row | {"within": "dpo", "family": "within"}
    (line,) = differences.forest(compared_as([inner]), [inner], "Differences").rows
    assert line.within == "with dpo"


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


def evaluation(round, gold, suite="hard", **more):
    return {"round": round, "suite": suite, "gold": gold, "win_rate": 0.5} | more


def with_answers(rows, rewards, **settings):
    answers = [{"suite": "hard", "rewards": r} for r in rewards]
    return Record({"settings": settings}, (), (), rows, (), (), answers)


def test_a_run_opens_with_its_result_and_interval_and_says_that_a_seed_shows_nothing():
    """Of prompt means 0.2, 0.4 and 0.6, Student's half width is 4.303 x 0.2 / sqrt(3)."""
    rows = [evaluation(0, 0.3), evaluation(1, 0.7), evaluation(2, 0.4, win_rate=0.9)]
    run = with_answers(rows, [[0.1, 0.3], [0.4, 0.4], [0.5, 0.7]])
    headline, warning = of_kind(result.result(run).blocks, "Text")
    assert headline.lines[0].startswith(
        "After round 2 the gold reward on the hard suite is 0.400 (95 % interval -0.097 to "
        "0.897), from 0.300 at the start; the win rate against the starting policy is 90.0 % "
        "(95 % interval "
    )
    assert headline.lines[0].endswith("The best evaluation was after round 1: gold 0.700.")
    assert "one seed: it shows nothing about which creator" in warning.lines[0]
    best = of_kind(of_kind(result.result(run).blocks, "Columns")[0].blocks, "Table")[0].rows[0]
    assert [(entry.text, entry.detail) for entry in best[1:4]] == [
        ("0.300", ""),
        ("0.700", "round 1"),
        ("0.400", "-0.097 to 0.897"),
    ]


def test_the_interval_of_a_win_rate_is_wilson_s():
    """Of 18 of 20: 0.699 to 0.972 (Wilson 1927); the bounds 0 and 1 are never left."""
    rows = [evaluation(0, 0.5), evaluation(1, 0.5, win_rate=0.9)]
    run = with_answers(rows, [[0.5]] * 20)
    estimate = result.win_rate_estimate(run, "hard", rows[1])
    assert (estimate["low"], estimate["high"]) == pytest.approx((0.6990, 0.9721), abs=1e-4)
    assert "low" not in result.win_rate_estimate(run, "hard", rows[0]), "not recorded"
    sure = [rows[0], evaluation(1, 0.5, win_rate=1.0)]
    estimate = result.win_rate_estimate(with_answers(sure, [[0.5]] * 20), "hard", sure[1])
    assert (estimate["low"], estimate["high"]) == pytest.approx((0.8389, 1.0), abs=1e-4)


def test_responses_of_another_evaluation_give_no_interval():
    rows = [evaluation(0, 0.3), evaluation(1, 0.7)]
    estimate = result.gold_estimate(with_answers(rows, [[0.1], [0.2]]), "hard", rows[1])
    assert estimate == {"mean": 0.7}


def test_the_next_command_finishes_the_run_or_compares(played):
    def command(record):
        return result.next_steps(record)[0].text

    assert command(Record.read(played)) == (
        "eva compare task:tabular-world --creators fresh eva --solvers dpo --seeds 5"
    )
    unfinished = Record({"settings": {"rounds": 3}}, (), (), (), (), (), (), Path("runs/a b"))
    assert command(unfinished) == "eva train --resume 'runs/a b'"


def test_nested_settings_are_lifted():
    inner = {"type": "Settings", "rounds": 3}
    config = {"settings": {"type": "Comparison", "seeds": 5, "settings": inner}}
    assert conditions(config)["rounds"] == 3
    assert conditions(config)["type"] == "Comparison"
    assert conditions({"settings": inner}) == inner
    assert conditions({}) == {}


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


def test_settings_are_flat_and_classes_stand_under_their_roles():
    nested = {"type": "Settings", "solver": {"type": "DPO", "lr": 0.1}, "seed": 3}
    assert [*flat(nested)] == [("solver", "DPO"), ("solver.lr", "0.1"), ("seed", "3")]


def test_a_comparison_without_a_summary_is_no_run(compared, tmp_path):
    (tmp_path / "cells").mkdir()
    with pytest.raises(UserError, match="has no summary yet"):
        comparison.page(tmp_path)
