"""``eva play``: a person takes the seat of creator, solver or judge at the terminal."""

import argparse
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agents.base import Creator
from agents.creators import Eva, Fresh
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from agents.solvers import Fixed, Method
from eva_env.plain_text import say
from eva_env.require import require
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.commands.options import Arguments, option, parse, read_policy
from experiments.human_play.creator import CreatorSession
from experiments.human_play.session import PlayerSession
from experiments.human_play.solver import SolverSession
from experiments.human_play.terminal import Terminal
from experiments.run.checkpoints import checkpoint_folder, settings_of
from experiments.run.config import describe
from experiments.run.errors import UserError
from experiments.run.match import Match
from experiments.run.named_code import NamedCode, ReadsRecords
from experiments.run.records import Run
from experiments.run.settings import Settings, remarks, sampling_of
from experiments.run.setup import load_checkpoint
from experiments.run.specifications import read

USAGE = """\
usage: eva play --as creator|solver|judge [OPTIONS]

Take a seat in the terminal, in the same game that models play.

  --as creator       type prompts, see how a model responds and its regret
  --as solver        respond to the prompts of a creator, who learns from you
  --as judge FOLDER  choose the better of two responses, blind: from two arms of
                     a comparison, or from the end and the start of a run

  eva play --as creator --checkpoint runs/mine   against the model of a run
  eva play --as creator solver:dpo               it learns from your prompts
  eva play --as solver creator:eva
  eva play --as judge runs/comparison

In every seat ? explains, and Ctrl-D or quit leaves. Rounds are recorded as in
any run, votes in votes.jsonl of the folder.

eva play --as SEAT --help lists the options of a seat."""


@dataclass(frozen=True)
class Table(ReadsRecords):
    """The options that both players' seats have in common."""

    task: World = field(default_factory=Wordlist)
    """The world of the game."""
    policy: Any = None
    """Your own policy, as the model's."""
    reward_model: Any = None
    """Your own reward model, which pays in the place of the world's."""
    checkpoint: str | None = None
    """The model: a run folder (its last checkpoint), one of its checkpoints, any Hugging Face
    folder of a causal LM, or "wordlist". None: the world's starting policy."""
    reward: str = "gold"
    """The reward that is paid: gold, proxy, or another one of eva list rewards; the judge's is
    shown as well."""
    judge: str | None = None
    """The reward that decides, shown next to what is paid. None: the world's gold."""
    rounds: int = 5
    """Rounds to play."""
    prompts: int = 2
    """Prompts drawn per round."""
    samples: int = 4
    """Responses to each prompt."""
    sampling: Sampling = field(default_factory=Sampling)
    """Sampling of a language model's responses; by default that of the checkpoint's run, or the
    world's."""
    rewriter: str | None = None
    """The language model that rewrites prompts of a world without operators: solver, or the
    folder of another one."""
    device: str = "cpu"
    """Where language models compute: cpu, cuda, cuda:1 or mps."""
    seed: int = 0
    """Seed of the game and of the model."""
    out: Path | None = None
    """Folder of the record, new or empty. None: runs/play-TIME."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "rounds", "prompts")
        require(self, "[2, inf)", "samples")
        require(self, "[0, inf]", "seed")

    def settings(self, **players: Any) -> Settings:
        """Return the settings of the match; ``players`` holds creator and solver."""
        return Settings.suited(
            self.task,
            policy=self.starting_policy(),
            reward=self.reward,
            judge=self.judge,
            rounds=self.rounds,
            prompts=self.prompts,
            samples=self.samples,
            sampling=self.sampling,
            rewriter=self.rewriter,
            device=self.device,
            seed=self.seed,
            reward_model=self.reward_model,
            **players,
        )

    def starting_policy(self) -> Any:
        """Return the policy of the checkpoint, or the one of ``policy:``."""
        if self.checkpoint is None:
            return self.policy
        folder = checkpoint_folder(self.checkpoint)
        if isinstance(self.policy, Pretrained):
            return self.policy.saved_in(folder)
        if self.policy is None or isinstance(self.policy, str):
            return str(Path(folder).resolve() if Path(folder).is_dir() else folder)
        return load_checkpoint(self.task, folder, self.policy)


@dataclass(frozen=True)
class Creating(Table):
    """Type prompts, see how a model responds and its regret."""

    solver: Method = field(default_factory=Fixed)
    """The method by which the model learns from your prompts; fixed does not learn."""
    prompts: int = 3
    """Prompts drawn per round, and the most that you may type; fewer are drawn repeatedly."""
    signal: str | None = None
    """Your payoff: regret, or the name of a signal. None: true regret where the reward model
    knows the best response, as gold does, otherwise its estimate a_star_avg."""


@dataclass(frozen=True)
class Solving(Table):
    """Respond to the prompts of a creator, which learns from your rewards."""

    creator: Creator = field(default_factory=Eva)
    """The creator, who makes the prompts."""
    samples: int = 2
    """Responses to each prompt, at least 2; an empty line repeats the last one."""


def main(args: list[str]) -> int:
    """Run the command and return the exit status."""
    seat, options = seated(args)
    if seat == "judge":
        from experiments.human_play.judge import Judging, judge

        return judge(parse(Judging(), options, "play --as judge"), Terminal())
    return sit(seat, options, Terminal())


def seated(args: list[str]) -> tuple[str, list[str]]:
    """Return the seat of ``--as``, and the other arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--as", dest="seat", nargs="?")
    typed, rest = parser.parse_known_args(args)
    if typed.seat in ("creator", "solver", "judge"):
        return typed.seat, rest
    if typed.seat is None and {"-h", "--help"} & {*rest}:
        say(USAGE)
        raise SystemExit(0)
    got = f", got --as {typed.seat}" if typed.seat else ""
    raise UserError(f"take a seat: --as creator, --as solver or --as judge FOLDER{got}")


