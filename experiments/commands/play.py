"""``eva play``: a person takes the seat of creator, solver or judge at the terminal."""

import argparse
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agents.base import Creator
from agents.creators import Eva, Fresh
from agents.solvers import Fixed, Method
from eva_env.require import require
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.commands.evaluate import checkpoint_folder, settings_of
from experiments.commands.options import Arguments, option, parse, read_policy
from experiments.human_play.creator import CreatorSession
from experiments.human_play.session import PlayerSession
from experiments.human_play.solver import SolverSession
from experiments.human_play.terminal import Terminal
from experiments.run.config import describe
from experiments.run.errors import UserError
from experiments.run.match import Match
from experiments.run.parts import read
from experiments.run.records import Run
from experiments.run.settings import Settings, remark
from experiments.run.setup import Reward, load_checkpoint

USAGE = """\
usage: eva play --as creator|solver|judge [OPTIONS]

Take a seat in the terminal; the game is the one that models play.

  --as creator       type prompts, see how a model answers and what it regrets
  --as solver        answer the prompts of a creator, who learns from it
  --as judge FOLDER  say which of two answers is better, blind: those of a
                     comparison's arms, or of a run's end and start

  eva play --as creator --checkpoint runs/mine   against what a run has trained
  eva play --as creator solver:dpo               it learns from your prompts
  eva play --as solver creator:eva
  eva play --as judge runs/comparison

In every seat ? explains, and Ctrl-D or quit leaves. Rounds are recorded like
those of a run, votes in votes.jsonl of the folder.

eva play --as SEAT --help lists the options of a seat."""


@dataclass(frozen=True)
class Table:
    """What the seats of both players have in common."""

    task: World = field(default_factory=Wordlist)
    """The world that is played in."""
    policy: Any = None
    """The policy of the model, where it is your own."""
    reward_model: Any = None
    """A reward model of your own, which pays in the place of the world's."""
    checkpoint: str | None = None
    """The model: a run folder (its last checkpoint), one of its checkpoints, any Hugging Face
    folder of a causal LM, or "wordlist". None: the world's starting policy."""
    reward: Reward = "gold"
    """The reward that is paid: gold, or the world's proxy; gold is shown as well."""
    rounds: int = 5
    """Rounds to play."""
    prompts: int = 2
    """Prompts drawn per round."""
    samples: int = 4
    """Responses to each prompt."""
    seed: int = 0
    """Seed of the game and of the model."""
    out: Path | None = None
    """Folder of the record, new or empty. None: runs/play-TIME."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "rounds", "prompts")
        require(self, "[2, inf)", "samples")
        require(self, "[0, inf]", "seed")

    def settings(self, **players: Any) -> Settings:
        """The match that is played; the person's opponent is among ``players``."""
        given = {} if self.reward_model is None else {"reward_model": self.reward_model}
        return Settings.suited(
            self.task,
            policy=self.starting_policy(),
            reward=self.reward,
            rounds=self.rounds,
            prompts=self.prompts,
            samples=self.samples,
            seed=self.seed,
            **given,
            **players,
        )

    def starting_policy(self) -> Any:
        """The policy of the checkpoint, or the one that was named."""
        if self.checkpoint is None:
            return self.policy
        folder = checkpoint_folder(self.checkpoint)
        if self.policy is None or isinstance(self.policy, str):
            return str(Path(folder).resolve() if Path(folder).is_dir() else folder)
        return load_checkpoint(self.task, folder, self.policy)


@dataclass(frozen=True)
class Creating(Table):
    """Type prompts, see how a model responds and how far it falls short."""

    solver: Method = field(default_factory=Fixed)
    """The method by which the model learns from your prompts; fixed: it does not learn."""
    prompts: int = 3
    """Prompts drawn per round, and most that you may type; of fewer, some are drawn again."""
    signal: str | None = None
    """Your payoff: regret, or the name of a signal. None: true regret where the reward model
    knows the best response, as gold does, else a_star_avg, which estimates it."""


