"""``eva train``: one creator against one solver, recorded, judged and resumable."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from experiments.cli import parse
from experiments.config import describe
from experiments.display import Board
from experiments.errors import UserError
from experiments.genealogy import Genealogy, summarise
from experiments.judge import Judge
from experiments.match import Match, Settings, remark
from experiments.records import Run

Row = dict[str, Any]


def train(run: Run, settings: Settings, match: Match | None = None) -> Iterator[Row]:
    """Play and record from the run's last checkpoint on; yields a row per round.

    That is the row of rounds.jsonl, with the rows of evaluations.jsonl by suite under
    ``evaluations`` where the round was judged. A new run begins with the row of round 0.
    ``match`` is one of these settings that has just been opened; None opens one.
    """
    match = match or Match.open(settings)
    judge = Judge(settings.task, match.solver.policy.frozen(), settings.evaluation_samples)
    played = restore(run, match)
    genealogy = Genealogy.of(run.rows("prompts"))
    if played < 0:
        yield {"round": 0, "evaluations": judged(run, judge, match, 0)}
    spent = [0, *(row["budget"]["reward_calls"] for row in run.rows("rounds"))]
    if exhausted(settings, spent):
        return
    began = time.perf_counter()
    for round in match.rounds():
        played = round.index + 1
        spent.append(match.budget.reward_calls)
        last = played == settings.rounds or exhausted(settings, spent)
        row = summarise(round, match.budget, time.perf_counter() - began)
        run.append("prompts", genealogy.rows(round))
        run.append("rounds", [row])
        evaluations = {}
        if last or played % settings.evaluate_every == 0:
            evaluations = judged(run, judge, match, played)
            run.append("transcripts", judge.replay(match.solver, round))
        if last or played % settings.checkpoint_every == 0:
            run.save(played, match.solver.policy, match.state_dict())
        yield row | {"evaluations": evaluations}
        if last:
            return
        began = time.perf_counter()


def exhausted(settings: Settings, spent: Sequence[int]) -> bool:
    """Whether a round that costs as much as the last one would spend more than allowed.

    ``spent`` are the reward calls up to each round, from 0 before the first on.
    """
    if settings.max_reward_calls is None or len(spent) < 2:
        return False
    return 2 * spent[-1] - spent[-2] > settings.max_reward_calls


def restore(run: Run, match: Match) -> int:
    """Put a match where the run's last checkpoint left it; its round, -1 if there is none.

    What the run has written since is dropped, to be written again.
    """
    played = max(run.checkpoints, default=-1)
    if played >= 0:
        match.load_state_dict(run.load(played))
    run.truncate(played)
    return played


def judged(run: Run, judge: Judge, match: Match, played: int) -> dict[str, Row]:
    """Judge the solver and record it; rows by suite."""
    evaluations, transcripts = judge.judge(match.solver, played)
    spent = {"budget": asdict(match.budget)}
    run.append("evaluations", [row | spent for row in evaluations])
    run.append("transcripts", transcripts)
    return {row["suite"]: row for row in evaluations}


@dataclass(frozen=True)
class Command:
    """Train one solver against one creator, and record everything."""

    settings: Annotated[Settings, tyro.conf.arg(name="")]
    out: Path | None = None
    """Folder of the run, new or empty; None: runs/CREATOR-SOLVER-TIME."""
    resume: Path | None = None
    """Continue this run bit for bit; it keeps its own settings."""
    wandb: Literal["off", "offline", "online"] = "off"
    """Send the rows to Weights & Biases as well; offline needs no account and no network."""


def main(args: list[str]) -> int:
    """The command; returns the exit status."""
    command = parse(Command, args, "train")
    run, settings, match = open_run(command, ["train", *args])
    log = wandb_log(command.wandb, run, settings) if command.wandb != "off" else None
    name = type(settings.creator).__name__
    note = remark(settings)
    if note:
        print(f"eva train: {note}", file=sys.stderr)
    try:
        with Board([name], settings.rounds) as board:
            for row in train(run, settings, match):
                board.update(name, settings.seed, row)
                if log:
                    log(row)
    except KeyboardInterrupt:
        print(f"stopped; continue with: eva train --resume {run.folder}", file=sys.stderr)
        return 130
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


def wandb_log(mode: str, run: Run, settings: Settings) -> Callable[[Row], None]:
    """A function that logs a row's numbers under the keys of the JSON, joined by slashes."""
    import wandb

    session = wandb.init(
        project="eva",
        mode="online" if mode == "online" else "offline",
        dir=run.folder,
        name=run.folder.name,
        config=run.config["settings"],
    )
    return lambda row: session.log(flat(row), step=row["round"])


def flat(row: Row, prefix: str = "") -> Row:
    """Numbers of a nested row: {"a": {"b": 1}} -> {"a/b": 1}; everything else is dropped."""
    numbers: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            numbers |= flat(value, f"{prefix}{key}/")
        elif isinstance(value, int | float):
            numbers[prefix + key] = value
    return numbers
