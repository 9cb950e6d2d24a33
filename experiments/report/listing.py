"""The runs and comparisons of a folder, a line each; a damaged one says what is wrong."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.report.finding import in_sentences
from experiments.report.numbers import is_number
from experiments.report.record import conditions, deciding_of, part_name
from experiments.report.settings import flat
from experiments.report.summary import Summary
from experiments.run.errors import UserError
from experiments.run.records import FILES, Run
from experiments.run.specifications import split

DEEPEST = 3
"""Levels of folders that are searched."""


@dataclass(frozen=True)
class Listed:
    """A run or a comparison of a folder."""

    folder: Path
    name: str
    """The path inside the folder that is listed."""
    kind: str
    """run, comparison, diagnosis or damaged."""
    when: float
    """Time of the last change, in seconds since 1970."""
    size: int
    """Bytes of all its files."""
    problem: str = ""
    """What is wrong with a damaged one, in a line."""
    creators: tuple[str, ...] = ()
    solvers: tuple[str, ...] = ()
    task: str = ""
    done: int | None = None
    planned: int | None = None
    """Rounds of a run, or cells of a comparison, played and planned."""
    gold: float | None = None
    win_rate: float | None = None
    """Of the last evaluation on the deciding suite; a comparison's best arm's."""
    best: str = ""
    """That arm."""
    settings: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    """A run's evaluations by suite: rounds, gold and win_rate."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """A comparison's arms on the deciding suite: gold and win_rate."""
    finding: str = ""

    @property
    def report(self) -> bool:
        """Whether its report has been written."""
        return (self.folder / "report.html").is_file()

    @property
    def date(self) -> str:
        """The time of the last change, to the minute."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.when))

    @property
    def progress(self) -> str:
        """How much is played: "8 of 8 rounds"."""
        if self.done is None:
            return ""
        unit = "rounds" if self.kind == "run" else "cells"
        return (
            f"{self.done} of {self.planned} {unit}" if self.planned else f"{self.done} {unit}"
        )


def listed(root: Path) -> list[Listed]:
    """Return the runs and comparisons of a folder, the latest first; UserError without one."""
    if not root.is_dir():
        raise UserError(f"no folder {root}: eva train and eva compare write into runs/")
    runs = [described(folder, root) for folder in folders(root)]
    return sorted(runs, key=lambda run: (-run.when, run.name))


def folders(root: Path, depth: int = 0) -> Iterator[Path]:
    """Yield the folders that hold a run or a comparison, but none inside of another one."""
    files = ("config.json", "summary.json", *(f"{name}.jsonl" for name in FILES))
    if any((root / name).exists() for name in files):
        yield root
        return
    if depth == DEEPEST:
        return
    try:
        inside = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    except OSError:
        return
    for path in inside:
        if path.is_dir() and not path.is_symlink():
            yield from folders(path, depth + 1)


def described(folder: Path, root: Path) -> Listed:
    """Return the line of a folder; whatever is wrong with its files is its problem."""
    name = folder.relative_to(root).as_posix() if folder != root else folder.resolve().name
    when, size = traces(folder)
    kind = "comparison" if (folder / "cells").is_dir() else "run"
    try:
        if kind == "run":
            kind = Run.open(folder).kind
        details = READERS[kind](folder)
    except UserError as error:
        problem = str(error)
    except Exception as error:  # a file may hold any JSON in the place of a row
        problem = f"its files are damaged ({type(error).__name__}: {error})"
    else:
        return Listed(folder, name, kind, when, size, **details)
    return Listed(folder, name, "damaged", when, size, " ".join(problem.split())[:300])


def traces(folder: Path) -> tuple[float, int]:
    """Return the time of the last change of a folder's files, and their size in bytes."""
    when, size = 0.0, 0
    for path, _, names in os.walk(folder):
        for name in names:
            if name in ("report.html", "index.html"):
                continue
            try:
                status = os.lstat(os.path.join(path, name))
            except OSError:
                continue
            when, size = max(when, status.st_mtime), size + status.st_size
    return when, size


def run(folder: Path) -> dict[str, Any]:
    """Return the details of a training run."""
    record = Run.open(folder)
    settings = conditions(record.config)
    suites: dict[str, list[Mapping[str, Any]]] = {}
    for row in record.rows("evaluations"):
        suites.setdefault(str(row["suite"]), []).append(row)
    curves = {
        suite: {key: [number(row.get(key)) for row in rows] for key in CURVES}
        for suite, rows in suites.items()
    }
    deciding = suites.get(deciding_of(record.config, suites), [{}])
    return {
        "creators": (part_name(settings.get("creator")),),
        "solvers": (part_name(settings.get("solver")),),
        "task": part_name(settings.get("task")),
        "done": len(record.rows("rounds")),
        "planned": number(settings.get("rounds")),
        "gold": number(deciding[-1].get("gold")),
        "win_rate": number(deciding[-1].get("win_rate")),
        "settings": dict(flat(record.config["settings"])),
        "curves": curves,
    }


CURVES = ("round", "gold", "win_rate")


def comparison(folder: Path) -> dict[str, Any]:
    """Return the details of a comparison, which may be unfinished."""
    config = Run.open(folder).config
    settings = conditions(config)
    creators, solvers = (tuple(settings.get(key) or ()) for key in ("creators", "solvers"))
    # The last file of a cell is final.jsonl, see experiments.comparison.cells.
    done = sum(1 for _ in folder.glob("cells/*/seed-*/final.jsonl"))
    seeds, oracle = settings.get("seeds"), settings.get("oracle", True)
    arms = (len(creators) + bool(oracle)) * len(solvers)
    details: dict[str, Any] = {
        "creators": tuple(split(spec)[0] for spec in creators),
        "solvers": tuple(split(spec)[0] for spec in solvers),
        "task": part_name(settings.get("task")),
        "done": done,
        "planned": arms * seeds if seeds else None,
        "settings": dict(flat(config["settings"])),
    }
    if (folder / "summary.json").exists():
        details |= results(Summary.read(folder))
    return details


def results(summary: Summary) -> dict[str, Any]:
    """Return the results of a finished comparison."""
    scores = {}
    for arm in summary.competitors:
        estimates = (summary.score(arm, name) or {} for name in ("gold", "win_rate"))
        gold, win_rate = (number(estimate.get("mean")) for estimate in estimates)
        scores[arm] = {"gold": gold, "win_rate": win_rate}
    known = [arm for arm in scores if scores[arm][summary.metric] is not None]
    details = {"scores": scores, "finding": in_sentences(summary)}
    if known:
        best = max(known, key=lambda arm: scores[arm][summary.metric])
        details |= scores[best] | {"best": best}
    return details


def diagnosis(folder: Path) -> dict[str, Any]:
    """Return the details of a diagnosis, which has no players and trains nothing."""
    settings = Run.open(folder).config["settings"]
    return {"task": part_name(settings.get("task")), "settings": dict(flat(settings))}


READERS = {"run": run, "comparison": comparison, "diagnosis": diagnosis}
"""Readers of a folder's details by kind."""


def number(value: Any) -> Any:
    """Return a finite number, else None."""
    return value if is_number(value) else None
