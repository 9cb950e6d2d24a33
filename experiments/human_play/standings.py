"""Players rated by people's votes, alone and together with the games of the gold judge."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eva_env.statistics.ratings import bradley_terry, elo_scale
from eva_env.types import Floats
from experiments.human_play.answer_pairs import exhibits_of
from experiments.human_play.votes import Vote, agreement, given, resampled, win_matrix
from experiments.run.records import Run

PRIOR = 0.5
"""Wins of everyone over everyone that ratings begin with, so that few votes make no giants."""

DRAWS = 1000
"""Of the votes, for the intervals of ratings."""

Standing = dict[str, Any]


def standings(
    votes: Sequence[Vote], players: Sequence[str], gold: Floats, seed: int = 0
) -> dict[str, Standing]:
    """By player, the best first: votes, wins, and Elo by the votes and with gold's games.

    The rating by votes has a 95 % percentile interval over votes drawn anew.
    """
    wins = win_matrix(votes, players)
    own, both = (elo_scale(bradley_terry(won, prior=PRIOR)) for won in (wins, wins + gold))
    drawn = resampled(votes, players, DRAWS, np.random.default_rng(seed))
    low, high = np.quantile(
        elo_scale(bradley_terry(drawn, prior=PRIOR)), (0.025, 0.975), axis=0
    )
    return {
        players[int(i)]: {
            "votes": int(wins[i].sum() + wins[:, i].sum()),
            "won": float(wins[i].sum()),
            "elo_by_votes": {
                "mean": float(own[i]), "low": float(low[i]), "high": float(high[i])
            },
            "elo_with_gold": float(both[i]),
        }
        for i in np.argsort(-own, kind="stable")
    }  # fmt: skip


def voted(folder: Path) -> dict[str, Any] | None:
    """What people's votes on a comparison say; None without any."""
    votes = given(Run(folder))
    if not votes:
        return None
    exhibits = exhibits_of(folder, None)
    agree, decided = agreement(votes)
    return {
        "players": standings(votes, exhibits.players, exhibits.gold_wins()),
        "votes": len(votes),
        "agree": agree,
        "decided": decided,
    }


def agreed(own: Mapping[str, Any] | None) -> str:
    """How far the votes agree with the gold judge, as a sentence; empty without votes."""
    if not own:
        return ""
    return (
        f"{own['votes']} votes of people agree with the gold judge in {own['agree']} of the "
        f"{own['decided']} cases in which both have a preference."
    )
