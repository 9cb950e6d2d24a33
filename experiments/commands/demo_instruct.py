"""``eva demo instruct``: eva on a real language model with exact rewards, before and after."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from agents.creators import Eva
from agents.evaluate import bootstrap
from agents.policies.pretrained import Pretrained
from agents.solvers import DPO
from eva_env.instruct import Instruct
from eva_env.require import require
from experiments.commands import train
from experiments.commands.options import parse
from experiments.commands.transcripts import transcripts
from experiments.fetching.fetch import fetch
from experiments.fetching.resources import INSTRUCT
from experiments.ifeval.collapse import SHORTEST
from experiments.report.page import render, write
from experiments.report.run import page as run_page
from experiments.run.errors import UserError
from experiments.run.evaluation import SEED
from experiments.run.named_code import NamedCode
from experiments.run.records import Run
from experiments.run.screen import PlainConsole
from experiments.run.settings import Settings

SUITE = "hard"


@dataclass(frozen=True)
class Command:
    """Train SmolLM2-135M-Instruct by eva, and show responses before and after.

    The first time the model is downloaded (93 MB). Then ten minutes or so on two cores.
    """

    rounds: int = 4
    """Rounds to play."""
    seed: int = 0
    """Seed of the run."""
    model: str | None = None
    """The folder of another model to start from. None: SmolLM2-135M-Instruct."""
    out: Path | None = None
    """Folder of the run, new or empty. None: runs/demo-instruct-TIME."""
    resume: Path | None = None
    """Continue the demo in this folder, with its settings."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "rounds")
        require(self, "[0, inf]", "seed")


def settings_of(command: Command) -> Settings:
    """Return the settings of the demo: eva as the paper has it, DPO on a LoRA adapter."""
    return Settings.suited(
        Instruct(evaluated=SUITE, suite_size=48),
        creator=Eva(),
        solver=DPO(lr=7e-4, epochs=2, batch_size=4, beta=0.1),
        policy=Pretrained(command.model or "", lora_rank=16),
        rounds=command.rounds,
        prompts=16,
        samples=8,
        evaluate_every=command.rounds,
        seed=command.seed,
    )


def main(args: list[str]) -> int:
    """Run the command; returns the exit status."""
    command = parse(Command(), args, "demo instruct")
    console = PlainConsole()
    if command.resume:
        opened = train.Command(resumed_settings(command), resume=command.resume)
    else:
        if find_spec("peft") is None:
            raise UserError('the package peft is missing; run pip install "eva-env[instruct]"')
        if command.model is None and not INSTRUCT.is_fetched():
            console.print(fetch(INSTRUCT, None, console), highlight=False, soft_wrap=True)
        folder = Path("runs", f"demo-instruct-{time.strftime('%Y%m%d-%H%M%S')}")
        opened = train.Command(settings_of(command), out=command.out or folder)
    try:
        run, match = train.opened(opened, ["demo", "instruct", *args])
    except UserError as error:  # here the policy has another option
        raise UserError(str(error).replace("--policy:", "--model:")) from error
    status = train.play(run, opened.settings, match, "off", "eva demo instruct")
    if status == 0:
        conclude(run, console)
    return status


def resumed_settings(command: Command) -> Settings:
    """Return the settings of the demo in a folder; UserError for others that were typed."""
    folder = command.resume or Path()
    code = NamedCode(command=shlex.join(["eva", "train", "--resume", str(folder)]))
    recorded = Run.open(folder).settings(Settings, code)
    if not isinstance(recorded.task, Instruct):
        raise UserError(
            f"{command.resume} is no demo of task:instruct; continue it with eva train "
            f"--resume {command.resume}"
        )
    if replace(command, resume=None) != Command():
        raise UserError(
            f"{command.resume} keeps its settings, so leave out the other options; for more "
            f"rounds give eva train --resume {command.resume} --rounds N"
        )
    return recorded


def conclude(run: Run, console: Console) -> None:
    """Print some responses before and after training, the finding, and the report."""
    for name in ("answers", "evaluations"):
        if not any(row["suite"] == SUITE for row in run.rows(name)):
            raise UserError(
                f"{run.folder} has no rows of suite {SUITE} in {name}.jsonl: the record is "
                f"damaged; begin a new demo"
            )
    report = run.folder / "report.html"
    write(report, render(run_page(run.folder)))
    lines = [
        *transcripts(run),
        f"\n{finding(run.rows('answers'), run.rows('evaluations'))}",
        f"The report with all figures is {report}",
        "Next: eva compare asks whether it is the creator that helps (docs/instruct.md), and "
        f"eva evaluate {run.folder} --suite ifeval tests it on a public benchmark.",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def finding(answers: Sequence[dict[str, Any]], evaluations: Sequence[dict[str, Any]]) -> str:
    """Return the gold reward on the hard suite before and after, with the interval.

    The interval of the paired difference is a 95 % bootstrap over prompts.
    """
    rows = [row for row in answers if row["suite"] == SUITE]
    before, after = (
        np.array([np.mean(row[name]) for row in rows]) for name in ("start_rewards", "rewards")
    )
    change = after - before
    low, high = bootstrap(change, SEED)
    first, last = evaluations[0], evaluations[-1]
    verb = "went from" if low > 0 or high < 0 else "did not change measurably:"
    text = (
        f"On {len(rows)} hard prompts that no creator saw, the share of responses that meet "
        f"all constraints in sane English {verb} {before.mean():.3f} to {after.mean():.3f} "
        f"({change.mean():+.3f}, {low:+.3f} to {high:+.3f}: 95 %, over the prompts of this one "
        f"run; other seeds differ)."
    )
    if last["length"] < SHORTEST * first["length"]:
        text += (
            f" Responses shrank from {first['length']:.0f} to {last['length']:.0f} words: a "
            f"collapse to short text, not a gain."
        )
    return text
