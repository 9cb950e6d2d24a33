"""What a folder lays before a judge: answers of several players to the same prompts."""

import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eva_env.statistics.win_rates import PlayerResponses, wins
from eva_env.types import Floats
from experiments.run.errors import UserError
from experiments.run.records import Run

TRAINED, START = "trained", "start"
"""The players of a single run."""


class Question(NamedTuple):
    """A prompt, in runs of one seed: on the tabular rung each seed is a world of its own."""

    seed: int
    suite: str
    prompt: Any


class Exhibit(NamedTuple):
    """Two answers to a question; ``first`` says whose stands first on the screen."""

    a: str
    b: str
    question: Question
    responses: tuple[Any, Any]
    rewards: tuple[float, float]
    first: str

    @property
    def key(self) -> tuple[str, str, Question]:
        """What a judge is asked but once."""
        return self.a, self.b, self.question


@dataclass(frozen=True)
class Exhibits:
    """Answers by player and question: n responses, and their n gold rewards."""

    answers: Mapping[str, Mapping[Question, tuple[list[Any], list[float]]]]

    @property
    def players(self) -> list[str]:
        """Names, in the order of the matrices."""
        return [*self.answers]

    def shared(self, a: str, b: str) -> list[Question]:
        """Questions that both have answered."""
        theirs = self.answers[b]
        return [question for question in self.answers[a] if question in theirs]

    def gold_wins(self) -> Floats:
        """Wins of row over column (L, L) by gold reward: each question is a game of one.

        A game is shared out by ``eva_env.statistics.win_rates.wins``, over all pairs of answers.
        """
        matrix = np.zeros((len(self.players), len(self.players)))
        for (i, a), (j, b) in combinations(enumerate(self.players), 2):
            games = self.shared(a, b)
            if games:
                rewards = (
                    np.array([self.answers[player][game][1] for game in games])
                    for player in (a, b)
                )
                won = wins(*map(PlayerResponses, rewards))
                matrix[i, j], matrix[j, i] = won.sum(), (1 - won).sum()
        return matrix

    def between(self, a: str, b: str, seed: int) -> Iterator[Exhibit]:
        """Exhibits of two players, a question each, in an order fixed by the seed.

        Questions that both have answered alike are left out.
        """
        games = self.shared(a, b)
        for k in stream(seed, a, b).permutation(len(games)):
            game = games[k]
            rng = stream(seed, a, b, *game)
            ours, theirs = self.answers[a][game], self.answers[b][game]
            unlike = [
                (x, y)
                for x, one in enumerate(ours[0])
                for y, other in enumerate(theirs[0])
                if one != other
            ]
            if unlike:
                x, y = unlike[rng.integers(len(unlike))]
                first = "ab"[rng.integers(2)]
                responses, rewards = (ours[0][x], theirs[0][y]), (ours[1][x], theirs[1][y])
                yield Exhibit(a, b, game, responses, rewards, first)

    def next(
        self, ratings: Floats, votes: Floats, seen: Collection[Any], seed: int
    ) -> Exhibit | None:
        """The exhibit to show now, None if all have been seen.

        It is between the players of whom one more vote tells most: the Fisher information
        p (1 - p) of a game between such ratings (L,), in nats, over the votes (L, L) so far.
        """
        p = 1 / (1 + np.exp(ratings[None, :] - ratings[:, None]))
        worth = p * (1 - p) / (1 + votes + votes.T)
        pairs = [*combinations(range(len(self.players)), 2)]
        for i, j in sorted(pairs, key=lambda pair: -worth[pair]):
            for exhibit in self.between(self.players[i], self.players[j], seed):
                if exhibit.key not in seen:
                    return exhibit
        return None


def exhibits_of(folder: Path, suite: str | None) -> Exhibits:
    """The answers in a comparison, or of a run's start and end, to a suite or to all."""
    if (folder / "cells").is_dir():
        rows = _comparison(folder)
    elif (folder / "transcripts.jsonl").is_file():
        rows = _run(folder)
    else:
        raise UserError(f"{folder} is neither a comparison nor a run: no cells, no transcripts")
    answers: dict[str, dict[Question, tuple[list[Any], list[float]]]] = {}
    suites: dict[str, None] = {}
    for player, question, responses, rewards in rows:
        suites[question.suite] = None
        if suite in (None, question.suite):
            answers.setdefault(player, {})[question] = responses, rewards
    if suite is not None and suites and suite not in suites:
        raise UserError(f"unknown suite {suite!r}; suites of {folder}: {', '.join(suites)}")
    if len(answers) < 2:
        raise UserError(f"{folder} holds no answers of two players yet")
    return Exhibits({player: answers[player] for player in sorted(answers)})


def _comparison(folder: Path) -> Iterator[tuple[str, Question, list[Any], list[float]]]:
    for cell in sorted((folder / "cells").glob("*/seed-*")):
        seed = int(cell.name.removeprefix("seed-"))
        for row in Run(cell).rows("answers"):
            question = Question(seed, row["suite"], row["prompt"])
            yield cell.parent.name, question, row["responses"], row["rewards"]


def _run(folder: Path) -> Iterator[tuple[str, Question, list[Any], list[float]]]:
    run = Run.open(folder)
    rows, seed = run.rows("transcripts"), run.config["seed"]
    last = max((row["round"] for row in rows), default=0)
    for row in rows if last else ():
        if row["round"] == last:
            question = Question(seed, row["suite"], row["prompt"])
            yield TRAINED, question, row["after"], row["after_rewards"]
            yield START, question, row["before"], row["before_rewards"]


def stream(seed: int, *names: Any) -> np.random.Generator:
    """A generator of its own for each seed and names."""
    return np.random.default_rng([seed, zlib.crc32(json.dumps(names).encode())])
