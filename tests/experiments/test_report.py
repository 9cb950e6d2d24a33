"""`eva report`: what a page says, that it is inert, and that any record will do."""

import html.parser
import json
import re
import shutil
import subprocess
import sys
import webbrowser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import cli, report
from experiments.report import comparison, games, run
from experiments.report.blocks import Cell, spread
from experiments.report.creator import operators
from experiments.report.figures import Series, lines
from experiments.report.numbers import decimal, number
from experiments.report.page import render
from experiments.report.record import Record
from experiments.report.settings import flat
from experiments.report.strategies import differences, scores
from experiments.report.summary import Summary
from experiments.report.tree import embed, families, gather, genealogy
from experiments.run.errors import UserError
from experiments.run.records import Run
from tests.support.report_cases import ATTACKS, GENERATIONS, compare, hostile, play

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    play(folder)
    return folder


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    compare(folder)
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


def test_a_comparison_begins_with_what_it_supports(compared):
    html = render(comparison.page(compared))
    assert Reader(html).headings == [
        "Conclusions",
        "Strategies on the suites",
        "Solver against solver",
        "Cross-play",
        "Solutions of the games",
        "Ratings",
        "Replicator flow",
        "Exact results",
        "Learning curves",
        "Drift of the prompts",
        "Tuning",
        "Budget",
        "Alarms and failures",
        "Genealogy",
        "Before and after",
        "Configuration",
    ]
    assert "eva-dpo is ahead of fresh-dpo" in html
    assert re.search(r"What was chosen.*?>solver\.lr<.*?All that was tried", html, re.DOTALL)
    assert "ValueError: NaN" in html


def test_the_page_needs_nothing_and_figures_are_told_in_words(shown):
    elements = Reader(shown).elements
    figures = [attrs for tag, attrs in elements if tag == "svg" and "role" in attrs]
    assert len(figures) > 15
    assert all(" from " in attrs["aria-label"] for attrs in figures)
    assert not re.search(r"https?:|@import|url\((?!#)", shown)
    assert not re.search("#f00[0-9a-f]{3}", shown), "a colour that stands for a role is left"
    names = [attrs["id"] for tag, attrs in elements if "id" in attrs and tag != "path"]
    assert len(names) == len(set(names))


def test_text_of_models_is_never_markup(tmp_path):
    page = Reader(render(run.page(hostile(tmp_path / "run").folder)))
    assert {"img", "iframe", "object"}.isdisjoint(tag for tag, _ in page.elements)
    assert not [attrs for _, attrs in page.elements if any(a.startswith("on") for a in attrs)]
    own, data = page.scripts[1], page.scripts[0]
    assert len(page.scripts) == 2
    assert "alert" not in own
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
def test_an_older_record_has_fewer_figures(played, tmp_path, files):
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
    own = {key: summary[key] for key in sides[keep]} | {"arms": arms}
    for arm in arms.values():
        inner = {"none": (), "even": list(arm)[::2], "odd": list(arm)[1::2]}[keep]
        [arm.pop(key) for key in list(arm) if key not in inner]
    (tmp_path / "cells").mkdir()
    shutil.copy(compared / "config.json", tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps(own))
    assert "Conclusions" in Reader(render(comparison.page(tmp_path))).headings


def test_a_torn_last_line_is_left_out(played, tmp_path):
    whole = (played / "rounds.jsonl").read_text()
    folder = copy(played, tmp_path, rounds=whole + '{"round": 5, "rew')
    assert len(Record.read(folder).rounds) == 4


