"""Votes of people on pairs of responses: rows of votes.jsonl in the folder that was judged.

{"a", "b"                      two players, by name
"seed", "suite", "prompt"     what both answered, in runs of the same seed
"response_a", "response_b"    two responses that differ
"reward_a", "reward_b"        their gold rewards, hidden from the judge
"first": "a" | "b"            whose response was shown first
"winner": "a" | "b" | "tie"
"judge", "time"}              who voted, and when (UTC)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from eva_env.types import Floats
from experiments.run.records import Run

Vote = Mapping[str, Any]

FILE = "votes"

SHARE = {"a": 1.0, "tie": 0.5, "b": 0.0}
"""The share of a win that a vote gives to player a; player b gets the rest."""


def win_matrix(votes: Iterable[Vote], players: Sequence[str]) -> Floats:
    """Return wins of row over column, (L, L): a vote is one win, a tie half a win for each.

    Votes on players other than ``players`` are left out. ``eva_env.statistics.ratings`` fits
    ratings to it; add the matrix of another judge to combine both.
    """
    index = {player: i for i, player in enumerate(players)}
    wins = np.zeros((len(players), len(players)))
    for vote in votes:
        if vote["a"] in index and vote["b"] in index:
            a, b, share = index[vote["a"]], index[vote["b"]], SHARE[vote["winner"]]
            wins[a, b] += share
            wins[b, a] += 1 - share
    return wins


def resampled(
    votes: Sequence[Vote], players: Sequence[str], draws: int, rng: np.random.Generator
) -> Floats:
    """Return ``win_matrix`` of bootstrap samples of the votes: (draws, L, L)."""
    matrices = np.stack([win_matrix([vote], players) for vote in votes])
    counts = rng.multinomial(len(votes), np.full(len(votes), 1 / len(votes)), draws)
    return np.tensordot(counts, matrices, 1)


def agreement(votes: Iterable[Vote]) -> tuple[int, int]:
    """Count the votes for the response of higher gold reward, and the votes that could agree.

    A tie, of the vote or of the rewards, and a response without a reward, neither agrees nor
    disagrees.
    """
    margins = [
        (vote["winner"] == "a", vote["reward_a"] - vote["reward_b"])
        for vote in votes
        if vote["winner"] != "tie"
        and None not in (vote["reward_a"], vote["reward_b"])
        and vote["reward_a"] != vote["reward_b"]
    ]
    return sum(a_won == (margin > 0) for a_won, margin in margins), len(margins)


def first_shown(votes: Iterable[Vote]) -> tuple[int, int]:
    """Count the votes for the response shown first, and the votes that are not ties."""
    decided = [vote for vote in votes if vote["winner"] != "tie"]
    return sum(vote["winner"] == vote["first"] for vote in decided), len(decided)


def read_votes(run: Run) -> list[Vote]:
    """Return all votes on a folder."""
    return [*run.rows(FILE, keys=("reward_a", "reward_b"))]


def remove_last_vote(run: Run, vote: Vote) -> bool:
    """Remove the last vote from the file; return False, unchanged, if it is another vote."""
    with run.locked():
        votes = run.rows(FILE, keys=("reward_a", "reward_b"))
        if votes[-1:] != [vote]:
            return False
        run.write(FILE, votes[:-1])
    return True