@dataclass(frozen=True)
class Solving(Table):
    """Respond to the prompts of a creator, which learns from how you do."""

    creator: Creator = field(default_factory=Eva)
    """Who makes the prompts."""
    samples: int = 2
    """Responses to each prompt, at least 2; an empty line repeats the last one."""


def main(args: list[str]) -> int:
    """Run the command; returns the exit status."""
    seat, options = seated(args)
    if seat == "judge":
        from experiments.human_play.judge import Judging, judge

        return judge(parse(Judging(), options, "play --as judge"), Terminal())
    return sit(seat, options, Terminal())


def seated(args: list[str]) -> tuple[str, list[str]]:
    """The seat that is asked for, and the other arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--as", dest="seat", nargs="?")
    known, rest = parser.parse_known_args(args)
    if known.seat in ("creator", "solver", "judge"):
        return known.seat, rest
    if known.seat is None and {"-h", "--help"} & {*rest}:
        print(USAGE)
        raise SystemExit(0)
    got = f", got --as {known.seat}" if known.seat else ""
    raise UserError(f"take a seat: --as creator, --as solver or --as judge FOLDER{got}")


def sit(seat: str, args: list[str], terminal: Terminal) -> int:
    """Play in the seat of a player, and say where the record lies."""
    chair, folder = taken(seat, args, terminal)
    settings = chair.settings
    config = describe(settings, ["play", "--as", seat, *args]) | {"seat": seat}
    # Last, so that what is refused leaves no folder behind.
    run = Run.create(folder or Path("runs", f"play-{time.strftime('%Y%m%d-%H%M%S')}"), config)
    terminal.say(f"{chair.welcome} ? explains, Ctrl-D or quit leaves.")
    note = remark(settings) if seat == "solver" else None
    if note:
        terminal.say(note, "yellow")
    stopped = chair.play(run)
    played = len(run.rows("rounds"))
    terminal.say()
    terminal.say(
        f"{'stopped' if stopped else 'the end'} after {played} of {settings.rounds} rounds, "
        f"recorded in {run.folder}"
    )
    if run.checkpoints:
        terminal.say(f"what the solver has learned: eva evaluate {run.folder}")
    return 130 if stopped else 0


def seat_options(seat: str, args: list[str]) -> Any:
    """The options of a player's seat, with the parts that were named."""
    own = "solver" if seat == "creator" else "creator"
    arguments = Arguments.of(args, (own, "task", "policy", "reward_model"))
    table: Any = Creating() if seat == "creator" else Solving()
    checkpoint = option(arguments.rest, "--checkpoint")
    recorded = settings_of(checkpoint) if checkpoint else None
    if recorded is not None:
        table = replace(table, task=recorded.task, policy=recorded.policy)
    if "task" in arguments.parts:
        table = replace(table, task=arguments.world({}))
    for role, spec in arguments.parts.items():
        if role == "policy":
            table = replace(table, policy=read_policy(spec))
        elif role != "task":
            table = replace(table, **{role: read(role, spec, table.task)})
    return parse(table, arguments.rest, f"play --as {seat}")


def taken(seat: str, args: list[str], terminal: Terminal) -> tuple[PlayerSession, Path | None]:
    """The seat at a match that has been opened, and the folder of the record."""
    table = seat_options(seat, args)
    if seat == "creator":
        # The creator of the record is who the person is compared with.
        players = {"creator": Fresh(), "solver": table.solver, "signal": table.signal}
        chair = CreatorSession
    else:
        if table.creator.needs_logprobs:
            name = type(table.creator).__name__
            raise UserError(f"{name} reads log-probabilities, and a person has none")
        players = {"creator": table.creator, "solver": Fixed()}
        chair = SolverSession
    settings = table.settings(**players)
    terminal.say("the model takes its seat ...", "dim")
    match = Match.open(settings)
    try:
        return chair(match, settings, terminal), table.out
    except ValueError as error:
        raise UserError(str(error)) from error
