"""Text of others in terminals and spreadsheets: shown as text, never interpreted.

``tests/experiments/test_report_browser.py`` does the same for pages.
"""

import io
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from rich.table import Table

from agents.creators import Eva
from agents.solvers import DPO
from eva_env.plain_text import say
from experiments import cli
from experiments.commands.transcripts import transcripts
from experiments.comparison import tables
from experiments.run.progress import ProgressTable
from experiments.run.records import Run
from experiments.run.screen import PlainConsole
from tests.support.hostile import ATTACK, SHOWN, is_plain, poisoned
from tests.support.report_cases import recorded_run

ROOT = Path(__file__).parents[2]


def test_only_one_function_prints_and_all_consoles_are_plain():
    """So that no text of others is printed in another way."""
    callers = {"print": set(), "Console": set()}
    for package in ("eva_env", "agents", "experiments"):
        for path in (ROOT / package).rglob("*.py"):
            place = str(path.relative_to(ROOT))
            if "benchmarks" not in place and "pretraining" not in place:
                for name in re.findall(r"(?<![\w.])(print|Console)\(", path.read_text()):
                    callers[name].add(place)
    assert callers == {"print": {"eva_env/plain_text.py"}, "Console": set()}


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "\uff1d1", "-"]
)
def test_text_that_a_spreadsheet_would_run_is_quoted(text):
    assert tables.as_text(text) == f"'{text}"


@pytest.mark.parametrize("value", [-0.5, None, True, 3, "-0.5", "+1e-3", "-inf", "eva-dpo", ""])
def test_numbers_and_other_text_stay_in_a_spreadsheet(value):
    assert tables.as_text(value) is value


def test_tables_titles_and_lines_show_markup_as_text():
    console = PlainConsole(file=io.StringIO(), width=200, force_terminal=False)
    table = Table(ATTACK, title=ATTACK, caption=ATTACK)
    table.add_row(ATTACK)
    console.print(table)
    console.print(ATTACK, highlight=False)
    assert console.file.getvalue().count(SHOWN) == 5
    assert is_plain(console.file.getvalue())


def test_a_printed_text_keeps_its_lines_and_nothing_that_controls(capsys):
    say(f"a{ATTACK}\nb")
    assert capsys.readouterr().out == f"a{SHOWN}\nb\n"


def test_an_error_is_one_line_without_controls(capsys):
    assert cli.main(["report", f"no\nrun{ATTACK}"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert is_plain(error)
    assert f"no run{SHOWN}" in error


def test_progress_shows_names_as_text():
    console = PlainConsole(file=io.StringIO(), width=200)
    alarm = {"begins": True, "text": ATTACK}
    row = {"round": 1, "evaluations": {"hard": {"gold": 0.5, "win_rate": 0.5}}}
    with ProgressTable([ATTACK], 1, console, reward=ATTACK) as progress:
        progress.update(ATTACK, 0, row | {"alarms": {"a": alarm}})
        progress.begin(ATTACK, 2)
        console.print(progress.render())
    printed = console.file.getvalue()
    assert printed.count(SHOWN) >= 6
    assert is_plain(printed)


FOLDER = "a[red]\x1b[31m\u202e"


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A finished run in a folder of that name, with ATTACK in all free text of its rows."""
    folder = tmp_path_factory.mktemp("runs") / FOLDER
    run = recorded_run(folder, creator=Eva(), solver=DPO(lr=0.1), rounds=2, prompts=4)
    for name in ("rounds", "prompts", "evaluations", "alarms"):
        run.write(name, [poisoned(row, ("hard", "easy")) for row in run.rows(name)])
    run.write("transcripts", [transcript_row(poisoned("x"))])
    return folder


@pytest.fixture
def strange(attacked, tmp_path):
    """The same run, with ATTACK in all text of its settings too."""
    shutil.copytree(attacked, tmp_path / FOLDER)
    run = Run(tmp_path / FOLDER)
    run.write_json("config", poisoned(run.config, ("Settings",), ("pettingzoo", "numpy")))
    return run.folder


def transcript_row(text):
    return {
        **dict.fromkeys(("prompt", "parent", "operator", "suite"), text),
        "round": 1,
        "before": [text],
        "after": [text],
        "before_rewards": [0.1],
        "after_rewards": [0.9],
    }


COMMANDS = [
    "runs FOLDER --no-html",
    "report FOLDER --out page.html",
    "export FOLDER --out ATTACK.jsonl",
    "evaluate FOLDER --samples 2",
    "evaluate FOLDER --suite ATTACK",
    "evaluate ATTACK",
    "train --resume FOLDER",
    "train --resume FOLDER --seed 7",
    "train --resume FOLDER --help",
    "train creator:ATTACK",
    "compare --resume FOLDER",
    "play --as solver --checkpoint FOLDER",
    "ATTACK",
]


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.parametrize("record", ["attacked", "strange"])
def test_no_command_prints_what_controls_the_terminal(
    record, line, tmp_path, request, monkeypatch, capsys
):
    folder = request.getfixturevalue(record)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    words = [
        word.replace("FOLDER", str(folder)).replace(
            "ATTACK", ATTACK.encode(errors="replace").decode()
        )
        for word in line.split()
    ]
    with suppress(SystemExit):
        assert cli.main(words) in (0, 1, 2)
    printed = capsys.readouterr()
    assert printed.out + printed.err
    assert is_plain(printed.out)
    assert is_plain(printed.err)


def test_transcripts_of_a_record_are_printed_as_text(attacked, capsys):
    for line in transcripts(Run(attacked)):
        say(line)
    printed = capsys.readouterr().out
    assert printed.count(f"=x{SHOWN}") == 5
    assert is_plain(printed)
