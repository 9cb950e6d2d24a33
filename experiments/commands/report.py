"""``eva report``: one HTML file that shows a training run or a comparison."""

import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from eva_env.plain_text import say
from experiments.commands.options import parse
from experiments.report import comparison, run
from experiments.report.damage import missing
from experiments.report.page import render, write
from experiments.run.disk import on_disk
from experiments.run.errors import UserError, naming_record

START = b"<!doctype html>"
"""The first bytes of every report."""


@dataclass(frozen=True)
class Command:
    """Write one self-contained HTML file about a training run or a comparison."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = Path()
    """Folder of eva train, which may be unfinished, or of eva compare."""
    out: Path | None = None
    """The file to write. None: report.html in that folder."""
    open: bool = False
    """Show it in the browser."""


def main(args: list[str]) -> int:
    """Run the command and return the exit status: 1 for a record that has lost rows."""
    command = parse(Command(), args, "report")
    if command.out is not None:
        _require_report(command.out)
    kind = comparison if (command.run / "cells").is_dir() else run
    with naming_record(command.run):
        html = render(kind.page(command.run))
    path = command.out or command.run / "report.html"
    write(path, html)
    say(f"the report is {path}")
    lost = missing(command.run)
    for sentence in lost:
        say(f"the record is damaged: {sentence}", file=sys.stderr)
    if command.open:
        webbrowser.open(path.resolve().as_uri())
    return 1 if lost else 0


def _require_report(path: Path) -> None:
    """Raise UserError for a file that exists and is no earlier report."""
    if not path.is_file():
        return
    with on_disk(path), path.open("rb") as file:
        start = file.read(len(START))
    if start != START:
        raise UserError(
            f"--out {path} exists and is no earlier report; give another file, or remove it"
        )
