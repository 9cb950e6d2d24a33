"""A cell is one arm with one seed: a run whose folder holds two more files.

- ``final.jsonl``: the distribution that its creator proposes for the round after the last, so
  that no solver has trained on it, and how often each prompt was drawn from it
- ``crossplay.jsonl``: the cell's true regret on the final prompts of every arm's creator
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.base import Solver
from agents.evaluate import evaluate
from agents.policies.base import Policy
from eva_env.boundary import NO_LIMITS, Limits
from eva_env.distributions import draw_iid, softmax
from eva_env.missing import prompt_means
from eva_env.payoffs import best_rewards
from eva_env.types import KnowsBest, Proposal, RewardModel, offers
from eva_env.world import World
from experiments.run.config import describe
from experiments.run.errors import UserError
from experiments.run.evaluation import SEED
from experiments.run.lock import locked
from experiments.run.match import Match
from experiments.run.records import Run
from experiments.run.rows import numbers, plain
from experiments.run.settings import Settings
from experiments.run.train import AFTER_PLAY, evaluator_of, judging, load, restore, train

Row = dict[str, Any]

DRAWN_PROMPTS = 128
"""Prompts drawn from a creator's last proposal."""

WAIT = 10.0
"""Seconds to wait for a worker of an earlier process, which ends when that process has."""

DRAW = 1
"""Stream, under the run's seed, of the last proposal and of the draws from it."""


@dataclass(frozen=True)
class Cell:
    """A run that a comparison needs."""

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
        """Whether its last round is evaluated and its creator's last proposal recorded."""
        return is_finished(self.folder)

    def play(self) -> Iterator[Row]:
        """Start or continue the run, and yield the rows of ``train``."""
        with locked(self.folder, WAIT):
            if self.started:
                run = Run.open(self.folder)
            else:
                run = Run.create(self.folder, describe(self.settings, ["compare"]))
            match = Match.open(self.settings)
            if self.stopped(run):
                restore(run, match)
            else:
                yield from train(run, self.settings, match)
            run.write("final", final_proposal(match, self.settings))
        self.check()

    def stopped(self, run: Run) -> bool:
        """Whether an alarm ended the run; ``train`` would play past it."""
        last = max(run.checkpoints, default=0)
        raised = {row["alarm"]: row for row in run.rows("alarms") if row["round"] == last}
        return self.settings.alarms.stops(raised)

    def check_rows(self) -> None:
        """Raise UserError, with the file and the rows, for a cell that has lost rows."""
        lost = Run(self.folder).missing(remade=AFTER_PLAY)
        if lost:
            raise damaged(self.folder, "rows are lost", lost)

    def check(self) -> None:
        """Raise UserError for a finished cell with a file that is missing or incomplete."""
        run, suites = Run(self.folder), suite_sizes(self.settings.task)
        lost = run.missing(remade=("crossplay",))
        last = max(run.checkpoints, default=0)
        rounds = [row["round"] for row in run.rows("rounds")]
        evaluated = {row["suite"] for row in run.rows("evaluations") if row["round"] == last}
        complete = {
            "checkpoints": last > 0,
            "rounds.jsonl": rounds == [*range(1, last + 1)],
            "evaluations.jsonl": evaluated == set(suites),
            "answers.jsonl": recorded_sizes(run) == suites,
            "final.jsonl": sum(row["drawn"] for row in run.rows("final")) == DRAWN_PROMPTS,
        }
        for file, is_complete in complete.items():
            if not is_complete:
                raise damaged(self.folder, file, lost)
        if lost:
            raise damaged(self.folder, "rows are lost", lost)


@dataclass(frozen=True)
class Start:
    """The starting policy's responses to the suites, in a folder next to those of the arms."""

    arm: str
    seed: int
    settings: Settings
    folder: Path

    @property
    def finished(self) -> bool:
        """Whether its responses are recorded."""
        return (self.folder / "answers.jsonl").exists()

    def check(self) -> None:
        """Raise UserError if responses are missing."""
        if recorded_sizes(Run(self.folder)) != suite_sizes(self.settings.task):
            raise damaged(self.folder, "answers.jsonl", Run(self.folder).missing())

    def play(self) -> Iterator[Row]:
        """Respond to all suites and record it; yield one row with the number of prompts."""
        rows = evaluator_of(self.settings, Match.open(self.settings)).answers()
        Run(self.folder).write("answers", rows)
        yield {"answered": len(rows)}


def cell_folder(comparison: Path, player: str, seed: int) -> Path:
    """Return the folder of a player's cell, of the starting policy's too."""
    return comparison / "cells" / player / f"seed-{seed:04d}"


def is_finished(cell: Path) -> bool:
    """Whether an arm's cell is finished: its last file exists."""
    return (cell / "final.jsonl").exists()


