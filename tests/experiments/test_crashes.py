"""A run that is killed anywhere continues to the same record, and a damaged one is refused."""

import errno
import io
import json
import os
import re
import resource
import shutil
import signal
import time
from pathlib import Path

import pytest

from experiments import cli
from experiments.run.errors import UserError
from experiments.run.lock import locked
from experiments.run.records import Run
from tests.support import crashes

pytestmark = pytest.mark.crash

WORLD = (
    *("task:tabular-world", "--task.topics", "2", "--task.levels", "4"),
    *("--task.variants", "2", "--task.responses", "6", "--evaluation-samples", "4"),
    *("--prompts", "6", "--samples", "3", "--rounds", "2", "--alarms.max-no-gradient", "0"),
)
TRAIN = ("train", *WORLD, "--checkpoint-every", "1", "--keep", "last", "--seed", "5")
KILLS = str(Path(crashes.__file__).with_name("kills.py")) + ":Kills"
COMPARE = ("compare", *WORLD, "--creators", KILLS, "--solvers", "dpo")
COMPARE += ("--seeds", "1", "--draws", "20", "--workers", "1")
ARM = "cells/kills-dpo/seed-0000"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing has disturbed, and its disk operations."""
    folder = tmp_path_factory.mktemp("crashes") / "run"
    outcome = crashes.run(crashes.command(*TRAIN, "--out", str(folder)), folder)
    assert outcome.status == 0, outcome.printed
    return folder, outcome.operations


def play(folder, stop=crashes.never, torn=False):
    """Start or continue a run as a user would, in a child."""
    if (folder / "config.json").exists():
        action = crashes.command("train", "--resume", str(folder))
    else:
        action = crashes.command(*TRAIN, "--out", str(folder))
    return crashes.run(action, folder, stop, torn)


CHAINS = {
    "begin": [". mkdir", "config draft", "config rename"],
    "first evaluation": [
        *("rounds draft", "rounds rename", "manifest draft", "manifest rename"),
        *("prompts draft", "prompts rename", "evaluations draft", "evaluations rename"),
        *("transcripts draft", "transcripts rename", "alarms draft", "alarms rename"),
        *("evaluations open", "transcripts open", "answers draft", "answers rename"),
    ],
    "round": ["prompts open", "rounds open", "alarms open"],
    "checkpoint": [
        *("checkpoint rmtree", "checkpoint mkdir", "checkpoints mkdir"),
        *("checkpoint's state open", "checkpoint's manifest draft"),
        *("checkpoint's manifest rename", "checkpoint rename"),
    ],
    "prune": [
        *("prune rename", "checkpoint's manifest remove", "checkpoint's state remove"),
        *("checkpoint's state.safetensors remove", "checkpoint's table.safetensors remove"),
        "checkpoint rmdir",
    ],
}
"""All phases of a run's disk operations."""


def test_every_phase_is_named(whole):
    phases = {operation.phase for operation in whole[1]}
    assert phases == {phase for chain in CHAINS.values() for phase in chain}


@pytest.mark.parametrize("chain", CHAINS)
def test_a_run_that_is_killed_before_every_phase_ends_equal(chain, whole, tmp_path):
    """The run that continues is killed again, before the next phase of the chain."""
    folder = tmp_path / "run"
    in_order = [operation.phase for operation in whole[1]]
    for phase in sorted(CHAINS[chain], key=in_order.index):
        outcome = play(folder, crashes.before(phase))
        assert outcome.killed, f"{phase}: {outcome.printed}"
        assert Run(folder).missing() == [], phase
    outcome = play(folder)
    assert outcome.status == 0, outcome.printed
    assert crashes.differences(folder, whole[0]) == []


TORN = ["config draft", "prompts open", "rounds open", "manifest draft", "answers draft"]
TORN += ["evaluations open", "checkpoint's state open"]


def test_a_run_whose_writes_are_torn_ends_equal(whole, tmp_path):
    folder = tmp_path / "run"
    for phase in TORN:
        outcome = play(folder, crashes.before(phase), torn=True)
        assert outcome.status == -signal.SIGXFSZ, f"{phase}: {outcome.printed}"
        assert Run(folder).missing() == [], phase
    outcome = play(folder)
    assert outcome.status == 0, outcome.printed
    assert crashes.differences(folder, whole[0]) == []


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole[0], tmp_path / "copy")


def printed(capsys, *words):
    """The status of a command and what it prints on standard error."""
    capsys.readouterr()
    status = cli.main([*map(str, words)])
    return status, capsys.readouterr().err


