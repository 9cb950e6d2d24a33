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

ALPHA = 10.0
"""Intensity of selection of alpha-Rank, per win rate; at .1 it is nearly flat."""

HORIZON = 1000.0
"""Time at which replicator dynamics are read off, where a win rate of 1 grows by e a unit."""

PRIOR = 1e-3
"""Wins of everyone over everyone that Bradley-Terry adds: who wins always stays finite."""

ONE_AT_A_TIME: tuple[bootstrap.Drawn, ...] = ("seeds", "prompts")

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
    values = [
        np.array([value(drawn) for drawn in bootstrap.resampled(regret, draws, rng, of)])
        for of in ONE_AT_A_TIME
    ]
    played = bootstrap.support_frequencies(both, bootstrap.resampled(regret, draws, rng))
    pairs = {}
    for arm in rows:
        row, column = (np.array([one == arm for one in of], float) for of in (rows, columns))
        dropped = np.isnan(found.row @ row) or np.isnan(found.column @ column)
        pairs[arm] = None if dropped else nash_conv(mean, row, column)
    return {
        "value": drawn_figure(found.value, (values[0], values[1]), sizes(regret)),
        "row": _supports(rows, found.row, played[: len(rows)]),
        "column": _supports(columns, found.column, played[len(rows) :]),
        "nash_conv": pairs,
    }


def both(matrix: Floats) -> Floats:
    """Equilibrium strategies of rows and columns, (R + C,)."""
    found = nash(matrix)
    return np.r_[found.row, found.column]


def value(matrix: Floats) -> float:
    """Value of a drawn game; NaN if cells are missing, which would make it another game."""
    return float("nan") if np.isnan(matrix).any() else nash(matrix).value


def win_rate_game(
    wins: Floats, players: Sequence[str], draws: int, rng: np.random.Generator
) -> Named:
    """Solver against solver, by win rates (S, L, L, P): three ways of saying who is best."""
    mean = bootstrap.mean(wins)
    drawn = bootstrap.resampled(wins, draws, rng)
    average, mass = nash_averaging(log_odds(mean)), alpha_rank(mean, ALPHA)
    played = bootstrap.support_frequencies(
        lambda m: nash_averaging(log_odds(m)).probabilities, drawn
    )
    firsts = bootstrap.support_frequencies(first, drawn)
    kept = np.flatnonzero(~np.isnan(average.probabilities))
    even = np.full(len(kept), 1 / len(kept))
    flow = trajectory(mean[np.ix_(kept, kept)], even, [0.0, HORIZON])[-1]
    skills = zip(players, average.skills, strict=True)
    return {
        "nash_averaging": _supports(players, average.probabilities, played),
        "nash_skill": {name: known(skill) for name, skill in skills},
        "alpha_rank": {
            name: {"mass": known(own), "first": float(share)}
            for name, own, share in zip(players, mass, firsts, strict=True)
        },
        "replicator": {
            players[int(i)]: float(share) for i, share in zip(kept, flow, strict=True)
        },
    }


def first(matrix: Floats) -> Floats:
    """Whom alpha-Rank gives the most mass, as ones, (L,)."""
    mass = alpha_rank(matrix, ALPHA)
    return (mass == np.nanmax(mass)).astype(np.float64)


def rate(
    wins: Floats, players: Sequence[str], anchor: str, draws: int, rng: np.random.Generator
) -> Named:
    """Bradley-Terry strengths in nats and on Elo's scale, the anchor at 0 and 1500."""
    at = list(players).index(anchor)
    strengths = ratings.bradley_terry(bootstrap.mean(wins), at, PRIOR)
    drawn = [
        ratings.bradley_terry(bootstrap.resampled(wins, draws, rng, of), at, PRIOR)
        for of in ONE_AT_A_TIME
    ]
    found: Named = {}
    for i, name in enumerate(players):
        own, spread = float(strengths[i]), (drawn[0][:, i], drawn[1][:, i])
        elo = ratings.elo_scale(spread[0]), ratings.elo_scale(spread[1])
        found[name] = {
            "bradley_terry": drawn_figure(own, spread, sizes(wins)),
            "elo": drawn_figure(float(ratings.elo_scale(own)), elo, sizes(wins)),
        }
    return found


def sizes(values: Floats) -> tuple[int, int]:
    """Seeds and prompts of scores (S, ..., P)."""
    return values.shape[0], values.shape[-1]


def _supports(names: Sequence[str], mixed: Floats, shares: Floats) -> Named:
    """Probability by strategy, and the share of draws in which it is played."""
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