def test_a_run_that_has_only_begun_is_a_page(begun):
    html = render(run.page(begun))
    assert "Nothing has been judged yet." in html
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
def test_what_cannot_be_read_or_written_is_told_in_one_line(
    kind, message, played, tmp_path, capsys
):
    broken(kind, played, tmp_path / "run")
    assert cli.main(["report", str(tmp_path / "run")]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("eva report: ")
    assert printed.count("\n") == 1
    assert re.search(message, printed)


def test_no_run_at_all_is_told_in_one_line(tmp_path, capsys):
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
    assert nodes[0].parent is None, "a ring is cut where it began"


def test_a_prompt_that_was_rewritten_into_itself_is_a_root():
    assert [own.depth for own in families(gather([node(0, 0), node(1, 0)]))] == [1]


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


def plots(section):
    return {plot.title: plot for plot in section.blocks[0].plots}


def values(plot):
    return [[cell.value for cell in row] for row in plot.data.rows]


def record(rounds=(), prompts=(), evaluations=()):
    return Record({"settings": {}}, rounds, prompts, evaluations, (), ())


def test_the_share_of_distinct_prompts_is_of_those_drawn():
    prompts = [node(i, round=1) for i in (0, 0, 1, 2)] + [node(3, drawn=False)]
    own = record([{"round": 1, "distinct_prompts": 3, "cluster_share": 0.5}], prompts)
    assert values(plots(run.diversity(own))["Variety"]) == [[1, 0.75, 0.5]]


def test_gold_and_proxy_stand_over_the_root_of_kl():
    rows = [
        {"round": i, "suite": "hard", "gold": gold, "proxy": proxy, "kl": kl}
        for i, (gold, proxy, kl) in enumerate([(0.5, 0.1, -0.01), (0.4, 0.9, 4.0)])
    ]
    found = plots(run.over_optimisation(record(evaluations=rows)))
    assert values(found["Gold by distance"]) == [["hard", 0.0, 0.5], ["hard", 2.0, 0.4]]
    assert values(found["Proxy by distance"]) == [["hard", 0.0, 0.1], ["hard", 2.0, 0.9]]
    assert values(found["Gold against proxy"]) == [["hard", 0.1, 0.5], ["hard", 0.9, 0.4]]


def test_a_line_chart_knows_its_gaps_and_is_none_without_data():
    gold = Series("gold", [0, 1, 2, 3], [0.25, None, float("nan"), 0.5])
    plot = lines("Gold", [gold, Series("proxy", [0], [None])], x="round")
    assert values(plot) == [[0, 0.25], [1, None], [2, None], [3, 0.5]]
    assert 'aria-label="Gold, by round. gold from 0.250 to 0.500"' in plot.svg
    assert [name for name, _ in plot.legend] == ["gold"]
    assert lines("Gold", [Series("gold", [0], [None])]) is None


def test_wins_are_blue_losses_orange_and_missing_cells_are_none():
    own = {"mean": [[0.5, 0.9], [0.1, None]], "low": [[0.5, 0.8], [0.0, None]]}
    own["high"] = [[0.5, 1.0], [0.2, None]]
    heat = games.matrix(own, "ab", "ab", "", "", games.percent, 0.5)
    cells = [cell for _, row in heat.rows for cell in row]
    assert [cell and (cell.text, cell.share) for cell in cells] == [
        ("50.0 %", pytest.approx(0.0)),
        ("90.0 %", pytest.approx(-1.0)),
        ("10.0 %", pytest.approx(1.0)),
        None,
    ]
    assert cells[1].detail == "80.0 to 100.0 %"
    regret = games.matrix({"mean": [[0.2, 0.6]]}, "a", "ab", "", "", decimal)
    assert [cell.share for cell in regret.rows[0][1]] == [0.0, pytest.approx(1.0)]


def test_a_lower_bound_is_called_one():
    bound = {"nash_conv": {"mean": 0.25, "low": 0.2, "high": 0.3}, "lower_bound": True}
    table = games.measures(
        "", "value", {"eva": bound, "fresh": bound | {"lower_bound": False}}, ["nash_conv"]
    )
    assert table.header == ("strategy", "NashConv") or [*table.header] == [
        "strategy",
        "NashConv",
    ]
    assert [row[1].text for row in table.rows] == ["≥ 0.250", "0.250"]
    assert [row[1].detail for row in table.rows] == [
        "lower bound, 0.200 to 0.300",
        "0.200 to 0.300",
    ]


def test_the_power_is_told_once_and_stands_out_if_it_does_not_suffice(compared):
    own = json.loads((compared / "summary.json").read_text())
    own["conclusions"] += own["power"]["sentences"]
    *_, headline, power, others = comparison.conclusions(Summary(compared, {}, own)).blocks
    assert (headline.kind, [*headline.lines]) == ("headline", own["conclusions"][:1])
    assert (power.kind, [*power.lines]) == ("note", own["power"]["sentences"])
    assert [*others.lines] == own["conclusions"][1:2]


def test_win_rates_are_percentages_and_the_deciding_suite_comes_first(compared):
    own = {"arms": {"eva": {"suites": {"hard": {"win_rate": 0.625, "gold": 0.5}}}}}
    summary = Summary(compared, {}, own | {"suites": ["easy", "hard"], "suite": "hard"})
    table = scores(summary, "win_rate", "")
    assert [*table.header] == ["strategy", "hard", "easy"]
    assert [cell.text for cell in table.rows[0]] == ["eva", "62.5 %", "\N{EN DASH}"]
    assert scores(summary, "gold", "").rows[0][1].text == "0.500"


def test_differences_are_points_and_averaged_over_the_other_player(compared):
    row = {"a": "eva", "b": "fresh", "kind": "creators", "within": None, "mean": 0.034}
    row |= {"low": -0.01, "high": 0.078, "p": 0.2, "p_holm": 4e-5, "seeds": 3}
    own = {"arms": {}, "metric": "win_rate", "comparisons": [row]}
    cells = differences(Summary(compared, {}, own)).rows[0]
    shown = ["eva", "fresh", "all solvers", "+3.4", "0.200", "4.00e-05", "3"]
    assert [cell.text for cell in cells] == shown
    assert cells[3].detail == "-1.0 to +7.8"


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


def test_a_figure_has_its_interval_if_there_is_one():
    assert spread({"mean": 0.5, "low": 0.25, "high": 0.75}) == Cell(
        "0.500", 0.5, "0.250 to 0.750"
    )
    assert spread({"mean": 0.5, "low": None, "high": None}) == Cell("0.500", 0.5)
    assert spread({"mean": 0.5, "low": 0.5, "high": 0.5}).detail == ""
    assert spread(None) == Cell("\N{EN DASH}")


def test_settings_are_flat_and_classes_stand_under_their_roles():
    nested = {"type": "Settings", "solver": {"type": "DPO", "lr": 0.1}, "seed": 3}
    assert [*flat(nested)] == [("solver", "DPO"), ("solver.lr", "0.1"), ("seed", "3")]


def test_a_comparison_without_a_summary_is_no_run(compared, tmp_path):
    (tmp_path / "cells").mkdir()
    with pytest.raises(UserError, match="has no summary yet"):
        comparison.page(tmp_path)
