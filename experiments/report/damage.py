"""What a record has lost, on top of its page."""

from collections.abc import Iterable
from pathlib import Path

from experiments.report.blocks import Section, Text
from experiments.run.records import Run


def missing(folder: Path) -> list[str]:
    """Return a sentence for each file that lacks rows, of a record and of its cells."""
    folders: Iterable[Path] = (folder, *sorted((folder / "cells").glob("*/seed-*")))
    return [sentence for inside in folders for sentence in Run(inside).missing()]


def damage(folder: Path) -> Section | None:
    """Return the warning that a record is damaged; None for a whole one."""
    sentences = missing(folder)
    if not sentences:
        return None
    first = "Rows of this record are lost, so the figures below are of what is left."
    return Section("This record is damaged", [Text([first, *sentences], "list")])
