"""Votes of people on pairs of answers: rows of votes.jsonl in the folder that was judged.

{"a", "b"                      two players, by name
"seed", "suite", "prompt"     what both have answered, in runs of the same seed
"response_a", "response_b"    two answers that differ
"reward_a", "reward_b"        their gold rewards, which the judge has not seen
"first": "a" | "b"            whose answer stood first on the screen
"winner": "a" | "b" | "tie"
"judge", "time"}              who voted, and when (UTC)
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from eva_env.types import Floats
from experiments.run.records import Run, on_disk

Vote = Mapping[str, Any]

FILE = "votes"

SHARE = {"a": 1.0, "tie": 0.5, "b": 0.0}
"""What a vote gives to a; the rest is b's."""


def win_matrix(votes: Iterable[Vote], players: Sequence[str]) -> Floats:
    """Wins of row over column, (L, L): a vote is one, a tie half of one for each.

    Votes on others than ``players`` are left out. ``eva_env.statistics.ratings`` rates by it,
    added to the matrix of another judge if that is wanted.
    """
    place = {player: i for i, player in enumerate(players)}
    wins = np.zeros((len(players), len(players)))
    for vote in votes:
        if vote["a"] in place and vote["b"] in place:
            a, b, share = place[vote["a"]], place[vote["b"]], SHARE[vote["winner"]]
            wins[a, b] += share
            wins[b, a] += 1 - share
    return wins


def resampled(
    votes: Sequence[Vote], players: Sequence[str], draws: int, rng: np.random.Generator
) -> Floats:
    """``win_matrix`` of as many votes, drawn anew with replacement: (draws, L, L)."""
    each = np.stack([win_matrix([vote], players) for vote in votes])
    counts = rng.multinomial(len(votes), np.full(len(votes), 1 / len(votes)), draws)
    return np.tensordot(counts, each, 1)


def agreement(votes: Iterable[Vote]) -> tuple[int, int]:
    """How many votes prefer the answer of higher gold reward, of how many that could.

    A tie, of the vote or of the rewards, neither agrees nor disagrees.
    """
    margins = [
        (vote["winner"] == "a", vote["reward_a"] - vote["reward_b"])
        for vote in votes
        if vote["winner"] != "tie" and vote["reward_a"] != vote["reward_b"]
    ]
    return sum(won == (margin > 0) for won, margin in margins), len(margins)


def first_shown(votes: Iterable[Vote]) -> tuple[int, int]:
    """How many votes prefer the answer that stood first, of how many that are no ties."""
    decided = [vote for vote in votes if vote["winner"] != "tie"]
    return sum(vote["winner"] == vote["first"] for vote in decided), len(decided)


def given(run: Run) -> list[Vote]:
    """All votes on a folder."""
    return [*run.rows(FILE)]


def take_back(run: Run, vote: Vote) -> bool:
    """Cut off the last vote; False, and nothing done, if that is another one by now."""
    path = run.folder / f"{FILE}.jsonl"
    line = (json.dumps(vote) + "\n").encode()
    with on_disk(path):
        text = path.read_bytes()
        if not text.endswith(line):
            return False
        os.truncate(path, len(text) - len(line))
    return True
