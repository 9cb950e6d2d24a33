"""Pairs of responses to show a judge: two players answered the same prompt."""

import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eva_env.statistics.win_rates import PlayerResponses, wins
from eva_env.types import Floats
from experiments.run.disk import refuse_links
from experiments.run.errors import UserError
from experiments.run.records import Run

TRAINED, START = "trained", "start"
"""The two players of a single run: its trained policy and its starting policy."""


class Question(NamedTuple):
    """A prompt of a suite, in the runs of one seed: each seed is its own tabular world."""

    seed: int
    suite: str
    prompt: Any


Rewards = list[float | None]
"""Rewards of a record; None for a response without one."""

Answers = tuple[list[Any], Rewards]
"""A player's responses to a question, with their rewards."""


class AnswerPair(NamedTuple):
    """Responses of players a and b to one question; ``first`` is the player shown first."""

    a: str
    b: str
    question: Question
    responses: tuple[Any, Any]
    rewards: tuple[float | None, float | None]
    first: str

    @property
    def key(self) -> tuple[str, str, Question]:
        """What a judge sees only once: two players and a question."""
        return self.a, self.b, self.question


@dataclass(frozen=True)
class RecordedAnswers:
    """The recorded responses, by player and question: n responses and their n gold rewards."""

    answers: Mapping[str, Mapping[Question, Answers]]

    @property
    def players(self) -> list[str]:
        """Names of the L players, in the order of the matrices."""
        return [*self.answers]

    def shared_questions(self, a: str, b: str) -> list[Question]:
        """Return the questions that both players answered."""
        answered_by_b = self.answers[b]
        return [question for question in self.answers[a] if question in answered_by_b]

    def gold_wins(self) -> Floats:
        """Return wins of row over column (L, L) by gold reward; each question is one game.

        ``eva_env.statistics.win_rates.wins`` splits a game over all pairs of responses.
        """
        matrix = np.zeros((len(self.players), len(self.players)))
        for (i, a), (j, b) in combinations(enumerate(self.players), 2):
            questions = self.shared_questions(a, b)
            if not questions:
                continue
            rewards_a, rewards_b = (  # a missing reward is None in the record
                np.array([self.answers[player][question][1] for question in questions], float)
                for player in (a, b)
            )
            shares = wins(PlayerResponses(rewards_a), PlayerResponses(rewards_b))
            shares = shares[~np.isnan(shares)]
            matrix[i, j], matrix[j, i] = shares.sum(), (1 - shares).sum()
        return matrix

    def pairs(self, a: str, b: str, seed: int) -> Iterator[AnswerPair]:
        """Yield one pair of different responses per question, in an order fixed by the seed.

        A question to which both players gave only the same response is left out.
        """
        questions = self.shared_questions(a, b)
        for k in generator(seed, a, b).permutation(len(questions)):
            question = questions[k]
            rng = generator(seed, a, b, *question)
            responses_a, rewards_a = self.answers[a][question]
            responses_b, rewards_b = self.answers[b][question]
            different = [
                (i, j)
                for i, j in product(range(len(responses_a)), range(len(responses_b)))
                if responses_a[i] != responses_b[j]
            ]
            if different:
                i, j = different[rng.integers(len(different))]
                first = "ab"[rng.integers(2)]
                responses = responses_a[i], responses_b[j]
                rewards = rewards_a[i], rewards_b[j]
                yield AnswerPair(a, b, question, responses, rewards, first)

    def next_pair(
        self, ratings: Floats, votes: Floats, seen: Collection[Any], seed: int
    ) -> AnswerPair | None:
        """Return the pair to show next, or None if the judge has seen all.

        It belongs to the two players about whom one more vote is most informative: the Fisher
        information p (1 - p) of a game at ratings (L,) in nats, divided by 1 + the votes on
        these two so far, from the matrix of wins (L, L).
        """
        p = 1 / (1 + np.exp(ratings[None, :] - ratings[:, None]))
        information = p * (1 - p) / (1 + votes + votes.T)
        matchups = [*combinations(range(len(self.players)), 2)]
        for i, j in sorted(matchups, key=lambda matchup: -information[matchup]):
            for pair in self.pairs(self.players[i], self.players[j], seed):
                if pair.key not in seen:
                    return pair
        return None


def recorded_answers(folder: Path, suite: str | None) -> RecordedAnswers:
    """Read the responses of a comparison's arms, or of a run's trained and starting policy.

    ``suite`` None reads every suite. Raises UserError if the folder has no responses of two
    players, or no such suite.
    """
    refuse_links(folder)
    if (folder / "cells").is_dir():
        rows = _comparison_rows(folder)
    elif (folder / "transcripts.jsonl").is_file():
        rows = _run_rows(folder)
    else:
        raise UserError(
            f"{folder} is neither a comparison nor a run: it has no cells and no transcripts"
        )
    answers: dict[str, dict[Question, Answers]] = {}
    suites: dict[str, None] = {}
    for player, question, responses, rewards in rows:
        suites[question.suite] = None
        if suite in (None, question.suite):
            answers.setdefault(player, {})[question] = responses, rewards
    if suite is not None and suites and suite not in suites:
        raise UserError(f"unknown suite {suite!r}; suites of {folder}: {', '.join(suites)}")
    if len(answers) < 2:
        raise UserError(f"{folder} has no responses of two players yet")
    return RecordedAnswers({player: answers[player] for player in sorted(answers)})


TRANSCRIPT = ("suite", "prompt", "before", "after", "before_rewards", "after_rewards")


def _comparison_rows(folder: Path) -> Iterator[tuple[str, Question, list[Any], Rewards]]:
    for cell in sorted((folder / "cells").glob("*/seed-*")):
        seed = int(cell.name.removeprefix("seed-"))
        for row in Run(cell).rows("answers", keys=("responses",)):
            question = Question(seed, row["suite"], row["prompt"])
            yield cell.parent.name, question, row["responses"], row["rewards"]


def _run_rows(folder: Path) -> Iterator[tuple[str, Question, list[Any], Rewards]]:
    run = Run.open(folder).require_kind("run")
    rows, seed = run.rows("transcripts", keys=TRANSCRIPT), run.config.get("seed")
    if seed is None:
        raise UserError(f"{folder / 'config.json'} has no seed: the file is damaged")
    last_round = max((row["round"] for row in rows), default=0)
    if last_round == 0:
        return
    for row in rows:
        if row["round"] == last_round:
            question = Question(seed, row["suite"], row["prompt"])
            yield TRAINED, question, row["after"], row["after_rewards"]
            yield START, question, row["before"], row["before_rewards"]


def generator(seed: int, *names: Any) -> np.random.Generator:
    """Return a random generator that depends on the seed and the names alone."""
    return np.random.default_rng([seed, zlib.crc32(json.dumps(names).encode())])
