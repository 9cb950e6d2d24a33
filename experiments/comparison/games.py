"""The comparison as games: equilibria, ranks and ratings, with how sure they are of them.

A point solution of a measured matrix is mostly luck, so each stands beside the share of
bootstrap draws of seeds and prompts in which the strategy is played, or comes first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eva_env.solving.alpha_rank import alpha_rank
from eva_env.solving.averaging import log_odds, nash_averaging
from eva_env.solving.max_entropy import max_entropy_nash
from eva_env.solving.replicator import trajectory
from eva_env.solving.zero_sum import nash, nash_conv
from eva_env.statistics import bootstrap, ratings
from eva_env.types import Floats
from experiments.comparison.figures import Figure, drawn_figure, known

ALPHA = 10.0
"""Intensity of selection of alpha-Rank, per win rate; at .1 it is nearly flat."""

HORIZON = 1000.0
"""Time at which replicator dynamics are read off, where a win rate of 1 grows by e a unit."""

SPREAD_DRAWS = 100
"""Most draws of the seeds, and of the prompts, that intervals of games come from."""

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
    The strategies are those of highest entropy: equals share, none of them is picked.
    """
    found = both(bootstrap.grand_mean(regret))
    played = supports(both, bootstrap.resampled(regret, draws, rng))
    at = [columns.index(arm) for arm in rows]
    value, *pairs = figures(lambda game: value_and_gaps(game, at), regret, draws, rng)
    return {
        "value": value,
        "row": _supports(rows, found[: len(rows)], played[: len(rows)]),
        "column": _supports(columns, found[len(rows) :], played[len(rows) :]),
        "nash_conv": dict(zip(rows, pairs, strict=True)),
    }


def both(matrix: Floats) -> Floats:
    """Equilibrium strategies of rows and columns, (R + C,)."""
    found = max_entropy_nash(matrix)
    return np.r_[found.row, found.column]


def value_and_gaps(matrix: Floats, own: Sequence[int]) -> Floats:
    """Value of a game, and NashConv of each row with its ``own`` column, (1 + R,).

    Both are those of the players without missing cells; NaN for the others.
    """
    found = nash(matrix)
    told = [found.value]
    for i, j in enumerate(own):
        dropped = np.isnan(found.row[i]) or np.isnan(found.column[j])
        row, column = np.eye(matrix.shape[0])[i], np.eye(matrix.shape[1])[j]
        told.append(np.nan if dropped else nash_conv(matrix, row, column))
    return np.array(told)


def win_rate_game(
    wins: Floats, players: Sequence[str], draws: int, rng: np.random.Generator
) -> Named:
    """Solver against solver, by win rates (S, L, L, P): three ways of saying who is best."""
    mean = bootstrap.grand_mean(wins)
    drawn = bootstrap.resampled(wins, draws, rng)
    average, mass = nash_averaging(log_odds(mean)).probabilities, alpha_rank(mean, ALPHA)
    played = supports(lambda m: nash_averaging(log_odds(m)).probabilities, drawn)
    firsts = supports(first, drawn)
    told = figures(skills_and_flow, wins, draws, rng)
    return {
        "nash_averaging": _supports(players, average, played),
        "nash_skill": dict(zip(players, told[: len(players)], strict=True)),
        "alpha_rank": {
            name: {"mass": known(own), "first": known(share)}
            for name, own, share in zip(players, mass, firsts, strict=True)
        },
        "replicator": dict(zip(players, told[len(players) :], strict=True)),
    }


def skills_and_flow(matrix: Floats) -> Floats:
    """Skills against the Nash average, and shares at the end of replicator dynamics, (2 L,)."""
    skills, flow = nash_averaging(log_odds(matrix)).skills, np.full(len(matrix), np.nan)
    kept = np.flatnonzero(~np.isnan(skills))
    even = np.full(len(kept), 1 / len(kept))
    flow[kept] = trajectory(matrix[np.ix_(kept, kept)], even, [0.0, HORIZON])[-1]
    return np.r_[skills, flow]


def first(matrix: Floats) -> Floats:
    """Whom alpha-Rank gives the most mass, as ones, (L,)."""
    mass = alpha_rank(matrix, ALPHA)
    return (mass == np.nanmax(mass)).astype(np.float64)


def figures(
    statistic: Callable[[Floats], Floats], values: Floats, draws: int, rng: np.random.Generator
) -> list[Figure]:
    """What ``statistic`` (K,) says of the mean matrix of scores (S, R, C, P), with intervals.

    A draw that lacks a cell which the mean has is another game, and left out.
    """
    mean = bootstrap.grand_mean(values)
    estimate, spread = statistic(mean), []
    for of in ONE_AT_A_TIME:
        drawn = bootstrap.resampled(values, min(draws, SPREAD_DRAWS), rng, of)
        told = [statistic(game) for game in drawn[bootstrap.whole_draws(drawn)]]
        spread.append(np.array(told).reshape(-1, len(estimate)))
    present = (~np.isnan(values).any(-1)).sum(0)
    sizes = (int(present[present > 0].min()), values.shape[-1])
    return [
        drawn_figure(float(own), (spread[0][:, k], spread[1][:, k]), sizes)
        for k, own in enumerate(estimate)
    ]


def supports(solver: Callable[[Floats], Floats], drawn: Floats) -> Floats:
    """``support_frequencies``; NaN if every draw lacks cells, as with few seeds that failed."""
    if bootstrap.whole_draws(drawn).any():
        return bootstrap.support_frequencies(solver, drawn)
    return np.full(len(solver(np.nanmean(drawn, axis=0))), np.nan)


def rate(
    wins: Floats, players: Sequence[str], anchor: str, draws: int, rng: np.random.Generator
) -> Named:
    """Bradley-Terry strengths in nats and on Elo's scale, the anchor at 0 and 1500."""
    at = list(players).index(anchor)
    strengths = ratings.bradley_terry(bootstrap.grand_mean(wins), at, PRIOR)
    drawn = [
        ratings.bradley_terry(bootstrap.resampled(wins, draws, rng, of), at, PRIOR)
        for of in ONE_AT_A_TIME
    ]
    seeds = (~np.isnan(np.einsum("saap->sap", wins)).any(-1)).sum(0)
    strengths[seeds == 0] = np.nan  # who has not played is rated by the prior alone
    found: Named = {}
    for i, name in enumerate(players):
        own, spread = float(strengths[i]), (drawn[0][:, i], drawn[1][:, i])
        elo = ratings.elo_scale(spread[0]), ratings.elo_scale(spread[1])
        sizes = (int(seeds[i]), wins.shape[-1])
        found[name] = {
            "bradley_terry": drawn_figure(own, spread, sizes),
            "elo": drawn_figure(float(ratings.elo_scale(own)), elo, sizes),
        }
    return found


def _supports(names: Sequence[str], mixed: Floats, shares: Floats) -> Named:
    """Probability by strategy, and the share of draws in which it is played."""
    return {
        name: {"probability": known(own), "support": known(share)}
        for name, own, share in zip(names, mixed, shares, strict=True)
    }


def simplex(wins: Floats, players: Sequence[str]) -> Named | None:
    """The three best of the players against each other: a flow that can be drawn."""
    mean = bootstrap.grand_mean(wins)
    known = ~np.isnan(mean).all(1)
    score = np.full(len(mean), -np.inf)
    score[known] = np.nanmean(mean[known], axis=1)
    best = np.argsort(-score, kind="stable")[:3]
    if len(best) < 3 or np.isnan(mean[np.ix_(best, best)]).any():
        return None
    return {"players": [players[i] for i in best], "payoffs": mean[np.ix_(best, best)].tolist()}
