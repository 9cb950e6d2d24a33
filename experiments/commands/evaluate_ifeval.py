"""``eva evaluate CHECKPOINT --suite ifeval``: evaluate by the external benchmark IFEval."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agents.policies.base import Policy
from agents.policies.sampling import Sampling
from eva_env.plain_text import say
from eva_env.require import require
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.commands.options import Arguments, parse, read_policy
from experiments.ifeval import arm_tables, comparison, tables
from experiments.ifeval.evaluation import Plan, evaluate
from experiments.ifeval.official import benchmark
from experiments.run.checkpoints import checkpoint_folder, run_of, settings_of
from experiments.run.errors import UserError
from experiments.run.named_code import NamedCode, ReadsRecords
from experiments.run.records import Run
from experiments.run.screen import PlainConsole
from experiments.run.setup import load_checkpoint, load_policy

SUITE = "ifeval"


@dataclass(frozen=True)
class Command(ReadsRecords):
    """Evaluate a language model by IFEval: 541 prompts whose instructions a program verifies.

    Needs eva fetch ifeval. Responses are kept in the cache, so that the starting policy is
    sampled once, and an interrupted evaluation continues with the same command. A run or a
    comparison gets a file ifeval.json with the result.
    """

    checkpoint: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="CHECKPOINT")] = ""
    """A run folder (its last checkpoint), one of its checkpoints, any Hugging Face folder of a
    causal LM, or a comparison's folder (the last checkpoint of every cell)."""
    suite: str = SUITE
    """ifeval."""
    samples: int = 1
    """Responses to each prompt; a claim of a difference up to 0.03 needs 4."""
    quick: int | None = None
    """Only this many prompts, the same ones every time, spread over all instructions; for a
    look, not for a claim. None: all."""
    sampling: Sampling = field(default_factory=lambda: Sampling(0.7, 0.95, 512))
    """Sampling of the responses. Scores of another decoding or another limit do not compare."""
    device: str = "cpu"
    """Where language models compute: cpu, cuda, cuda:1 or mps."""
    seed: int = 1
    """Seed of the responses and of the bootstrap."""
    json: bool = False
    """Print JSON."""
    task: World = field(default_factory=Wordlist)
    """The world of the run, whose starting policy the checkpoint is compared with."""
    policy: Any = None
    """The starting policy. None: the run's, or the world's; a folder outside of a run is then
    evaluated alone."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "samples", "quick")
        require(self, "[0, inf]", "seed")


def run(arguments: Arguments, args: list[str]) -> int:
    """Run the command and return the exit status; ``args`` are the words of the command."""
    code = NamedCode.of(["evaluate", *args])
    defaults, has_start = begin(arguments, code)
    command = parse(defaults, arguments.rest, f"evaluate --suite {SUITE}")
    if not command.checkpoint:
        raise UserError("give a checkpoint: the folder of a run, a checkpoint or a comparison")
    plan = Plan.of(benchmark(), command.quick, command.samples, command.sampling, command.seed)
    is_comparison = comparison.is_comparison(Path(command.checkpoint))
    evaluated = evaluate_comparison if is_comparison else evaluate_checkpoint
    result, path = evaluated(command, plan, has_start, code)
    if path is not None:
        Run(path.parent).write_json(path.stem, result)
    if command.json:
        say(json.dumps(result))
        return 0
    console = PlainConsole()
    (arm_tables.show if is_comparison else tables.show)(result, console)
    if path is not None:
        console.print(f"Written to {path}.", highlight=False, soft_wrap=True)
    return 0


def begin(arguments: Arguments, code: NamedCode) -> tuple[Command, bool]:
    """Return the command's defaults, and whether there is a starting policy to compare with."""
    parts: dict[str, Any] = {}
    for word in arguments.rest:
        if word.startswith("-") or comparison.is_comparison(Path(word)):
            continue
        settings = settings_of(word, code)
        if settings is not None:
            parts = {name: getattr(settings, name) for name in ("task", "policy", "device")}
    if "reward_model" in arguments.parts:
        raise UserError("IFEval has its own verifiers; leave out reward-model:")
    if "task" in arguments.parts:
        parts["task"] = arguments.world({})
    if "policy" in arguments.parts:
        parts["policy"] = read_policy(arguments.parts["policy"])
    return Command(**parts), bool(parts)


def evaluate_checkpoint(
    command: Command, plan: Plan, has_start: bool, code: NamedCode
) -> tuple[dict[str, Any], Path | None]:
    """Return the result of one checkpoint, and the file that a run keeps it in."""
    folder = checkpoint_folder(command.checkpoint)

    def checkpoint() -> Policy:
        if not has_start or not Path(folder).is_dir():
            return load_policy(command.task, folder, command.sampling, command.device)
        start = copy.deepcopy(command.policy)
        return load_checkpoint(command.task, folder, start, command.sampling, command.device)

    def start() -> Policy:
        policy = copy.deepcopy(command.policy)
        return load_policy(command.task, policy, command.sampling, command.device)

    with progress(plan.steps(2 if has_start else 1)) as advance:
        result = evaluate(plan, checkpoint, start if has_start else None, advance)
    return {"checkpoint": command.checkpoint} | result, result_file(command.checkpoint)


def result_file(checkpoint: str) -> Path | None:
    """Return the file of a run's result; None for a checkpoint that belongs to no run."""
    owner = run_of(checkpoint)
    if owner is None:
        return None
    run, inner = owner
    return run.folder / (f"{SUITE}.json" if inner is None else f"{SUITE}-{inner.name}.json")


def evaluate_comparison(
    command: Command, plan: Plan, has_start: bool, code: NamedCode
) -> tuple[dict[str, Any], Path]:
    """Return the result of all cells of a comparison, and its file."""
    folder = Path(command.checkpoint)
    if has_start:
        raise UserError("a comparison has its own task and policy; leave out task: and policy:")
    setting = comparison.settings_of(folder, code)
    cells = comparison.cells_of(folder, setting)
    with progress(plan.steps(len(cells) + 1)) as advance:
        result = comparison.evaluate(plan, setting, cells, command.device, advance, code)
    return {"comparison": command.checkpoint} | result, folder / f"{SUITE}.json"


@contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar of responses on stderr, and say how to continue after an interruption."""
    console = PlainConsole(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task("responses", total=total)
    try:
        with bar:
            yield lambda number: bar.advance(task, number)
    except KeyboardInterrupt:
        console.print("The same command continues from the last batch of responses.")
        raise
