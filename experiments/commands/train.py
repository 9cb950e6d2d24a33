"""``eva train``: one creator against one solver, recorded, judged and resumable."""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from experiments.cli import parse
from experiments.run.config import describe
from experiments.run.errors import UserError
from experiments.run.match import Match, Settings, remark
from experiments.run.progress import ProgressTable
from experiments.run.records import Run
from experiments.run.tracking import Mode, tracked, with_mode
from experiments.run.train import Row, train


@dataclass(frozen=True)
class Command:
    """Train one solver against one creator, and record everything."""

    settings: Annotated[Settings, tyro.conf.arg(name="")]
    out: Path | None = None
    """Folder of the run, new or empty; None: runs/CREATOR-SOLVER-TIME."""
    resume: Path | None = None
    """Continue this run bit for bit; it keeps its own settings."""
    wandb: Mode = "off"
    """Send the numbers of the record to Weights & Biases as well. --wandb alone says offline,
    which needs no account and no network: wandb sync RUN/wandb/offline-run-* uploads later."""


def main(args: list[str]) -> int:
    """The command; returns the exit status."""
    command = parse(Command, with_mode(args), "train")
    run, settings, match = open_run(command, ["train", *args])
    name = type(settings.creator).__name__
    note = remark(settings)
    if note:
        print(f"eva train: {note}", file=sys.stderr)
    row: Row = {}
    try:
        with (
            tracked(run, command.wandb) as log,
            ProgressTable([name], settings.rounds) as board,
        ):
            for row in train(run, settings, match):
                board.update(name, settings.seed, row)
                log(row)
    except KeyboardInterrupt:
        print(f"stopped; continue with: eva train --resume {run.folder}", file=sys.stderr)
        return 130
    if row and row["round"] < settings.rounds and settings.alarms.stops(row["alarms"]):
        print(f"an alarm has ended it; to go on: eva train --resume {run.folder}")
    print(f"the run lies in {run.folder}")
    return 0


def open_run(command: Command, argv: list[str]) -> tuple[Run, Settings, Match | None]:
    """The run that a command starts or continues, its settings, and a new run's match."""
    settings = command.settings
    if command.resume is not None:
        if settings != Settings() or command.out is not None:
            raise UserError("a resumed run keeps its settings and folder; leave out the others")
        run = Run.open(command.resume)
        return run, run.settings(Settings), None
    if settings.policy and Path(settings.policy).is_dir():  # a name is not one
        settings = replace(settings, policy=str(Path(settings.policy).resolve()))
    match = Match.open(settings)  # settings that are refused should leave no folder behind
    players = f"{type(settings.creator).__name__}-{type(settings.solver).__name__}".lower()
    folder = command.out or Path("runs", f"{players}-{time.strftime('%Y%m%d-%H%M%S')}")
    return Run.create(folder, describe(settings, argv)), settings, match
