"""`eva report`: what a page says, that no text of a record runs, and that any record works."""

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

from experiments import cli
from experiments.commands import report
from experiments.report import (
    comparison,
    run,
)
from experiments.report.creator import operators
from experiments.report.page import render
from experiments.report.record import Record, conditions
from experiments.report.settings import flat
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
    elif kind == "a link":
        (record / "report.html").symlink_to(folder.parent / "precious")
    elif kind != "full":
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
        ("full", "cannot use /dev/full: .*No space left on device"),
        ("a link", "report.html is a link, and a record holds none"),
        ("unfinished", "has no summary yet"),
        ("{", "summary.json is not JSON"),
        ("[]", "summary.json is not the summary of a comparison"),
    ],
)
def test_a_folder_that_cannot_be_read_or_written_gives_one_line(
    kind, message, played, tmp_path, capsys
):
    broken(kind, played, tmp_path / "run")
    out = ["--out", "/dev/full"] if kind == "full" else []
    assert cli.main(["report", str(tmp_path / "run"), *out]) == 1
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


def test_only_an_earlier_report_is_replaced(begun, tmp_path, capsys):
    out = tmp_path / "page.html"
    for _ in range(2):
        assert cli.main(["report", str(begun), "--out", str(out)]) == 0
    out.write_text("my notes")
    assert cli.main(["report", str(begun), "--out", str(out)]) == 1
    assert f"--out {out} exists and is no earlier report; give" in capsys.readouterr().err
    assert out.read_text() == "my notes"


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


def test_nested_settings_are_lifted():
    inner = {"type": "Settings", "rounds": 3}
    config = {"settings": {"type": "Comparison", "seeds": 5, "settings": inner}}
    assert conditions(config)["rounds"] == 3
    assert conditions(config)["type"] == "Comparison"
    assert conditions({"settings": inner}) == inner
    assert conditions({}) == {}


def test_settings_are_flat_and_classes_stand_under_their_roles():
    nested = {"type": "Settings", "solver": {"type": "DPO", "lr": 0.1}, "seed": 3}
    assert [*flat(nested)] == [("solver", "DPO"), ("solver.lr", "0.1"), ("seed", "3")]


def test_a_comparison_without_a_summary_is_no_run(compared, tmp_path):
    (tmp_path / "cells").mkdir()
    with pytest.raises(UserError, match="has no summary yet"):
        comparison.page(tmp_path)
