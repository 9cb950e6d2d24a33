"""``eva evaluate``: evaluate a checkpoint on a suite or on the user's prompts."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.table import Table

from agents.evaluate import bootstrap, evaluate
from agents.policies.base import Policy
from agents.policies.sampling import Sampling
from eva_env.missing import mean_reward, missing_share
from eva_env.plain_text import say
from eva_env.prompt_files.data import prompts_in
from eva_env.require import require
from eva_env.statistics.win_rates import PlayerResponses, wins
from eva_env.types import RewardModel
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.commands import evaluate_ifeval
from experiments.commands.options import Arguments, option, parse, read_policy
from experiments.run.checkpoints import checkpoint_folder, settings_of
from experiments.run.errors import UserError
from experiments.run.evaluation import SEED, scores
from experiments.run.judging import (
    Judge,
    judge_of,
    judge_spec,
    judged_by,
    judging_remark,
    pointwise,
    score_name,
)
from experiments.run.named_code import NO_CODE, NamedCode, ReadsRecords
from experiments.run.rewards import reward_of
from experiments.run.screen import PlainConsole
from experiments.run.settings import sampling_of
from experiments.run.setup import load_checkpoint, load_policy, pinned
from experiments.run.specifications import read
from experiments.run.wording import decimal

ROLES = ("task", "policy", "reward_model")

SHOWN = 60
"""Characters of a refused prompt that its error shows."""


@dataclass(frozen=True)
class Command(ReadsRecords):
    """Evaluate a checkpoint by the judge's reward, and against the world's starting policy."""

    checkpoint: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="CHECKPOINT")] = ""
    """A run folder (its last checkpoint), one of its checkpoints, any Hugging Face folder of a
    causal LM, or "wordlist", the shipped model."""
    suite: str | None = None
    """The suite of fixed prompts, such as easy and hard. None: the one that decides, which is
    hard or, without one, the first. ifeval: the external benchmark IFEval, which has other
    options; see eva evaluate --suite ifeval --help."""
    prompts: Path | None = None
    """Evaluate on the prompts of this file or folder instead: a text file with one per line, or
    any file that task:prompts reads."""
    samples: int = 8
    """Responses to each prompt."""
    sampling: Sampling = field(default_factory=Sampling)
    """Sampling of a language model's responses; by default that of the checkpoint's run."""
    device: str = "cpu"
    """Where language models compute: cpu, cuda, cuda:1 or mps."""
    seed: int = SEED
    """Seed of the responses and of the bootstrap."""
    json: bool = False
    """Print JSON."""
    task: World = field(default_factory=Wordlist)
    """The world of the prompts."""
    policy: Any = None
    """The policy that the run started from, which the checkpoint is compared with; a policy of
    your own class also reads the checkpoint. None: the run's, or the world's."""
    reward_model: Any = None
    """Your own reward model, which evaluates in the place of gold."""
    reward: str = "gold"
    """The reward that trains, shown too if it is not the judge's; see eva list rewards. By
    default that of the checkpoint's run."""
    judge: str | None = None
    """The reward that decides, written as --reward. None: that of the checkpoint's run, or the
    world's gold reward; in a world without one, the reward that trains."""

    def __post_init__(self) -> None:
        require(self, "[2, inf)", "samples")
        require(self, "[0, inf]", "seed")


def main(args: list[str]) -> int:
    """Run the command and return the exit status."""
    arguments = Arguments.of(args, ROLES)
    if option(arguments.rest, "--suite") == evaluate_ifeval.SUITE:
        return evaluate_ifeval.run(arguments, args)
    base = begin(arguments, NamedCode.of(["evaluate", *args]))
    command = parse(base, arguments.rest, "evaluate")
    if not command.checkpoint:
        raise UserError("give a checkpoint: a run folder, a checkpoint's folder, or wordlist")
    result = report(command)
    if command.json:
        say(json.dumps(result))
        return 0
    score = score_name(result["judged_by"])
    table = Table("evaluated on", "prompts", score, "pass rate", "win rate (95 %)")
    low, high = result["win_rate_interval"]
    table.add_row(
        result["judged_on"],
        str(result["prompts"]),
        decimal(result["gold"]),
        decimal(result["pass_rate"]) if result["pass_rate"] is not None else "",
        f"{result['win_rate']:.3f} ({low:.3f} to {high:.3f})",
    )
    console = PlainConsole()
    console.print(table)
    remark = judging_remark(result["judged_by"], {"reward": command.reward})
    for line in filter(None, (conclusion(result), remark)):
        console.print(line, highlight=False, soft_wrap=True)
    return 0


def begin(arguments: Arguments, code: NamedCode = NO_CODE) -> Command:
    """Return the command's defaults: the world and policy of the checkpoint's run."""
    parts: dict[str, Any] = {}
    for word in arguments.rest:
        settings = None if word.startswith("-") else settings_of(word, code)
        if settings is not None:
            shared = ("task", "policy", "reward", "judge", "sampling", "device")
            parts = {name: getattr(settings, name) for name in shared}
    if "task" in arguments.parts:
        parts["task"] = arguments.world({})
        parts.setdefault("sampling", sampling_of(parts["task"]))
    if "policy" in arguments.parts:
        parts["policy"] = read_policy(arguments.parts["policy"])
    if "reward_model" in arguments.parts:
        parts["reward_model"] = read("reward_model", arguments.parts["reward_model"])
    return Command(**parts)


