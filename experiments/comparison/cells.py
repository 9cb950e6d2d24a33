"""A cell: one arm with one seed, an ordinary run whose folder holds two files more.

- ``final.jsonl``: the distribution that its creator proposes for the round after the last,
  so that nobody has been trained on it, and how often each prompt was drawn from it
- ``crossplay.jsonl``: the answers to what the creators of all arms have so proposed
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.base import Solver
from agents.evaluate import sample_responses
from agents.policies.base import Policy
from eva_env.distributions import draw_iid, softmax
from eva_env.types import Proposal
from eva_env.world import World
from experiments.run.config import describe
from experiments.run.errors import UserError
from experiments.run.evaluation import SEED
from experiments.run.match import Match
from experiments.run.records import Run
from experiments.run.rows import plain
from experiments.run.settings import Settings
from experiments.run.train import judge_of, restore, train

Row = dict[str, Any]

ASKED = 128
"""Prompts drawn from a creator's last proposal."""

DRAW = 1
"""Stream of the last proposal and the draws from it, beside those of a run's seed."""


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
        """Whether its last round has been judged, and its creator asked once more."""
        return is_finished(self.folder)

    def play(self) -> Iterator[Row]:
        """Start or continue the run; the rows that ``train`` yields."""
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

    def stopped(self, run: Run) -> bool:
        """Whether an alarm has ended it: ``train`` would go on past that."""
        last = max(run.checkpoints, default=0)
        rang = {row["alarm"]: row for row in run.rows("alarms") if row["round"] == last}
        return self.settings.alarms.stops(rang)

    def check(self) -> None:
        """Raise UserError for a finished cell of which something is gone or torn."""
        run, suites = Run(self.folder), sizes(self.settings.task)
        last = max(run.checkpoints, default=0)
        rounds = [row["round"] for row in run.rows("rounds")]
        judged = {row["suite"] for row in run.rows("evaluations") if row["round"] == last}
        whole = {
            "checkpoints": last > 0,
            "rounds.jsonl": rounds == [*range(1, last + 1)],
            "evaluations.jsonl": judged == set(suites),
            "answers.jsonl": answered(run) == suites,
            "final.jsonl": sum(row["drawn"] for row in run.rows("final")) == ASKED,
        }
        for file, good in whole.items():
            if not good:
                raise damaged(self.folder, file)


@dataclass(frozen=True)
class Start:
    """The starting model's answers, in a folder beside those of the arms."""

    arm: str
    seed: int
    settings: Settings
    folder: Path

    @property
    def finished(self) -> bool:
        """Whether it has answered."""
        return (self.folder / "answers.jsonl").exists()

    def check(self) -> None:
        """Raise UserError if answers are missing."""
        if answered(Run(self.folder)) != sizes(self.settings.task):
            raise damaged(self.folder, "answers.jsonl")

    def play(self) -> Iterator[Row]:
        """Answer, and write it down; one row that says how many prompts."""
        rows = judge_of(self.settings, Match.open(self.settings)).answers()
        Run(self.folder).write("answers", rows)
        yield {"answered": len(rows)}


def place(comparison: Path, player: str, seed: int) -> Path:
    """The folder of a player's cell, the starting model's too."""
    return comparison / "cells" / player / f"seed-{seed:04d}"


def is_finished(cell: Path) -> bool:
    """Whether an arm's cell has been played to the end; its last file says so."""
    return (cell / "final.jsonl").exists()


def sizes(task: World) -> dict[str, int]:
    """Prompts of each suite of a task."""
    return {name: len(prompts) for name, prompts in task.suites.items()}


def answered(run: Run) -> dict[str, int]:
    """Prompts of each suite that a run holds answers to."""
    return dict(Counter(row["suite"] for row in run.rows("answers")))


def damaged(folder: Path, file: str) -> UserError:
    """What to say of a finished cell that is not whole."""
    return UserError(f"{folder} is damaged ({file}): delete it and resume, to play it again")


def final_proposal(match: Match, settings: Settings) -> list[Row]:
    """Rows of final.jsonl."""
    task: Any = settings.task
    rng = np.random.default_rng([settings.seed, DRAW])
    proposal: Proposal = match.creator.propose(task, match.env.unwrapped.proposals, rng)
    rows: dict[Any, Row] = {}
    nothing = [None] * len(proposal.prompts)
    slots = zip(
        proposal.prompts,
        softmax(np.asarray(proposal.logits, dtype=np.float64)).tolist(),
        proposal.parents or nothing,
        proposal.operators or nothing,
        strict=True,
    )
    for prompt, probability, parent, operator in slots:
        if task.valid(prompt):
            row = {"prompt": plain(prompt), "probability": 0.0, "drawn": 0}
            row |= {"parent": plain(parent), "operator": operator}
            rows.setdefault(row["prompt"], row)["probability"] += probability
    if not rows:
        raise ValueError("no prompt of the creator's last proposal is valid")
    found = list(rows.values())
    law = np.array([row["probability"] for row in found])
    law /= law.sum()
    drawn = np.bincount(draw_iid(law, rng.random(ASKED)), minlength=len(found))
    for row, probability, count in zip(found, law.tolist(), drawn.tolist(), strict=True):
        row |= {"probability": probability, "drawn": count}
    return found


@dataclass(frozen=True)
class Crossing:
    """A player against the final prompts of all creators of its seed."""

    arm: str
    seed: int
    settings: Settings
    folder: Path
    creators: Mapping[str, Path]
    """The folders of the cells whose final prompts are to be answered, by arm."""

    @property
    def finished(self) -> bool:
        """Whether it has answered the final prompts of just these creators."""
        path = self.folder / "crossplay.jsonl"
        known = [row["creator"] for row in Run(self.folder).rows("crossplay")]
        return path.exists() and known == list(self.creators)

    def play(self) -> Iterator[Row]:
        """Answer, and write it down; one row that says how many prompts."""
        match, run = Match.open(self.settings), Run(self.folder)
        if run.checkpoints:  # the start has none
            match.load_state_dict(run.load(run.checkpoints[-1]))
        task, n = self.settings.task, self.settings.evaluation_samples
        player = match.solver if run.checkpoints else match.solver.policy
        rows = []
        for arm, folder in self.creators.items():
            drawn = [row for row in Run(folder).rows("final") if row["drawn"]]
            rows.append({"creator": arm, **regrets(player, task, drawn, n)})
        run.write("crossplay", rows)
        yield {"answered": sum(len(row["prompts"]) for row in rows)}


def regrets(player: Solver | Policy, task: World, drawn: Sequence[Row], n: int) -> Row:
    """A player's true regret on prompts that were drawn, repeats in proportion."""
    gold: Any = task.gold_reward()
    prompts = [row["prompt"] for row in drawn]
    rewards = np.asarray(gold(prompts, sample_responses(player, prompts, n, SEED)))
    regret = gold.best(prompts) - rewards.mean(-1)
    times = np.array([row["drawn"] for row in drawn])
    return {"prompts": prompts, "drawn": times.tolist(), "regret": regret.tolist()}