def suite_sizes(task: World) -> dict[str, int]:
    """Return the number of prompts of each suite of a task."""
    return {name: len(prompts) for name, prompts in task.suites.items()}


def recorded_sizes(run: Run) -> dict[str, int]:
    """Return the number of prompts of each suite that a run has recorded responses to."""
    return dict(Counter(row["suite"] for row in run.rows("answers")))


def damaged(folder: Path, file: str, lost: Sequence[str] = ()) -> UserError:
    """Return the error for a cell with an incomplete file; ``lost`` says which rows."""
    rows = "".join(f"; {sentence}" for sentence in lost)
    return UserError(
        f"{folder} is damaged ({file}): delete it and resume, to play it again{rows}"
    )


def final_proposal(match: Match, settings: Settings) -> list[Row]:
    """Return the rows of final.jsonl: a creator's last proposal, and draws from it.

    Slots with the same prompt become one row. Raises ValueError if no prompt is valid.
    """
    task: Any = match.env.unwrapped.task
    rng = np.random.default_rng([settings.seed, DRAW])
    proposal: Proposal = match.creator.propose(task, match.env.unwrapped.proposals, rng)
    by_prompt: dict[Any, Row] = {}
    missing = [None] * len(proposal.prompts)
    slots = zip(
        proposal.prompts,
        softmax(np.asarray(proposal.logits, dtype=np.float64)).tolist(),
        proposal.parents or missing,
        proposal.operators or missing,
        strict=True,
    )
    # 1. Sum the probabilities of equal prompts; invalid prompts are dropped.
    for prompt, probability, parent, operator in slots:
        if task.valid(prompt):
            row = {"prompt": plain(prompt), "probability": 0.0, "drawn": 0}
            row |= {"parent": plain(parent), "operator": operator}
            by_prompt.setdefault(row["prompt"], row)["probability"] += probability
    if not by_prompt:
        raise ValueError("no prompt of the creator's last proposal is valid")
    # 2. Normalise over the valid prompts, and draw.
    rows = list(by_prompt.values())
    probabilities = np.array([row["probability"] for row in rows])
    probabilities /= probabilities.sum()
    draws = draw_iid(probabilities, rng.random(DRAWN_PROMPTS))
    drawn = np.bincount(draws, minlength=len(rows))
    for row, probability, count in zip(
        rows, probabilities.tolist(), drawn.tolist(), strict=True
    ):
        row |= {"probability": probability, "drawn": count}
    return rows


@dataclass(frozen=True)
class Crossing:
    """A player's cross-play: its regret on the final prompts of all creators of its seed."""

    arm: str
    seed: int
    settings: Settings
    folder: Path
    creators: Mapping[str, Path]
    """The folders of the cells whose final prompts it responds to, by arm."""

    @property
    def finished(self) -> bool:
        """Whether exactly these creators' final prompts are recorded."""
        path = self.folder / "crossplay.jsonl"
        recorded = [row["creator"] for row in Run(self.folder).rows("crossplay")]
        return path.exists() and recorded == list(self.creators)

    def play(self) -> Iterator[Row]:
        """Respond and record the regret; yield one row with the number of prompts."""
        match, run = Match.open(self.settings), Run(self.folder)
        judge = judging(self.settings, match)
        if run.checkpoints:  # the starting policy has none
            load(run, run.checkpoints[-1], match)
        n = self.settings.evaluation_samples
        player = match.solver if run.checkpoints else match.solver.policy
        rows = []
        for arm, folder in self.creators.items():
            drawn = [row for row in Run(folder).rows("final") if row["drawn"]]
            measured = regrets(player, judge, drawn, n, self.settings.limits)
            rows.append({"creator": arm, **measured})
        run.write("crossplay", rows)
        yield {"answered": sum(len(row["prompts"]) for row in rows)}


def regrets(
    player: Solver | Policy,
    judge: RewardModel,
    drawn: Sequence[Row],
    n: int,
    limits: Limits = NO_LIMITS,
) -> Row:
    """Return a player's true regret on each drawn prompt, from n responses.

    Where the judge does not know the best response, it is the regret estimate A*_avg, which
    takes the best of the n responses in its place. None where no response has a reward.
    """
    prompts = [row["prompt"] for row in drawn]
    rewards = evaluate(player, prompts, judge, n, SEED, limits)
    highest = np.where(np.isnan(rewards), -np.inf, rewards).max(-1)
    best = highest
    if offers(judge, KnowsBest):
        best = best_rewards(judge, prompts, (len(prompts),), limits)
    regret = best - prompt_means(rewards)
    times = [row["drawn"] for row in drawn]
    return {"prompts": prompts, "drawn": times, "regret": numbers(regret)}
