"""`eva runs`: what it lists, that damage is a line and no crash, and the index page."""

import json
import re
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import cli
from experiments.commands import runs
from experiments.report.index import index
from experiments.report.listing import folders, listed
from experiments.run.errors import UserError
from experiments.run.records import Run
from experiments.run.wording import size
from tests.support.report_cases import ATTACKS, hostile, recorded_comparison, recorded_run


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder of runs: a run in a folder of its own, and a comparison."""
    folder = tmp_path_factory.mktemp("kept") / "runs"
    recorded_run(folder / "today" / "first", rounds=2)
    recorded_comparison(folder / "versus", rounds=2)
    return folder


@pytest.fixture
def folder(kept, tmp_path):
    """A copy of that folder that a test may damage."""
    shutil.copytree(kept, tmp_path / "runs")
    return tmp_path / "runs"


def by_name(folder):
    return {run.name: run for run in listed(folder)}


def test_runs_and_comparisons_are_listed_with_their_last_results(folder):
    found = by_name(folder)
    assert {*found} == {"today/first", "versus"}
    run, compared = found["today/first"], found["versus"]
    last = [row for row in Run(run.folder).rows("evaluations") if row["suite"] == "hard"][-1]
    assert (run.kind, run.creators, run.solvers) == ("run", ("eva",), ("dpo",))
    assert (run.task, run.progress) == ("tabular-world", "2 of 2 rounds")
    assert (run.gold, run.win_rate) == (last["gold"], last["win_rate"])
    assert run.size == sum(p.stat().st_size for p in run.folder.rglob("*") if p.is_file())
    assert (compared.kind, compared.creators, compared.solvers) == (
        "comparison",
        ("fresh", "uniform-evolve", "eva"),
        ("dpo", "rloo"),
    )
    assert (compared.task, compared.progress) == ("tabular-world", "0 of 16 cells")
    summary = json.loads((folder / "versus/summary.json").read_text())
    rates = {
        name: arm["suites"]["hard"]["win_rate"]["mean"]
        for name, arm in summary["arms"].items()
        if not arm["ceiling"]
    }
    assert compared.win_rate == max(rates.values()) == rates[compared.best]
    assert compared.finding.startswith("eva-dpo is ahead of fresh-dpo by 10.0 points")


def test_finished_cells_count_and_the_oracle_may_be_left_out(folder):
    cell = next((folder / "versus/cells").glob("*/seed-0000"))
    (cell / "final.jsonl").write_text("")
    path = folder / "versus/config.json"
    config = json.loads(path.read_text())
    config["settings"]["oracle"] = False
    path.write_text(json.dumps(config))
    assert by_name(folder)["versus"].progress == "1 of 12 cells"


def test_a_class_by_path_is_listed_with_its_name_and_without_its_settings(folder):
    path = folder / "versus/config.json"
    config = json.loads(path.read_text())
    config["settings"]["creators"] = ["eva:rewrites=2", "missing/own.py:Mine:n=2"]
    config["settings"]["solvers"] = ["missing/own.py:Method"]
    path.write_text(json.dumps(config))
    compared = by_name(folder)["versus"]
    assert compared.creators == ("eva", "missing/own.py:Mine")
    assert compared.solvers == ("missing/own.py:Method",)


def test_cells_of_a_comparison_are_not_listed_and_links_are_not_followed(folder):
    (folder / "again").symlink_to(folder / "versus")
    assert [path.name for path in folders(folder)] == ["first", "versus"]
    assert [path.name for path in folders(folder / "versus")] == ["versus"]


DAMAGE = {
    "torn config": ("config.json", '{"settings": '),
    "config of a number": ("config.json", "3"),
    "settings of a number": ("config.json", '{"settings": 3}'),
    "no settings": ("config.json", "{}"),
    "rows of nothing": ("evaluations.jsonl", "null\n"),
    "no JSON": ("rounds.jsonl", "zzz\n"),
    "no text": ("rounds.jsonl", "\udcff\n"),
    "a suite of lists": ("evaluations.jsonl", '{"round": 1, "suite": ["a"]}\n'),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_run_is_a_line_and_the_others_stay(kind, folder, capsys):
    name, text = DAMAGE[kind]
    (folder / "today/first" / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert cli.main(["runs", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "versus" in printed
    if kind not in ("settings of a number", "a suite of lists"):
        (line,) = [line for line in printed.splitlines() if "first is damaged: " in line]
        assert len(line) < 400
    assert "today/first" in (folder / "index.html").read_text()


def test_a_comparison_without_a_summary_is_unfinished_and_a_torn_one_is_damaged(folder):
    (folder / "versus/summary.json").write_text("[1")
    assert by_name(folder)["versus"].kind == "damaged"
    (folder / "versus/summary.json").unlink()
    compared = by_name(folder)["versus"]
    assert (compared.kind, compared.gold, compared.finding) == ("comparison", None, "")


def test_a_folder_without_config_is_damaged(folder):
    (folder / "today/first/config.json").unlink()
    found = by_name(folder)["today/first"]
    assert found.kind == "damaged"
    assert found.problem.startswith("no run at ")


def test_no_folder_gives_one_line_and_an_empty_one_says_what_to_do(tmp_path, capsys):
    with pytest.raises(UserError, match="no folder"):
        listed(tmp_path / "none")
    assert cli.main(["runs", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert cli.main(["runs", str(tmp_path)]) == 0
    assert "holds no runs yet" in capsys.readouterr().out
    assert not (tmp_path / "index.html").exists()


def test_the_default_folder_is_runs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder.parent)
    assert runs.main([]) == 0
    assert "the index page is runs/index.html" in capsys.readouterr().out


def test_a_narrow_terminal_gets_two_lines_a_run(folder, capsys):
    from rich.console import Console

    runs.tell(listed(folder), Console(width=80))
    printed = capsys.readouterr().out
    assert "today/first: run, tabular-world, eva against dpo\n  2 of 2 rounds, gold" in printed


def test_the_page_links_reports_that_are_written_and_only_these(folder, tmp_path):
    assert 'href="' not in links(folder, folder)
    (folder / "today/first/report.html").write_text("")
    assert links(folder, folder) == 'href="today/first/report.html"'
    assert links(folder, tmp_path) == 'href="runs/today/first/report.html"'
    spaced = folder / "a b#c"
    shutil.move(folder / "today/first", spaced)
    assert links(folder, folder) == 'href="a%20b%23c/report.html"'


def links(folder, place):
    html = index(folder, listed(folder), place)
    return " ".join(re.findall(r'href="[^"]*report[^"]*"', html))


def test_the_page_can_be_left_out_or_lie_elsewhere(folder, tmp_path, capsys):
    assert runs.main([str(folder), "--no-html"]) == 0
    assert not (folder / "index.html").exists()
    out = tmp_path / "page.html"
    assert runs.main([str(folder), "--out", str(out)]) == 0
    assert out.read_text().startswith("<!doctype html>")
    assert runs.main([str(folder)]) == 0
    first = (folder / "index.html").read_text()
    assert runs.main([str(folder)]) == 0
    assert (folder / "index.html").read_text() == first, "the page itself does not count"


def test_names_of_a_hostile_record_are_never_markup_nor_steer_the_terminal(tmp_path, capsys):
    hostile(tmp_path / "runs" / "[red]x<b>\x1b[31m\u202e")
    assert runs.main([str(tmp_path / "runs")]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert "[red]x<b>" in printed
    html = (tmp_path / "runs/index.html").read_text()
    assert "\u202e" not in html
    assert len(re.findall("<script", html)) == 2
    assert not re.search(r"<(?:img|b|iframe)\b", html)
    assert re.findall("<svg[^>]*>", html) == ['<svg id="blank" aria-hidden="true" hidden>']
    assert not re.search(r"https?:|@import|url\((?!#)", html)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert data is not None
    assert ATTACKS[1] in json.dumps(json.loads(data[1]), ensure_ascii=False).replace('\\"', '"')


@given(st.integers(0, 10**15))
def test_sizes_have_a_unit_and_few_digits(count):
    shown, unit = size(count).split()
    scale = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
    assert float(shown) * scale == pytest.approx(count, rel=0.01, abs=0.5)
