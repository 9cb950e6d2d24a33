"""Every command that reads a record ends in one line, whatever has happened to a file of it.

``DAMAGES`` and ``READ_BY`` are the table: add a row for another damage, file or command.
"""

import json
import shutil
from collections.abc import Iterator

import pytest

from experiments.cli import main
from experiments.comparison import stages
from experiments.human_play.terminal import Terminal
from experiments.run.workers import Event

WORLD = (
    "task:tabular-world --task.topics 2 --task.levels 3 --task.variants 2 --task.responses 4"
)
SIZES = "--rounds 2 --prompts 4 --samples 2 --evaluation-samples 2 --evaluate-every 1"
SMALL = f"{WORLD} {SIZES}".split()


def truncated(path):
    path.write_bytes(path.read_bytes()[:-20])


def emptied(path):
    path.write_bytes(b"")


def halved(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))


def null(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"null\n" + b"".join(lines[1:]) if is_rows(path) else b"null\n")


def nested(path):
    lines = path.read_bytes().splitlines(keepends=True)
    deep = b'{"round": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n"
    path.write_bytes(deep + b"".join(lines[1:]) if is_rows(path) else deep)


def lacking(path):
    """Without the first key of the schema: round, suite, settings or arms."""
    rewrite(path, lambda row: {k: v for k, v in row.items() if k != needed(row)})


def mistyped(path):
    rewrite(path, lambda row: row | {needed(row): ["no", {"such": "type"}]})


def garbage(path):
    path.write_bytes(bytes(range(256)) * 8)


DAMAGES = {
    "truncated": truncated,
    "emptied": emptied,
    "halved": halved,
    "null": null,
    "nested": nested,
    "lacking a key": lacking,
    "of a wrong type": mistyped,
    "garbage": garbage,
}

WRONG = ("null", "nested", "lacking a key", "of a wrong type", "garbage")
"""Damages that every reader of the file must refuse; lost rows are those of the manifest."""

READ_BY = {
    "config.json": ("report", "runs", "train --resume", "evaluate", "export", "play"),
    "rounds.jsonl": ("report", "runs", "train --resume"),
    "prompts.jsonl": ("report", "export", "train --resume"),
    "evaluations.jsonl": ("report", "runs"),
    "transcripts.jsonl": ("report", "judge"),
    "answers.jsonl": ("report",),
}
COMPARISON_READ_BY = {
    "config.json": ("report", "runs", "compare --resume"),
    "summary.json": ("report", "runs"),
    "cells/fresh-dpo/seed-0000/config.json": ("compare --resume",),
    "cells/fresh-dpo/seed-0000/rounds.jsonl": ("compare --resume",),
    "cells/fresh-dpo/seed-0000/evaluations.jsonl": ("compare --resume",),
    "cells/fresh-dpo/seed-0000/answers.jsonl": ("compare --resume", "judge"),
    "cells/fresh-dpo/seed-0000/final.jsonl": ("compare --resume",),
    "cells/start/seed-0000/answers.jsonl": ("compare --resume",),
}
COMMANDS = {
    "report": ["report", "FOLDER"],
    "runs": ["runs", "FOLDER"],
    "export": ["export", "FOLDER", "--out", "FOLDER/../pairs.jsonl"],
    "evaluate": ["evaluate", "FOLDER", "--samples", "2", "--json"],
    "train --resume": ["train", "--resume", "FOLDER"],
    "compare --resume": ["compare", "--resume", "FOLDER", "--workers", "1"],
    "play": ["play", "--as", "creator", "--checkpoint", "FOLDER"],
    "judge": ["play", "--as", "judge", "FOLDER"],
}


def is_rows(path):
    return path.suffix == ".jsonl"


def needed(row):
    return next(key for key in ("arms", "settings", "round", "suite", "prompt") if key in row)


def rewrite(path, change):
    if is_rows(path):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(change(row)) + "\n" for row in rows))
    else:
        path.write_text(json.dumps(change(json.loads(path.read_text()))))


class InProcess:
    """Workers without processes."""

    def __init__(self, do, count):
        self.do = do

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def run(self, jobs) -> Iterator[Event]:
        for job in jobs:
            for row in self.do(job):
                yield Event(job, row)
            yield Event(job)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No worker processes, and a person who leaves at once."""
    monkeypatch.setattr(stages, "Workers", InProcess)
    monkeypatch.setattr(Terminal, "ask", lambda *_, **__: (_ for _ in ()).throw(EOFError))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """A small run and a small comparison, played once."""
    folder = tmp_path_factory.mktemp("records")
    assert (
        main(["train", "creator:eva", "solver:dpo", *SMALL, "--out", str(folder / "run")]) == 0
    )
    words = ["compare", "--creators", "fresh", "static", "--solvers", "dpo", "--seeds", "1"]
    words += ["--no-oracle", "--draws", "20", "--workers", "1", *SMALL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "Workers", InProcess)
        assert main([*words, "--out", str(folder / "comparison")]) == 0
    return folder


def outcome(command, folder, capsys):
    """The exit status, and what is printed on stderr; never an exception."""
    capsys.readouterr()
    status = main([word.replace("FOLDER", str(folder)) for word in COMMANDS[command]])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    return status, printed.err + printed.out


def test_the_commands_read_a_whole_record(records, tmp_path, capsys):
    for kind, table in (("run", READ_BY), ("comparison", COMPARISON_READ_BY)):
        shutil.copytree(records / kind, tmp_path / kind)
        for command in dict.fromkeys(name for names in table.values() for name in names):
            status, printed = outcome(command, tmp_path / kind, capsys)
            is_refused = command == "export"  # the prompts of this world are numbers
            assert status == is_refused, (command, printed)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", READ_BY)
def test_a_damaged_run(file, damage, records, tmp_path, capsys):
    check(records / "run", file, damage, READ_BY, tmp_path, capsys)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", COMPARISON_READ_BY)
def test_a_damaged_comparison(file, damage, records, tmp_path, capsys):
    check(records / "comparison", file, damage, COMPARISON_READ_BY, tmp_path, capsys)


def check(source, file, damage, readers, tmp_path, capsys):
    folder = tmp_path / "record"
    shutil.copytree(source, folder)
    DAMAGES[damage](folder / file)
    for command in readers[file]:
        status, printed = outcome(command, folder, capsys)
        if damage not in WRONG:
            continue
        name = file.rpartition("/")[2]
        assert name in printed, (command, printed)
        if command != "runs":  # it lists the others, and says which one is damaged
            assert status == 1, (command, printed)
        else:
            assert "is damaged" in printed
