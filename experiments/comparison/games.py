"""The comparison as games: equilibria, ranks and ratings, with how sure they are of them.

A point solution of a measured matrix is mostly luck, so each stands beside the share of
bootstrap draws of seeds and prompts in which the strategy is played, or comes first.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eva_env.solving import bootstrap, ratings
from eva_env.solving.alpha_rank import alpha_rank
from eva_env.solving.averaging import log_odds, nash_averaging
from eva_env.solving.replicator import trajectory
from eva_env.solving.zero_sum import nash, nash_conv
from eva_env.types import Floats
from experiments.comparison.figures import drawn_figure, known

PLAYED = 1e-6
"""A strategy of more probability is in the support."""

ALPHA = 10.0
"""Intensity of selection of alpha-Rank, per win rate; at .1 it is nearly flat."""

HORIZON = 1000.0
"""Time at which replicator dynamics are read off, where a win rate of 1 grows by e a unit."""

PRIOR = 1e-3
"""Wins of everyone over everyone that Bradley-Terry adds: who wins always stays finite."""

Named = dict[str, Any]


def crossplay_game(
    regret: Floats, rows: Sequence[str], columns: Sequence[str], draws: int,
    rng: np.random.Generator,
) -> Named:  # fmt: skip
    """The zero-sum game of creators' prompts (R) against solvers (C), by regret (S, R, C, Q).

    ``nash_conv`` is by arm, of its creator's prompts against its own solver: a lower bound on
    the NashConv of the pair, since best responses are looked for among those measured only.
    """
    mean = bootstrap.mean(regret)
    found = nash(mean)
    played = [nash(drawn) for drawn in usable(bootstrap.resampled(regret, draws, rng))]
    value = drawn_figure(found.value, np.array([e.value for e in played]), len(regret))
    mixed = {
        "row": _supports(rows, found.row, np.array([e.row for e in played])),
        "column": _supports(columns, found.column, np.array([e.column for e in played])),
    }
    pairs = {}
    for arm in rows:
        row, column = (np.eye(len(of))[of.index(arm)] for of in (list(rows), list(columns)))
        dropped = np.isnan(found.row[rows.index(arm)]) or np.isnan(
            found.column[columns.index(arm)]
        )
        pairs[arm] = None if dropped else nash_conv(mean, row, column)
    return {"value": value, **mixed, "nash_conv": pairs}


def win_rate_game(
    wins: Floats, players: Sequence[str], draws: int, rng: np.random.Generator
) -> Named:
    """Solver against solver, by win rates (S, L, L, P): three ways of saying who is best."""
    mean = bootstrap.mean(wins)
    drawn = usable(bootstrap.resampled(wins, draws, rng))
    average = nash_averaging(log_odds(mean))
    mass = alpha_rank(mean, ALPHA)
    averages = np.array([nash_averaging(log_odds(m)).probabilities for m in drawn])
    masses = np.array([alpha_rank(m, ALPHA) for m in drawn])
    firsts = masses == np.nanmax(masses, axis=1, keepdims=True)
    kept = np.flatnonzero(~np.isnan(average.probabilities))
    even = np.full(len(kept), 1 / len(kept))
    flow = trajectory(mean[np.ix_(kept, kept)], even, [0.0, HORIZON])[-1]
    skills = zip(players, average.skills, strict=True)
    return {
        "nash_averaging": _supports(players, average.probabilities, averages),
        "nash_skill": {name: known(skill) for name, skill in skills},
        "alpha_rank": {
            name: {"mass": known(own), "first": float(first)}
            for name, own, first in zip(players, mass, firsts.mean(0), strict=True)
        },
        "replicator": {
            players[int(i)]: float(share) for i, share in zip(kept, flow, strict=True)
        },
    }


def rate(
    wins: Floats, players: Sequence[str], anchor: str, draws: int, rng: np.random.Generator
) -> Named:
    """Bradley-Terry strengths in nats and on Elo's scale, the anchor at 0 and 1500."""
    at = list(players).index(anchor)
    strengths = ratings.bradley_terry(bootstrap.mean(wins), at, PRIOR)
    drawn = ratings.bradley_terry(bootstrap.resampled(wins, draws, rng), at, PRIOR)
    return {
        name: {
            "bradley_terry": drawn_figure(float(own), by_draw, len(wins)),
            "elo": drawn_figure(
                float(ratings.elo_scale(own)), ratings.elo_scale(by_draw), len(wins)
            ),
        }
        for name, own, by_draw in zip(players, strengths, drawn.T, strict=True)
    }


def usable(drawn: Floats) -> Floats:
    """Drawn matrices (D, R, C) that lack no cell but those that all of them lack."""
    missing = np.isnan(drawn)
    return drawn[~(missing & ~missing.all(0)).any((1, 2))]


def _supports(names: Sequence[str], mixed: Floats, drawn: Floats) -> Named:
    """Probability by strategy, and the share of draws in which it is played."""
    shares = (drawn > PLAYED).mean(0)
    return {
        name: {"probability": known(own), "support": float(share)}
        for name, own, share in zip(names, mixed, shares, strict=True)
    }


def simplex(wins: Floats, players: Sequence[str]) -> Named | None:
    """The three best of the players against each other: a flow that can be drawn."""
    mean = bootstrap.mean(wins)
    known = ~np.isnan(mean).all(1)
    score = np.full(len(mean), -np.inf)
    score[known] = np.nanmean(mean[known], axis=1)
    best = np.argsort(-score, kind="stable")[:3]
    if len(best) < 3 or np.isnan(mean[np.ix_(best, best)]).any():
        return None
    return {"players": [players[i] for i in best], "payoffs": mean[np.ix_(best, best)].tolist()}
