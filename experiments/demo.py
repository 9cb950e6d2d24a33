"""``eva demo``: eva against ordinary training at equal budget, on the wordlist rung."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from agents.creators import AnyCreator, Eva, Fresh, Oracle, Static, UniformEvolve
from experiments import curves, verdict
from experiments.cli import parse
from experiments.config import describe, to_json
from experiments.display import Board
from experiments.errors import UserError
from experiments.match import Settings
from experiments.records import Run, on_disk
from experiments.train import train
from experiments.workers import run_jobs

ARMS: dict[str, AnyCreator] = {
    "static": Static(),
    "fresh": Fresh(),
    "uniform": UniformEvolve(old_from="history"),
    "eva": Eva(old_from="history", resample=False),
    "oracle": Oracle(),
}
"""Oracle trains on the hard suite's own distribution: a ceiling, no competitor. Eva reads the
rewards of the round as played, since answering anew would cost twice the responses."""

DEMO = Settings(reward="gold", evaluate_every=2, checkpoint_every=4)
"""What all arms share; the gold verifier pays, since scoring by a model costs a fifth more."""

OURS = "eva"


@dataclass(frozen=True)
class Job:
    """One run: an arm with a seed."""

    arm: str
    seed: int
    settings: Settings
    folder: Path

    @property
    def started(self) -> bool:
        """Whether there is a record to continue."""
        return (self.folder / "config.json").exists()

    @property
    def finished(self) -> bool:
        """Whether its last round has been judged and saved."""
        return self.started and self.settings.rounds in Run(self.folder).checkpoints


@dataclass(frozen=True)
class Command:
    """Eva against Static, Fresh, UniformEvolve and the Oracle as ceiling: who wins?"""

    seeds: int = 3
    """Seeds of each arm."""
    workers: int = 2
    """Worker processes, one thread each; the results do not depend on it."""
    out: Path | None = None
    """Folder of the runs, new or empty; None: runs/demo-TIME."""
    resume: Path | None = None
    """Continue the demo in this folder; finished runs are kept."""

    def __post_init__(self) -> None:
        for name in ("seeds", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


def main(args: list[str]) -> int:
    """The command; returns the exit status."""
    return demo(parse(Command, args, "demo"), DEMO)


def demo(command: Command, shared: Settings, console: Console | None = None) -> int:
    """Play all arms and seeds, then say what came out; 1 if a run has failed."""
    console = console or Console()
    folder = open_folder(command)
    jobs = plan(command.seeds, shared, folder)
    began = time.perf_counter()
    try:
        failures = play(jobs, command.workers, console)
    except KeyboardInterrupt:
        print(f"stopped; continue with: eva demo --resume {folder}", file=sys.stderr)
        return 130
    runs: dict[str, dict[int, Run]] = {arm: {} for arm in ARMS}
    for job in jobs:
        if job.finished:
            runs[job.arm][job.seed] = Run(job.folder)
    arms = {arm: verdict.measure(own) for arm, own in runs.items() if own}
    summary = {
        "settings": to_json(shared),
        "arms": arms,
        "differences": differences(arms),
        "failures": failures,
        "seconds": time.perf_counter() - began,
    }
    with on_disk(folder):
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    if arms:
        tell(summary, runs, folder, console)
    console.print(f"the runs lie in {folder}", highlight=False, soft_wrap=True)
    return 1 if failures else 0


def open_folder(command: Command) -> Path:
    """The demo's folder, made if it is new."""
    if command.resume is not None:
        if command.out is not None:
            raise UserError("--resume continues in its own folder; leave out --out")
        if not command.resume.is_dir():
            raise UserError(f"no demo at {command.resume}")
        if any(command.resume.iterdir()) and not any(command.resume.glob("*-seed*")):
            raise UserError(
                f"no demo at {command.resume}: it holds something else than folders like "
                f"{OURS}-seed0; a single run goes on with eva train --resume"
            )
        return command.resume
    folder = command.out or Path("runs", f"demo-{time.strftime('%Y%m%d-%H%M%S')}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: continue it with --resume {folder}")
    with on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def plan(seeds: int, shared: Settings, folder: Path) -> list[Job]:
    """All runs, seed by seed, so that arms advance together."""
    jobs = []
    for seed in range(seeds):
        for arm, creator in ARMS.items():
            settings = replace(shared, creator=creator, seed=seed)
            jobs.append(Job(arm, seed, settings, folder / f"{arm}-seed{seed}"))
    for job in jobs:
        if job.started and Run.open(job.folder).settings(Settings) != job.settings:
            raise UserError(f"{job.folder} has other settings; start a demo of its own")
    return jobs


def play_job(job: Job) -> Iterator[dict[str, Any]]:
    """Start or continue a job's run; its rows."""
    if job.started:
        run = Run.open(job.folder)
    else:
        run = Run.create(job.folder, describe(job.settings, ["demo"]))
    yield from train(run, job.settings)


def play(jobs: list[Job], workers: int, console: Console) -> dict[str, str]:
    """Play the jobs that are not finished; the tracebacks of those that failed."""
    failures = {}
    with Board(list(ARMS), sum(job.settings.rounds for job in jobs), console) as board:
        for job in jobs:
            if job.finished:
                board.update(job.arm, job.seed, last_row(job))
        waiting = [job for job in jobs if not job.finished]
        for job, row, failure in run_jobs(play_job, waiting, workers):
            if row is not None:
                board.update(job.arm, job.seed, row)
            elif failure is not None:
                failures[job.folder.name] = failure
                reason = failure.strip().splitlines()[-1]
                board.note(f"{job.folder.name} failed, the others go on: {reason}")
    return failures


def last_row(job: Job) -> dict[str, Any]:
    """The last row of a finished run, as ``train`` had yielded it."""
    run, last = Run(job.folder), job.settings.rounds
    judged = [row for row in run.rows("evaluations") if row["round"] == last]
    return run.rows("rounds")[-1] | {"evaluations": {row["suite"]: row for row in judged}}


def differences(arms: Mapping[str, Any]) -> dict[str, Any]:
    """Eva minus each other arm, paired by seed, all intervals holding at once."""
    if OURS not in arms:
        return {}
    others = [arm for arm in arms if arm != OURS]
    return {arm: verdict.difference(arms[OURS], arms[arm], len(others)) for arm in others}


def tell(
    summary: Mapping[str, Any],
    runs: Mapping[str, Mapping[int, Run]],
    folder: Path,
    console: Console,
) -> None:
    """The table, the verdicts, three transcripts and the figure."""
    console.print(verdict.table(summary["arms"]))
    for other, result in summary["differences"].items():
        if result["seeds"]:
            console.print(verdict.verdict(OURS, other, result), highlight=False)
    console.print(
        f"More seeds narrow the intervals: eva demo --resume {folder} --seeds 10",
        highlight=False,
        soft_wrap=True,
    )
    for run in list(runs[OURS].values())[:1]:
        for row in verdict.transcripts(run):
            console.print(row, highlight=False, markup=False)
    curves.draw(summary["arms"], folder)