def test_a_second_writer_is_refused_until_the_first_is_killed(copy, capsys, monkeypatch):
    monkeypatch.setattr("experiments.run.records.WAIT", 0.0)
    reads, writes = os.pipe()
    holder = os.fork()
    if holder == 0:
        with locked(copy):
            os.write(writes, b"locked")
            signal.pause()
    try:
        assert os.read(reads, 6) == b"locked"
        in_use = rf"{copy} is in use by process {holder} on \S+ since [\d: -]+ \(.*\): wait"
        for words in (("train", "--resume"), ("play", "--as", "judge")):
            monkeypatch.setattr("sys.stdin", io.StringIO("a\n"))
            status, error = printed(capsys, *words, copy)
            assert (status, error.count("\n")) == (1, 1)
            assert re.search(in_use, error), error
        for write in (
            lambda: Run(copy).amend(rounds=3),
            lambda: Run(copy).truncate(1),
            lambda: Run(copy).write("answers", []),
        ):
            with pytest.raises(UserError, match=in_use):
                write()
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
    assert printed(capsys, "train", "--resume", copy)[0] == 0


def limited(action, size):
    """An action on a disk where no file may grow beyond a size in bytes."""

    def do():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return action()

    return do


@pytest.mark.parametrize("size", [100, 1500, 4000])
def test_a_run_on_a_full_disk_ends_in_one_line_and_continues(size, whole, tmp_path):
    folder = tmp_path / "run"
    action = crashes.command(*TRAIN, "--out", str(folder))
    outcome = crashes.run(limited(action, size), folder)
    assert outcome.status == 1
    error = outcome.printed.splitlines()[-1]
    assert re.fullmatch(rf"eva train: cannot use {folder}.*: .*File too large.*", error)
    assert "Traceback" not in outcome.printed
    outcome = play(folder)
    assert outcome.status == 0, outcome.printed
    assert crashes.differences(folder, whole[0]) == []


def test_a_folder_that_is_read_only_is_reported_and_not_written(copy, tmp_path):
    before = crashes.contents(copy)

    def refuse():
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def read_only(*words):
        def do():
            crashes.watch(copy, lambda *_: True, kill=refuse)
            return cli.main([*map(str, words)])

        return crashes.run(do, copy)

    outcome = read_only("train", "--resume", copy, "--rounds", "3")
    assert outcome.status == 1
    assert outcome.printed.count("\n") == 1
    assert "Read-only file system" in outcome.printed
    outcome = read_only("report", copy, "--out", tmp_path / "report.html")
    assert outcome.status == 0, outcome.printed
    assert crashes.contents(copy) == before


def empty(path):
    path.write_bytes(b"")


