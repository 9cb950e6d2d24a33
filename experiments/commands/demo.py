"""``eva demo``: eva against ordinary training at equal budget, a comparison on wordlist."""

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from eva_env.require import require
from experiments.commands import compare
from experiments.commands.options import parse
from experiments.commands.transcripts import transcripts
from experiments.comparison.conclusions import headline
from experiments.comparison.forest import forest
from experiments.comparison.settings import Comparison
from experiments.report.comparison import page as comparison_page
from experiments.report.page import render, write
from experiments.run.named_code import NamedCode
from experiments.run.records import Run
from experiments.run.schema import SummaryFile
from experiments.run.screen import PlainConsole
from experiments.run.settings import Conditions

DEMO = Comparison(
    creators=("static", "uniform-lite", "eva-lite"),
    solvers=("dpo",),
    seeds=6,
    oracle=False,
    conditions=Conditions(evaluate_every=4),
)
"""Ordinary training on one human set, and two ways of evolving prompts, which differ in the
signal alone. Evaluations cost half of a demo's time, so there are few of them."""


@dataclass(frozen=True)
class Command:
    """Train on fixed prompts, on evolved ones and on eva's, at equal budget: who wins?

    ``eva demo instruct`` plays eva on a real language model instead.
    """

    seeds: int | None = None
    """Seeds of each arm. None: 6, or those that a resumed demo has."""
    workers: int = 2
    """Worker processes, one thread each; the results do not depend on it."""
    out: Path | None = None
    """Folder of the comparison, new or empty. None: runs/demo-TIME."""
    resume: Path | None = None
    """Continue the demo in this folder; --seeds may ask for more. Finished cells are kept."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "seeds", "workers")


def main(args: list[str]) -> int:
    """Run the command; returns the exit status."""
    if args[:1] == ["instruct"]:
        from experiments.commands import demo_instruct

        return demo_instruct.main(args[1:])
    return demo(parse(Command(), args, "demo"), DEMO, ["demo", *args])


def demo(
    command: Command, comparison: Comparison, argv: list[str], console: Console | None = None
) -> int:
    """Compare, then conclude; returns 1 if a cell has failed."""
    console = console or PlainConsole()
    folder = command.resume or command.out
    folder = folder or Path("runs", f"demo-{time.strftime('%Y%m%d-%H%M%S')}")
    if command.resume:
        code = NamedCode(command=shlex.join(["eva", "compare", "--resume", str(folder)]))
        comparison = Run.open(folder).settings(Comparison, code)
    else:
        comparison = comparison.pinned()
    comparison = replace(comparison, seeds=command.seeds or comparison.seeds)
    new = None if command.resume else folder
    whole = compare.Command(comparison, command.workers, new, command.resume)
    status = compare.compare(whole, argv, console)
    if status in (0, 1):
        conclude(folder, console)
    return status


def conclude(folder: Path, console: Console) -> None:
    """Print some responses before and after training, the finding, its picture, the report."""
    summary = Run(folder).object("summary", SummaryFile, "the summary of a comparison")
    report = folder / "report.html"
    write(report, render(comparison_page(folder)))
    lines = [
        *transcripts(Run(folder / "cells" / "eva-lite-dpo" / "seed-0000")),
        *picture(summary),
        f"\n{headline(summary)}",
        f"The report with all figures is {report}",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def picture(summary: Mapping[str, Any]) -> list[str]:
    """Return the forest plot under its title; nothing where no difference has an interval."""
    title = "\nPaired differences in win rate, with intervals corrected for all of them"
    lines = forest(summary)
    return [title, *lines] if lines else []
