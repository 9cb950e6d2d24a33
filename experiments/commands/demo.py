"""``eva demo``: eva against ordinary training at equal budget, a comparison on wordlist."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from experiments.cli import parse
from experiments.commands import compare
from experiments.comparison.settings import EVOLVE, Comparison
from experiments.run.records import Run

DEMO = Comparison(creators=("static", *EVOLVE), solvers=("dpo",))
"""Ordinary training on one human set, on new human prompts, and two ways of evolving them; the
gold verifier pays, since scoring by a model costs a fifth more."""

SHOWN = 3


@dataclass(frozen=True)
class Command:
    """Eva against Static, Fresh and UniformEvolve, and the Oracle as a ceiling: who wins?"""

    seeds: int | None = None
    """Seeds of each arm. None: 3, or those that a resumed demo has."""
    workers: int = 2
    """Worker processes, one thread each; the results do not depend on it."""
    out: Path | None = None
    """Folder of the comparison, new or empty; None: runs/demo-TIME."""
    resume: Path | None = None
    """Continue the demo in this folder, maybe with more seeds; what is finished is kept."""

    def __post_init__(self) -> None:
        for name in ("seeds", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")


def main(args: list[str]) -> int:
    """The command; returns the exit status."""
    return demo(parse(Command, args, "demo"), DEMO, ["demo", *args])


def demo(
    command: Command, setting: Comparison, argv: list[str], console: Console | None = None
) -> int:
    """Compare, then show some answers before and after; 1 if a cell has failed."""
    console = console or Console()
    old = command.resume
    folder = old or command.out or Path("runs", f"demo-{time.strftime('%Y%m%d-%H%M%S')}")
    given = replace(Comparison() if old else setting, seeds=command.seeds)
    whole = compare.Command(given, command.workers, None if old else folder, old)
    status = compare.compare(whole, argv, console)
    if status in (0, 1):
        for text in transcripts(Run(folder / "cells" / "eva-dpo" / "seed-0000")):
            console.print(text, highlight=False, markup=False)
        more = f"More seeds narrow the intervals: eva demo --resume {folder} --seeds 10"
        console.print(more, highlight=False, soft_wrap=True)
    return status


def transcripts(run: Run) -> list[str]:
    """Evolved prompts of the last round, the first answer before and after training."""
    rows = [row for row in run.rows("transcripts") if row["operator"] is not None]
    return [
        f"\nprompt  {row['prompt']}\n"
        f"  from  {row['parent']}  ({row['operator']})\n"
        f"before  {row['before'][0]}  (gold reward {row['before_rewards'][0]:.2f})\n"
        f" after  {row['after'][0]}  (gold reward {row['after_rewards'][0]:.2f})"
        for row in rows[-SHOWN:]
    ]
