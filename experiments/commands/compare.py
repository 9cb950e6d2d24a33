"""``eva compare``: creators and solvers as players of a game; who wins, and how sure is it?"""

import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from eva_env.plain_text import say
from eva_env.require import require
from experiments.commands.options import (
    Arguments,
    option,
    parse,
    require_growth,
    settings_from,
    warn,
    with_files,
)
from experiments.comparison import terminal
from experiments.comparison.settings import Comparison, check_fit
from experiments.comparison.stages import Stage
from experiments.run.budget import forecast
from experiments.run.config import describe, overlay, to_toml
from experiments.run.errors import UserError
from experiments.run.judging import judged_by, score_name
from experiments.run.lock import locked
from experiments.run.named_code import NamedCode, ReadsRecords
from experiments.run.progress import ProgressTable
from experiments.run.records import Run
from experiments.run.screen import PlainConsole
from experiments.run.settings import Conditions, remarks
from experiments.run.specifications import no_setting, option_names
from experiments.run.tracking import Mode, send, with_mode

ROLES = ("task", "reward_model", "policy")
SHORT = (
    *("creators", "solvers", "seeds", "tune", "rounds", "prompts", "samples", "reward"),
    "judge",
    *("suite", "oracle", "workers", "out", "resume", "config", "dry-run"),
)


@dataclass(frozen=True)
class Command(ReadsRecords):
    """Train every creator against every solver at equal budget, then cross-play all of them.

    The conclusions say who wins, by how much, whether it is significant, and how far from
    equilibrium the arms are.
    """

    settings: Annotated[Comparison, tyro.conf.arg(name="")] = field(default_factory=Comparison)
    workers: int = 2
    """Worker processes, one thread each; the results do not depend on it."""
    out: Path | None = None
    """Folder of the comparison, new or empty. None: runs/compare-TIME."""
    resume: Path | None = None
    """Continue the comparison in this folder with its settings; finished cells are not played
    again. --seeds may give more seeds."""
    config: Path | None = None
    """A TOML file of settings, as --dry-run prints them; typed options override it."""
    dry_run: bool = False
    """Print the resolved settings and the budget of the comparison, then stop."""
    wandb: Mode = "off"
    """Also send the numbers of every cell to Weights & Biases, in one group; --wandb alone
    means offline."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "workers")


def main(args: list[str]) -> int:
    """Run the command and return the exit status."""
    arguments = Arguments.of(with_mode(args), ROLES)
    resumed = option(arguments.rest, "--resume")
    code = NamedCode.of(["compare", *args])
    command = resume(arguments, Path(resumed), code) if resumed else begin(arguments)
    if command.dry_run:
        return dry_run(command.settings)
    return compare(command, ["compare", *args])


def begin(arguments: Arguments) -> Command:
    """Return a new comparison: the world's defaults, the config file, the typed options."""
    config = dict(arguments.config)
    shared = split_conditions(config, arguments.config_path)
    base = Comparison.suited(arguments.world(shared))
    conditions = settings_from(arguments, base.conditions, shared)
    conditions = with_files(conditions, arguments.rest)
    comparison = overlay(replace(base, conditions=conditions), config, arguments.config_path)
    command = parse(Command(settings=comparison), arguments.rest, "compare", SHORT)
    return replace(command, settings=command.settings.pinned())


def split_conditions(config: dict[str, Any], where: str) -> dict[str, Any]:
    """Remove the settings of ``Conditions`` from a config file's tables and return them.

    The file may have them at the top, as on the command line, or under ``conditions``.
    UserError, which begins with ``where``, for an unknown setting at the top.
    """
    shared = config.pop("conditions", {})
    if not isinstance(shared, dict):
        raise UserError(f"{where}: conditions must be a table; write [conditions]")
    names = option_names(Conditions)
    for key in list(config):
        name = key.replace("-", "_")
        if name in names:
            shared = shared | {name: config.pop(key)}
        elif name != "type" and name not in option_names(Comparison):
            options = [*option_names(Comparison), *names]
            raise UserError(f"{where}: {no_setting('a comparison', name, options)}")
    return shared


def resume(arguments: Arguments, folder: Path, code: NamedCode) -> Command:
    """Return the command that continues a comparison; only ``seeds`` may grow."""
    recorded = Run.open(folder).settings(Comparison, code)
    if arguments.parts or arguments.config:
        raise UserError(f"{folder} keeps its settings; leave out parts and --config")
    command = parse(Command(settings=recorded), arguments.rest, "compare", SHORT)
    if command.out is not None:
        raise UserError("a resumed comparison keeps its folder; leave out --out")
    require_growth(folder, recorded, command.settings, "seeds")
    return command


def compare(command: Command, argv: list[str], console: Console | None = None) -> int:
    """Play the missing cells and print the conclusions; return 1 if a cell has failed."""
    folder = command.resume or command.out
    folder = folder or Path("runs", f"compare-{time.strftime('%Y%m%d-%H%M%S')}")
    if command.resume is None:  # what is refused should leave no folder behind
        check_fit(command.settings)
        Run.require_new(folder)
    with locked(folder):
        return play(command, folder, argv, console or PlainConsole())


def play(command: Command, folder: Path, argv: list[str], console: Console) -> int:
    """Play the missing cells in a folder that is locked, and print the conclusions."""
    comparison = command.settings
    run = opened(command, folder, argv)
    notes = list(comparison.task.remarks()) if command.resume is None else []
    notes += [note for arm in comparison.arms for note in remarks(comparison.settings(arm, 0))]
    for note in dict.fromkeys(notes):
        warn("compare", note)
    stage = Stage(run, comparison, command.workers)
    try:
        with ProgressTable(
            [arm.name for arm in stage.arms],
            0,
            console,
            True,
            comparison.deciding,
            score_name(judged_by(comparison.conditions)),
        ) as progress:
            stage.play(progress)
    except KeyboardInterrupt:
        say(f"stopped; continue with: eva compare --resume {run.folder}", file=sys.stderr)
        return 130
    terminal.print_summary(stage.conclude(), console, run.folder)
    if command.wandb != "off":
        for cell in stage.finished:
            name = f"{cell.arm}-{cell.seed}"
            send(Run(cell.folder), command.wandb, name=name, group=run.folder.name)
    console.print(
        f"the comparison is in {run.folder}; eva report {run.folder} shows it",
        highlight=False,
        soft_wrap=True,
    )
    return 1 if stage.failures else 0


def opened(command: Command, folder: Path, argv: list[str]) -> Run:
    """Return the record that a command starts or continues in a folder."""
    comparison = command.settings
    if command.resume is not None:
        run = Run.open(folder)
        run.require_whole()
        run.amend(seeds=comparison.seeds)
        return run
    return Run.create(folder, describe(comparison, argv))


def dry_run(comparison: Comparison) -> int:
    """Print the settings and the budget, after the checks of a real start."""
    check_fit(comparison)
    arms = comparison.arms
    cells = len(arms) * comparison.seeds
    say(to_toml(comparison))
    say(f"# {len(arms)} arms x {comparison.seeds} seeds = {cells} cells; each of them")
    say(f"# {forecast(comparison.settings(arms[0], 0))}")
    return 0