def conclusion(result: dict[str, Any]) -> str:
    """Return a sentence that compares the checkpoint with the starting policy."""
    low, high = result["win_rate_interval"]
    suite = result["judged_on"]
    if low > 0.5:
        finding = f"The checkpoint is better than the starting policy on {suite}"
    elif high < 0.5:
        finding = f"The checkpoint is worse than the starting policy on {suite}"
    else:
        finding = (
            f"These prompts cannot distinguish the checkpoint from the starting policy on "
            f"{suite}; more --samples narrow the interval"
        )
    text = (
        f"{finding}. The interval is a bootstrap over prompts; it holds for this one "
        f"checkpoint."
    )
    if "proxy" in result:
        before, after = decimal(result["start_proxy"]), decimal(result["proxy"])
        text += f" The reward that trains went from {before} to {after}."
    if result["rewards_missing"]:
        share = result["rewards_missing"]
        text += f" {share:.0%} of the responses got no reward and are left out."
    return text


def report(command: Command) -> dict[str, Any]:
    """Return the judge's reward, pass rate, and win rate with its interval, as one row."""
    world = command.task
    # 1. The prompts come first, because a mistake there is found before a model is loaded.
    if command.prompts:
        prompts, judged_on = read_prompts(command.prompts, world), str(command.prompts)
    else:
        world = pinned(world)
        judged_on = command.suite or world.deciding
        prompts = suite_of(world, judged_on)
    # 2. The players and the reward.
    policy = checkpoint_policy(command)
    start = load_policy(world, copy.deepcopy(command.policy), command.sampling, command.device)
    judge, proxy = judges(command, start)
    rewards, baseline = (
        evaluate(player, prompts, judge.model, command.samples, command.seed)
        for player in (policy, start)
    )
    by_prompt = wins(PlayerResponses(rewards), PlayerResponses(baseline))
    by_prompt = by_prompt[~np.isnan(by_prompt)]
    if not len(by_prompt):
        raise UserError(
            f"the judge {judge.spec} gave too few rewards to compare the two policies: "
            f"{missing_share(rewards):.0%} of the responses got none"
        )
    result = {
        "checkpoint": command.checkpoint,
        "judged_on": judged_on,
        "judged_by": "reward-model" if command.reward_model else judged_by(command),
        "prompts": len(prompts),
        "samples": command.samples,
        **scores(rewards, baseline, judge.passes),
        "win_rate_interval": bootstrap(by_prompt, command.seed),
        "start_gold": mean_reward(baseline),
    }
    if proxy is not None:
        result["proxy"], result["start_proxy"] = (
            mean_reward(evaluate(player, prompts, proxy, command.samples, command.seed))
            for player in (policy, start)
        )
    return result


def judges(command: Command, start: Policy) -> tuple[Judge, RewardModel | None]:
    """Return the judge, and the reward that trains if it is another one and no part is given.

    A pairwise ranker compares with the starting policy's responses.
    """
    own, proxy = command.reward_model, None
    if own is not None:
        return Judge(own, "reward-model"), None
    judge = judge_of(command, None, command.device, lambda: start)
    if judge_spec(command) != command.reward:
        training = reward_of(command.reward, command.task, command.device, start=lambda: start)
        proxy = pointwise(training, lambda: start, command.samples, command.seed)
    model = pointwise(judge.model, lambda: start, command.samples, command.seed)
    return Judge(model, judge.spec), proxy


def checkpoint_policy(command: Command) -> Policy:
    """Return the policy to evaluate."""
    folder = checkpoint_folder(command.checkpoint)
    if not Path(folder).is_dir():
        return load_policy(command.task, folder, command.sampling, command.device)
    return load_checkpoint(
        command.task, folder, command.policy, command.sampling, command.device
    )


def suite_of(world: World, name: str) -> Sequence[Any]:
    """Return the prompts of a fixed suite; UserError for an unknown name."""
    if name not in world.suites:
        raise UserError(
            f"unknown suite {name!r}; suites of the task: {', '.join(world.suites)}"
        )
    return world.suites[name]


def read_prompts(path: Path, world: World) -> list[Any]:
    """Return the prompts of a file or folder; empty ones are skipped.

    A file whose name has another suffix than those of ``task:prompts`` is read as text, one
    prompt a line. UserError names the line that is not a prompt of the world.
    """
    prompts = []
    try:
        for where, text in prompts_in(path, getattr(world, "column", None)):
            try:
                prompts.append(world.read_prompt(text))
            except ValueError as error:
                shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
                raise UserError(
                    f"{path}, {where}: {shown!r} is not a prompt of {type(world).__name__}; "
                    f"{error}"
                ) from error
    except ValueError as error:
        raise UserError(f"cannot read prompts from {path}: {error}") from error
    if not prompts:
        raise UserError(f"{path} holds no prompts; write one per line")
    return prompts
