"""``eva report``: one HTML file that shows a training run or a comparison.

- ``run.py``, ``comparison.py``: the two kinds of pages, each a list of sections
- ``creator.py``, ``solver.py``: sections of a run; ``record.py`` reads its folder
- ``strategies.py``, ``games.py``, ``flow.py``, ``cells.py``: sections of a comparison;
  ``summary.py`` reads its folder; ``settings.py``: the last section of both
- ``blocks.py``: what a section is made of; ``blocks.html`` has a macro for each;
  ``numbers.py``: numbers as people read them
- ``figures.py``, ``distributions.py``: charts, with their data and in words; ``drawing.py``: as
  SVG in the colours of the page
- ``tree.py``, ``tree.js``: the genealogy, embedded as data and drawn as it is opened
- ``page.py``, ``page.html``, ``style.css``, ``script.js``: the page around the sections

To add a section, write a function that takes the ``Record`` of a run or the ``Summary`` of a
comparison and returns a ``Section`` of blocks, or None where the record has nothing for it;
then name it in ``SECTIONS`` of ``run.py`` or ``comparison.py``. A record may be of an older
version, or of a run that was killed: read keys with ``get``; charts of nothing are None. Text
of models and users goes into blocks as it is: the templates escape it.
"""

import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from experiments.cli import parse
from experiments.records import on_disk

TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd")
"""Characters of model text that would turn the direction of what stands beside them."""


@dataclass(frozen=True)
class Command:
    """Write one self-contained HTML file about a training run or a comparison."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of eva train, which may be unfinished, or of eva compare."""
    out: Path | None = None
    """The file to write. None: report.html in that folder."""
    open: bool = False
    """Show it in the browser."""


def main(args: list[str]) -> int:
    """The command; returns the exit status."""
    from experiments.report import comparison, run
    from experiments.report.page import render

    command = parse(Command, args, "report")
    compared = (command.run / "cells").is_dir()
    html = render((comparison if compared else run).page(command.run))
    path = command.out or command.run / "report.html"
    with on_disk(path):
        # A lone surrogate, which JSON may hold and UTF-8 may not, becomes a question mark.
        path.write_bytes(html.translate(TURNS).encode("utf-8", "replace"))
    print(f"the report is {path}")
    if command.open:
        webbrowser.open(path.resolve().as_uri())
    return 0
