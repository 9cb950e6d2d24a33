"""The index page over the runs of a folder: filter, open, compare two."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from experiments.report.listing import Listed
from experiments.report.numbers import decimal, percent
from experiments.report.page import render_template
from experiments.report.tree import embed
from experiments.run.wording import size

SCRIPTS = ("theme.js", "tables.js", "index.js")

SHOWN = ("name", "kind", "settings", "curves", "scores", "finding")
"""Fields that the page needs for comparing two runs."""


def index(folder: Path, runs: Sequence[Listed], place: Path) -> str:
    """Return the HTML of the page over a folder's runs; ``place`` is where it is written."""
    data = [{name: getattr(run, name) for name in SHOWN} for run in runs]
    filters = {
        "kind": values(run.kind for run in runs),
        "creator": values(name for run in runs for name in run.creators),
        "method": values(name for run in runs for name in run.solvers),
        "task": values(run.task for run in runs if run.task),
    }
    rows = [row(run, place) for run in runs]
    return render_template(
        "index.html",
        SCRIPTS,
        folder=folder.resolve().name or str(folder),
        rows=rows,
        filters=filters,
        data=embed(data),
    )


def values(names: Any) -> list[str]:
    """Return distinct names in alphabetical order."""
    return sorted({*names})


def row(run: Listed, place: Path) -> dict[str, Any]:
    """Return the texts of a run's line; the link is relative to the page."""
    path = os.path.relpath(run.folder.resolve() / "report.html", place.resolve())
    command = ["diagnose", "--resume"] if run.kind == "diagnosis" else ["report"]
    return {
        "run": run,
        "report": quote(Path(path).as_posix()) if run.report else "",
        "command": shlex.join(["eva", *command, str(run.folder)]),
        "gold": decimal(run.gold),
        "win_rate": percent(run.win_rate),
        "size": size(run.size),
    }
