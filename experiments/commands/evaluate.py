"""``eva evaluate``: judge a checkpoint on a suite or on prompts of the user's own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from agents.evaluate import bootstrap, evaluate
from agents.policies.decoding import Sampling
from eva_env.statistics.win_rates import Answers, wins
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from experiments.cli import parse
from experiments.run.errors import UserError
from experiments.run.evaluation import SEED, scores
from experiments.run.match import Settings
from experiments.run.records import Run
from experiments.run.setup import AnyTask, gold_reward, load_policy


@dataclass(frozen=True)
class Command:
    """Judge a checkpoint by gold reward, and against the model that ships with the task."""

    checkpoint: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="CHECKPOINT")]
    """A run folder (its last checkpoint), one of its checkpoints, any Hugging Face folder of a
    causal LM, or "wordlist", the shipped model."""
    suite: str = "hard"
    """Fixed prompts to judge on: easy, hard, and unseen (wordlist only)."""
    prompts: Path | None = None
    """Judge on the prompts of this file instead, one a line."""
    samples: int = 8
    """Responses to each prompt."""
    sampling: Sampling = field(default_factory=Sampling)
    """How a language model's responses are drawn."""
    seed: int = SEED
    """Seed of the responses and of the bootstrap."""
    json: bool = False
    """Print JSON."""
    task: AnyTask | None = None
    """The world that the prompts belong to. None: that of the run, or else wordlist."""

    def __post_init__(self) -> None:
        for name, least in (("samples", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")


def main(args: list[str]) -> int:
    """The command; returns the exit status."""
    command = parse(Command, args, "evaluate")
    result = report(command)
    if command.json:
        print(json.dumps(result))
        return 0
    table = Table("judged on", "prompts", "gold reward", "pass rate", "win rate (95 %)")
    low, high = result["win_rate_interval"]
    table.add_row(
        result["judged_on"],
        str(result["prompts"]),
        f"{result['gold']:.3f}",
        f"{result['pass_rate']:.3f}",
        f"{result['win_rate']:.3f} ({low:.3f} to {high:.3f})",
    )
    console = Console()
    console.print(table)
    console.print("win rate against the shipped model; bootstrap over prompts", highlight=False)
    return 0


def report(command: Command) -> dict[str, Any]:
    """Gold reward, pass rate, and win rate with its interval, as one row."""
    folder, task = locate(command.checkpoint, command.task)
    policy, start = (load_policy(task, chosen, command.sampling) for chosen in (folder, None))
    prompts = read_prompts(command.prompts, task) if command.prompts else suite(command, task)
    rewards, baseline = (
        evaluate(player, prompts, gold_reward(task), command.samples, command.seed)
        for player in (policy, start)
    )
    return {
        "checkpoint": command.checkpoint,
        "judged_on": str(command.prompts or command.suite),
        "prompts": len(prompts),
        "samples": command.samples,
        **scores(rewards, baseline),
        "win_rate_interval": bootstrap(wins(Answers(rewards), Answers(baseline)), command.seed),
        "start_gold": float(np.mean(baseline)),
    }


def locate(checkpoint: str, task: AnyTask | None) -> tuple[str | Path | None, AnyTask]:
    """The folder that holds the policy, and the task that it belongs to."""
    path = Path(checkpoint)
    for folder, inner in ((path, None), (path.parent.parent, path)):
        if (folder / "rounds.jsonl").is_file():
            run = Run.open(folder)
            rounds = run.checkpoints
            if inner is None and not rounds:
                raise UserError(f"the run {folder} has no checkpoint yet")
            own = run.settings(Settings).task
            return inner or run.checkpoint(rounds[-1]), task or own
    return checkpoint, task or Wordlist()


def suite(command: Command, task: AnyTask) -> Sequence[Any]:
    """The prompts of a fixed suite."""
    if command.suite not in task.suites:
        known = ", ".join(task.suites)
        raise UserError(f"unknown suite {command.suite!r}; suites of the task: {known}")
    return task.suites[command.suite]


def read_prompts(path: Path, task: AnyTask) -> list[Any]:
    """One prompt a line, empty lines left out; all must be prompts that can be judged."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read prompts from {path}: {error}") from error
    prompts = [
        read_prompt(line.strip(), task, f"{path}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not prompts:
        raise UserError(f"{path} holds no prompts; write one a line")
    return prompts


def read_prompt(text: str, task: AnyTask, where: str) -> Any:
    """A prompt of the task; prompts that a suite reserves may be judged as well."""
    prompt: Any = text
    if isinstance(task, TabularWorld):
        prompt = int(text) if text.isdecimal() else None
        known = prompt is not None and prompt < task.size
        remedy = f"prompts are integers in 0 ... {task.size - 1}"
    else:
        known = task.valid(text) or any(text in prompts for prompts in task.suites.values())
        remedy = "write one like 'List three animals, without the letter e.'"
    if not known:
        raise UserError(f"{where}: {text!r} is not a prompt of {type(task).__name__}; {remedy}")
    return prompt