def halve(path):
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(rows[: len(rows) // 2]))


ROW_DAMAGE = {
    "prompts": empty,
    "evaluations": empty,
    "rounds": halve,
    "answers": empty,
    "transcripts": halve,
    "alarms": Path.unlink,
}


def rows_lost(path):
    """The sentence that says how many rows a damaged file has."""
    rows = path.read_bytes().count(b"\n") if path.exists() else 0
    manifest = json.loads((path.parent / "manifest.json").read_text())
    return f"{path} has {rows} of {manifest[path.stem]['rows']} rows"


def require_refused(capsys, sentence, *words):
    status, error = printed(capsys, *words)
    assert (status, error.count("\n")) == (1, 1), error
    assert sentence in error


def require_reported(capsys, sentence, folder):
    """The report is written, says on top what is lost, and the status is 1."""
    status, error = printed(capsys, "report", folder)
    assert (status, error.count("\n")) == (1, 1), error
    assert sentence in error
    html = (folder / "report.html").read_text()
    assert html.index("This record is damaged") < html.index("Rows of this record are lost")
    assert Path(sentence.split()[0]).name in html


def require_one_line_or_work(capsys, monkeypatch, folder):
    """Other readers use what is left, or say in one line what is wrong."""
    monkeypatch.setattr("sys.stdin", io.StringIO("skip\nquit\n"))
    for words in (
        ("export", folder, "--out", folder.parent / "rows.jsonl"),
        ("play", "--as", "judge", folder),
        ("evaluate", folder, "--samples", "2"),
    ):
        status, error = printed(capsys, *words)
        assert status == 0 or (status == 1 and error.count("\n") == 1), error


@pytest.mark.parametrize("name", ROW_DAMAGE)
def test_a_run_that_has_lost_rows_is_refused(name, copy, capsys, monkeypatch):
    path = copy / f"{name}.jsonl"
    ROW_DAMAGE[name](path)
    sentence = rows_lost(path)
    require_refused(capsys, sentence, "train", "--resume", copy)
    require_refused(capsys, sentence, "train", "--resume", copy, "--rounds", "3")
    require_reported(capsys, sentence, copy)
    require_one_line_or_work(capsys, monkeypatch, copy)


@pytest.mark.parametrize(
    ("damage", "sentence"), [(Path.unlink, "is missing ("), (empty, "is damaged: ")]
)
def test_a_lost_manifest_is_refused_and_its_copy_repairs_the_run(
    damage, sentence, copy, capsys, monkeypatch
):
    path = copy / "manifest.json"
    damage(path)
    sentence = f"{path} {sentence}"
    require_refused(capsys, sentence, "train", "--resume", copy)
    require_reported(capsys, sentence, copy)
    shutil.copy(copy / "checkpoints" / "round-0002" / "manifest.json", path)
    assert printed(capsys, "train", "--resume", copy)[0] == 0
    empty(copy / "prompts.jsonl")
    damage(path)
    (status, error) = printed(capsys, "report", copy)
    assert status == 1
    assert "prompts.jsonl has 0 of " in error


def compare(folder, stop=crashes.never, one_process=True):
    """Start or continue a comparison as a user would, in a child."""
    words = (*COMPARE, "--out", str(folder))
    if (folder / "config.json").exists():
        words = ("compare", "--resume", str(folder), "--workers", "1", "--code", KILLS)
    return crashes.run(crashes.command(*words, one_process=one_process), folder, stop)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison") / "whole"
    outcome = compare(folder)
    assert outcome.status == 0, outcome.printed
    return folder, outcome.operations


STEPS = ["config rename", "answers rename", "rounds rename", "checkpoint rename"]
STEPS += ["final draft", "final rename", "crossplay rename", "failures rename"]


def test_a_comparison_that_is_killed_between_its_steps_ends_equal(compared, tmp_path):
    folder = tmp_path / "comparison"
    for phase in STEPS:
        outcome = compare(folder, crashes.before(phase))
        assert outcome.killed, f"{phase}: {outcome.printed}"
    (folder / ARM / "crossplay.jsonl").write_text("")  # it is made again
    outcome = compare(folder)
    assert outcome.status == 0, outcome.printed
    assert crashes.differences(folder, compared[0]) == []


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """The file of the plan of a kill, which workers read."""
    monkeypatch.setenv("EVA_KILL_PLAN", str(tmp_path / "plan.json"))
    return tmp_path / "plan.json"


def test_a_worker_ends_with_its_parent_and_its_cell_is_continued(compared, plan, tmp_path):
    folder = tmp_path / "comparison"
    steps = {"process": "parent of worker", "folder": str(folder), "phase": "prompts open"}
    plan.write_text(json.dumps(steps))
    outcome = compare(folder, one_process=False)  # returns when all its processes have ended
    seconds = time.time() - float(plan.with_suffix(".killed").read_text())
    assert outcome.status == -signal.SIGKILL, outcome.printed
    assert seconds < 2
    assert Run(folder / ARM).rows("prompts") == []
    outcome = compare(folder)
    assert outcome.status == 0, outcome.printed
    assert crashes.differences(folder, compared[0]) == []


@pytest.mark.skipif("EVA_SOAK" not in os.environ, reason="slow: make soak runs it")
def test_the_cell_of_a_killed_worker_fails_and_is_continued(compared, plan, tmp_path):
    folder = tmp_path / "comparison"
    steps = {"process": "worker", "folder": str(folder), "phase": "checkpoint rename"}
    plan.write_text(json.dumps(steps))
    outcome = compare(folder, one_process=False)
    assert outcome.status == 1
    assert "seed-0000 failed, the others continue: process died, exit status -9" in (
        " ".join(outcome.printed.split())
    )
    assert "oracle-dpo/seed-0000 is done" in outcome.printed
    outcome = compare(folder)
    assert outcome.status == 0, outcome.printed
    assert crashes.differences(folder, compared[0]) == []


@pytest.mark.parametrize("name", ["prompts", "evaluations", "answers", "final"])
def test_a_comparison_whose_cell_has_lost_rows_is_refused(name, compared, tmp_path, capsys):
    folder = shutil.copytree(compared[0], tmp_path / "copy")
    path = folder / ARM / f"{name}.jsonl"
    empty(path)
    sentence = rows_lost(path)
    require_refused(capsys, sentence, "compare", "--resume", folder, "--code", KILLS)
    require_reported(capsys, sentence, folder)
