"""Ratings of players by people's votes, alone and together with the games of the gold judge."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eva_env.statistics.ratings import bradley_terry, elo_scale
from eva_env.types import Floats
from experiments.human_play.answer_pairs import recorded_answers
from experiments.human_play.votes import (
    Vote,
    agreement,
    read_votes,
    resampled,
    win_matrix,
)
from experiments.run.records import Run

PRIOR = 0.5
"""Wins of every player over every other, added so that few votes give no extreme rating."""

DRAWS = 1000
"""Bootstrap samples of the votes, for the intervals of ratings."""

Standing = dict[str, Any]


def standings(
    votes: Sequence[Vote], players: Sequence[str], gold: Floats, seed: int = 0
) -> dict[str, Standing]:
    """Return by player, the best first: votes, wins, Elo by votes, and Elo with gold's games.

    The rating by votes has a 95 % percentile interval over bootstrap samples of the votes.
    """
    wins = win_matrix(votes, players)
    elo_by_votes = elo_scale(bradley_terry(wins, prior=PRIOR))
    elo_with_gold = elo_scale(bradley_terry(wins + gold, prior=PRIOR))
    samples = resampled(votes, players, DRAWS, np.random.default_rng(seed))
    low, high = np.quantile(
        elo_scale(bradley_terry(samples, prior=PRIOR)), (0.025, 0.975), axis=0
    )
    return {
        players[int(i)]: {
            "votes": int(wins[i].sum() + wins[:, i].sum()),
            "won": float(wins[i].sum()),
            "elo_by_votes": {
                "mean": float(elo_by_votes[i]), "low": float(low[i]), "high": float(high[i])
            },
            "elo_with_gold": float(elo_with_gold[i]),
        }
        for i in np.argsort(-elo_by_votes, kind="stable")
    }  # fmt: skip


def vote_summary(folder: Path) -> dict[str, Any] | None:
    """Return the standings by people's votes on a comparison; None without votes."""
    votes = read_votes(Run(folder))
    if not votes:
        return None
    answers = recorded_answers(folder, None)
    agree, decided = agreement(votes)
    return {
        "players": standings(votes, answers.players, answers.gold_wins()),
        "votes": len(votes),
        "agree": agree,
        "decided": decided,
    }


def agreement_sentence(votes: Mapping[str, Any] | None) -> str:
    """Return how often the votes agree with the gold judge, as a sentence; "" without votes."""
    if not votes:
        return ""
    return (
        f"{votes['votes']} votes of people agree with the gold judge in {votes['agree']} of "
        f"the {votes['decided']} cases in which both have a preference."
    )
