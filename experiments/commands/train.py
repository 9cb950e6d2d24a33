"""``eva train``: one creator against one solver, recorded, evaluated and resumable."""

import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from eva_env.plain_text import say
from experiments.commands.options import (
    Arguments,
    option,
    parse,
    require_growth,
    settings_from,
    warn,
    with_files,
)
from experiments.run.budget import forecast
from experiments.run.config import describe, to_json, to_toml
from experiments.run.errors import UserError
from experiments.run.judging import judged_by, judging_remark, score_name
from experiments.run.match import Match
from experiments.run.named_code import NamedCode, ReadsRecords
from experiments.run.progress import ProgressTable
from experiments.run.records import Run
from experiments.run.settings import Settings, check, remarks
from experiments.run.setup import pinned
from experiments.run.tracking import Mode, tracked, with_mode
from experiments.run.train import Row, train
from experiments.run.wording import counted, decimal

ROLES = ("creator", "solver", "task", "reward_model", "policy")
MEMORY = ("device", "keep", "solver.micro_batch_tokens")
MEMORY += ("policy.logits_megabytes", "policy.gradient_checkpointing")
MEMORY += ("limits.characters", "limits.reward_deadline", "limits.response_deadline")
"""Settings of where, in what portions and how long a run computes; a resumed run may change
them."""
SHORT = (
    *("rounds", "prompts", "samples", "reward", "judge", "seed"),
    *("out", "resume", "config", "dry-run"),
)


@dataclass(frozen=True)
class Command(ReadsRecords):
    """Train one solver against one creator, and record everything."""

    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    out: Path | None = None
    """Folder of the run, new or empty. None: runs/CREATOR-SOLVER-TIME."""
    resume: Path | None = None
    """Continue this run bit for bit with its settings; --rounds may extend it."""
    config: Path | None = None
    """A TOML file of settings, as --dry-run prints them; typed options override it."""
    dry_run: bool = False
    """Print the resolved settings and the budget of the run, then stop."""
    wandb: Mode = "off"
    """Also send the record's numbers to Weights & Biases. --wandb alone means offline, without
    an account or a network: wandb sync RUN/wandb/offline-run-* uploads later."""


def main(args: list[str]) -> int:
    """Run the command and return the exit status."""
    arguments = Arguments.of(with_mode(args), ROLES)
    resumed = option(arguments.rest, "--resume")
    code = NamedCode.of(["train", *args])
    command = resume(arguments, Path(resumed), code) if resumed else begin(arguments)
    settings = command.settings
    if command.dry_run:
        try:
            check(settings)
        except ValueError as error:
            raise UserError(str(error)) from error
        say(f"{to_toml(settings)}\n# {forecast(settings)}")
        return 0
    run, match = opened(command, ["train", *args])
    notes = list(settings.task.remarks()) if command.resume is None else []
    for note in (*notes, *remarks(settings)):
        warn("train", note)
    return play(run, settings, match, command.wandb)


def begin(arguments: Arguments) -> Command:
    """Return a new run: the world's defaults, the config file, the typed options."""
    base = Settings.suited(arguments.world(arguments.config))
    settings = settings_from(arguments, base, arguments.config)
    settings = with_files(settings, arguments.rest)
    command = parse(Command(settings=settings), arguments.rest, "train", SHORT)
    settings = replace(command.settings, task=pinned(command.settings.task))
    return replace(command, settings=settings)


def resume(arguments: Arguments, folder: Path, code: NamedCode) -> Command:
    """Return the command that continues a run; ``rounds`` may grow, ``MEMORY`` change."""
    run = Run.open(folder)
    recorded = run.settings(Settings, code)
    if "task" in arguments.parts or arguments.config:
        raise UserError(f"{folder} keeps its settings; leave out task: and --config")
    typed = settings_from(arguments, recorded, {})
    command = parse(Command(settings=typed), arguments.rest, "train", SHORT)
    if command.out is not None:
        raise UserError("a resumed run keeps its folder; leave out --out")
    require_growth(folder, recorded, command.settings, "rounds", MEMORY)
    return command


def opened(command: Command, argv: list[str]) -> tuple[Run, Match]:
    """Return the record that the command starts or continues, and its match."""
    settings = command.settings
    if command.resume is None:
        folder = command.out or Path(
            "runs", f"{settings.name}-{time.strftime('%Y%m%d-%H%M%S')}"
        )
        Run.require_new(folder)
        match = Match.open(settings)  # before the folder, so that refused settings leave none
        return Run.create(folder, describe(settings, argv)), match
    match = Match.open(settings)
    run = Run.open(command.resume)
    if run.settings(Settings, NamedCode.of(argv)) != settings:
        for last in run.checkpoints[-1:]:
            run.load(last)  # raises before the record promises more rounds
        run.amend(**to_json(settings))
    return run, match


def play(
    run: Run, settings: Settings, match: Match, wandb: Mode, command: str = "eva train"
) -> int:
    """Train with a progress table, then print the result and the next command.

    ``command`` continues an interrupted run by its --resume.
    """
    row: Row = {}
    try:
        with (
            tracked(run, wandb) as log,
            ProgressTable(
                [settings.name],
                settings.rounds,
                suite=settings.task.deciding,
                reward=score_name(judged_by(settings)),
            ) as progress,
        ):
            for row in train(run, settings, match):
                progress.update(settings.name, settings.seed, row)
                log(row)
    except KeyboardInterrupt:
        say(f"stopped; continue with: {command} --resume {run.folder}", file=sys.stderr)
        return 130
    if row and row["round"] < settings.rounds and settings.alarms.stops(row["alarms"]):
        say(f"an alarm has ended the run; continue with: {command} --resume {run.folder}")
    for line in conclusion(run, settings.task.deciding):
        say(line)
    return 0


def conclusion(run: Run, suite: str) -> list[str]:
    """Return the last evaluation's result on a suite, its limits, and the next command."""
    lines = [f"the run is in {run.folder}; eva report {run.folder} shows it"]
    rows: list[Row] = run.rows("evaluations")
    if not rows:
        return lines
    latest = {row["suite"]: row for row in rows if row["round"] == rows[-1]["round"]}
    result = latest[suite]
    win_rate = None if result["win_rate"] is None else 100 * result["win_rate"]
    judge = run.config.get("judged_by", "gold")
    score = score_name(judge)
    finding = (
        f"after {counted(result['round'], 'round')}, suite {suite}: {score} "
        f"{decimal(result['gold'])}, win rate against the starting policy "
        f"{decimal(win_rate, 1)} %. One seed cannot show which creator or method is better; "
        f"eva compare can."
    )
    share = result.get("rewards_missing")
    if share:
        finding += f" {share:.0%} of these responses got no reward and are left out."
    remark = judging_remark(judge, run.config["settings"])
    if remark:
        finding += f" {remark}"
    return [finding, *lines]
