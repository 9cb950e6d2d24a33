"""``eva compare``: creators and solvers as players of a game; who wins, and how surely?"""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from experiments.cli import parse
from experiments.comparison import tables, terminal
from experiments.comparison.settings import Comparison, check_fit
from experiments.comparison.stages import Stage
from experiments.comparison.summary import summarise
from experiments.run.config import describe
from experiments.run.errors import UserError
from experiments.run.match import remark
from experiments.run.progress import ProgressTable
from experiments.run.records import Run
from experiments.run.tracking import Mode, send, with_mode


@dataclass(frozen=True)
class Command:
    """Train every creator against every solver at equal budget, and let all play all.

    Then say who wins, by how much, whether that is significant, and how far from equilibrium
    it is.
    """

    settings: Annotated[Comparison, tyro.conf.arg(name="")]
    workers: int = 2
    """Worker processes, one thread each; the results do not depend on it."""
    out: Path | None = None
    """Folder of the comparison, new or empty; None: runs/compare-TIME."""
    resume: Path | None = None
    """Continue the comparison in this folder, which keeps its settings; what is finished is
    not played again. --seeds may ask for more than there were."""
    wandb: Mode = "off"
    """Send the numbers of every cell to Weights & Biases as well, in one group; --wandb alone
    says offline."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")


def main(args: list[str]) -> int:
    """The command; returns the exit status."""
    command = parse(Command, with_mode(args), "compare")
    return compare(command, ["compare", *args])


def compare(command: Command, argv: list[str], console: Console | None = None) -> int:
    """Play what is not played yet, then say what came out; 1 if a cell has failed."""
    console = console or Console()
    run, setting = opened(command, argv)
    for note in {remark(setting.settings(arm, 0)) for arm in setting.arms} - {None}:
        print(f"eva compare: {note}", file=sys.stderr)
    stage = Stage(run, setting, command.workers)
    try:
        with ProgressTable([arm.name for arm in stage.arms], 0, console, brief=True) as board:
            stage.play(board)
    except KeyboardInterrupt:
        print(f"stopped; continue with: eva compare --resume {run.folder}", file=sys.stderr)
        return 130
    if not stage.competed:
        raise UserError(f"no cell of a competitor has finished; see {run.folder}/failures.json")
    summary = summarise(setting, run.folder, stage.arms, stage.tuned, stage.failures)
    tables.write(summary, run.folder)
    terminal.print_summary(summary, console, run.folder)
    if command.wandb != "off":
        for cell in stage.finished:
            name = f"{cell.arm}-{cell.seed}"
            send(Run(cell.folder), command.wandb, name=name, group=run.folder.name)
    console.print(
        f"the comparison lies in {run.folder}; eva report {run.folder} shows it",
        highlight=False,
        soft_wrap=True,
    )
    return 1 if stage.failures else 0


def opened(command: Command, argv: list[str]) -> tuple[Run, Comparison]:
    """The folder that a command starts or continues, and its settings, all filled in."""
    given = command.settings
    if command.resume is None:
        setting = given.whole()
        check_fit(setting)  # what is refused should leave no folder behind
        folder = command.out or Path("runs", f"compare-{time.strftime('%Y%m%d-%H%M%S')}")
        return Run.create(folder, describe(setting, argv)), setting
    if replace(given, seeds=None) != Comparison() or command.out is not None:
        raise UserError(
            "a resumed comparison keeps its settings and folder; give --seeds or nothing"
        )
    run = Run.open(command.resume)
    setting = run.settings(Comparison)
    if given.seeds is None:
        return run, setting
    if given.seeds < (setting.seeds or 0):
        raise UserError(f"{run.folder} has {setting.seeds} seeds already; give --seeds more")
    run.amend(seeds=given.seeds)
    return run, replace(setting, seeds=given.seeds)