def sit(seat: str, args: list[str], terminal: Terminal) -> int:
    """Play in the seat of a player, then print the folder of the record."""
    session, folder = open_session(seat, args, terminal)
    settings = session.settings
    config = describe(settings, ["play", "--as", seat, *args]) | {"seat": seat}
    # The folder is made last, so that refused settings leave none.
    run = Run.create(folder or Path("runs", f"play-{time.strftime('%Y%m%d-%H%M%S')}"), config)
    terminal.say(f"{session.welcome} ? explains, Ctrl-D or quit leaves.")
    for note in remarks(settings) if seat == "solver" else []:
        terminal.say(note, "yellow")
    stopped = session.play(run)
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
    """Return the options of a player's seat, with its parts."""
    opponent = "solver" if seat == "creator" else "creator"
    arguments = Arguments.of(args, (opponent, "task", "policy", "reward_model"))
    table: Any = Creating() if seat == "creator" else Solving()
    checkpoint = option(arguments.rest, "--checkpoint")
    code = NamedCode.of(["play", "--as", seat, *args])
    recorded = settings_of(checkpoint, code) if checkpoint else None
    if recorded is not None:
        shared = ("task", "policy", "reward", "judge", "sampling", "rewriter", "device")
        table = replace(table, **{name: getattr(recorded, name) for name in shared})
    if "task" in arguments.parts:
        world = arguments.world({})
        table = replace(table, task=world, sampling=sampling_of(world))
    for role, spec in arguments.parts.items():
        if role == "policy":
            table = replace(table, policy=read_policy(spec))
        elif role != "task":
            table = replace(table, **{role: read(role, spec, table.task)})
    return parse(table, arguments.rest, f"play --as {seat}")


def open_session(
    seat: str, args: list[str], terminal: Terminal
) -> tuple[PlayerSession, Path | None]:
    """Return the person's session at an opened match, and the folder of the record."""
    table = seat_options(seat, args)
    if seat == "creator":
        # The record names the creator with which the person is compared.
        players = {"creator": Fresh(), "solver": table.solver, "signal": table.signal}
        session = CreatorSession
    else:
        if table.creator.needs_logprobs:
            name = type(table.creator).__name__
            raise UserError(f"{name} reads log-probabilities, and a person has none")
        players = {"creator": table.creator, "solver": Fixed()}
        session = SolverSession
    settings = table.settings(**players)
    terminal.say("the model takes its seat ...", "dim")
    match = Match.open(settings)
    try:
        return session(match, settings, terminal), table.out
    except ValueError as error:
        raise UserError(str(error)) from error
