"""Solve the measured games: equilibria, ranks and ratings, and how certain they are.

The solution of a measured matrix depends mostly on noise, so each comes with the share of
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
from experiments.comparison.contrasts import Estimate, bootstrap_estimate, or_none

ALPHA = 10.0
"""Selection intensity of alpha-Rank, per unit of win rate; at 0.1 ranks hardly differ."""

HORIZON = 1000.0
"""Time at which replicator dynamics are read; a win rate of 1 grows by e per unit of time."""

INTERVAL_DRAWS = 100
"""Most draws of the seeds, and of the prompts, behind an interval of a game's statistic."""

PRIOR = 1e-3
"""Wins of every player over every other that Bradley-Terry adds: strengths stay finite."""

ONE_AT_A_TIME: tuple[bootstrap.Drawn, ...] = ("seeds", "prompts")

Named = dict[str, Any]


def crossplay_game(
    regret: Floats, rows: Sequence[str], columns: Sequence[str], draws: int,
    rng: np.random.Generator,
) -> Named:  # fmt: skip
    """Solve the zero-sum game of creators' prompts (R) against solvers (C).

    ``regret`` is (S, R, C, Q). ``nash_conv`` is, by arm, of its creator's prompts against its
    own solver: a lower bound on the NashConv of the pair, since best responses are searched
    only among the measured strategies. Strategies have maximum entropy: of equally good ones
    all are played.
    """
    solution = both_strategies(bootstrap.grand_mean(regret))
    support = supports(both_strategies, bootstrap.resampled(regret, draws, rng))
    own_columns = [columns.index(arm) for arm in rows]
    value, *gaps = estimates(
        lambda matrix: value_and_nash_conv(matrix, own_columns), regret, draws, rng
    )
    return {
        "value": value,
        "row": _strategy(rows, solution[: len(rows)], support[: len(rows)]),
        "column": _strategy(columns, solution[len(rows) :], support[len(rows) :]),
        "nash_conv": dict(zip(rows, gaps, strict=True)),
    }


def both_strategies(matrix: Floats) -> Floats:
    """Return the equilibrium strategies of rows and columns, joined, (R + C,)."""
    solution = max_entropy_nash(matrix)
    return np.r_[solution.row, solution.column]


def value_and_nash_conv(matrix: Floats, own_columns: Sequence[int]) -> Floats:
    """Return the value of a game, and NashConv of each row with its own column, (1 + R,).

    The game is that of the players without missing cells; the others get NaN.
    """
    solution = nash(matrix)
    numbers = [solution.value]
    for i, j in enumerate(own_columns):
        dropped = np.isnan(solution.row[i]) or np.isnan(solution.column[j])
        row, column = np.eye(matrix.shape[0])[i], np.eye(matrix.shape[1])[j]
        numbers.append(np.nan if dropped else nash_conv(matrix, row, column))
    return np.array(numbers)


def win_rate_game(
    wins: Floats, players: Sequence[str], draws: int, rng: np.random.Generator
) -> Named:
    """Rank solvers by win rates (S, L, L, P) in three ways.

    These are Nash averaging, alpha-Rank and replicator dynamics.
    """
    mean = bootstrap.grand_mean(wins)
    drawn = bootstrap.resampled(wins, draws, rng)
    average = nash_averaging(log_odds(mean)).probabilities
    mass = alpha_rank(mean, ALPHA)
    support = supports(lambda matrix: nash_averaging(log_odds(matrix)).probabilities, drawn)
    first_shares = supports(first, drawn)
    numbers = estimates(skills_and_flow, wins, draws, rng)
    return {
        "nash_averaging": _strategy(players, average, support),
        "nash_skill": dict(zip(players, numbers[: len(players)], strict=True)),
        "alpha_rank": {
            name: {"mass": or_none(own_mass), "first": or_none(share)}
            for name, own_mass, share in zip(players, mass, first_shares, strict=True)
        },
        "replicator": dict(zip(players, numbers[len(players) :], strict=True)),
    }


def skills_and_flow(matrix: Floats) -> Floats:
    """Return skills against the Nash average, and final replicator shares, joined, (2 L,)."""
    skills, flow = nash_averaging(log_odds(matrix)).skills, np.full(len(matrix), np.nan)
    kept = np.flatnonzero(~np.isnan(skills))
    even = np.full(len(kept), 1 / len(kept))
    flow[kept] = trajectory(matrix[np.ix_(kept, kept)], even, [0.0, HORIZON])[-1]
    return np.r_[skills, flow]


def first(matrix: Floats) -> Floats:
    """Return 1 for the players with the most alpha-Rank mass and 0 for the others, (L,)."""
    mass = alpha_rank(matrix, ALPHA)
    return (mass == np.nanmax(mass)).astype(np.float64)


def estimates(
    statistic: Callable[[Floats], Floats], values: Floats, draws: int, rng: np.random.Generator
) -> list[Estimate]:
    """Return ``statistic`` (K,) of the mean matrix of scores (S, R, C, P), with intervals.

    A draw that lacks a cell which the mean has is a smaller game, and is left out.
    """
    point = statistic(bootstrap.grand_mean(values))
    # 1. The statistic of each draw (D, K), with only the seeds redrawn, then only the prompts.
    by_seeds, by_prompts = (
        _drawn_statistics(statistic, values, min(draws, INTERVAL_DRAWS), rng, of)
        for of in ONE_AT_A_TIME
    )
    # 2. The degrees of freedom come from the cell with the fewest seeds.
    present = (~np.isnan(values).any(-1)).sum(0)
    sizes = (int(present[present > 0].min()), values.shape[-1])
    return [
        bootstrap_estimate(float(number), (by_seeds[:, k], by_prompts[:, k]), sizes)
        for k, number in enumerate(point)
    ]


def _drawn_statistics(
    statistic: Callable[[Floats], Floats], values: Floats, draws: int, rng: np.random.Generator,
    of: bootstrap.Drawn,
) -> Floats:  # fmt: skip
    drawn = bootstrap.resampled(values, draws, rng, of)
    complete = drawn[bootstrap.whole_draws(drawn)]
    return np.array([statistic(matrix) for matrix in complete]).reshape(len(complete), -1)


def supports(solver: Callable[[Floats], Floats], drawn: Floats) -> Floats:
    """Return ``support_frequencies``; NaN if every draw lacks cells, as failed seeds cause."""
    if bootstrap.whole_draws(drawn).any():
        return bootstrap.support_frequencies(solver, drawn)
    return np.full(len(solver(np.nanmean(drawn, axis=0))), np.nan)


def rate(
    wins: Floats, players: Sequence[str], anchor: str, draws: int, rng: np.random.Generator
) -> Named:
    """Return Bradley-Terry strengths in nats and on Elo's scale; the anchor has 0 and 1500."""
    at = list(players).index(anchor)
    strengths = ratings.bradley_terry(bootstrap.grand_mean(wins), at, PRIOR)
    by_seeds, by_prompts = (
        ratings.bradley_terry(bootstrap.resampled(wins, draws, rng, of), at, PRIOR)
        for of in ONE_AT_A_TIME
    )
    seeds = (~np.isnan(np.einsum("saap->sap", wins)).any(-1)).sum(0)
    strengths[seeds == 0] = np.nan  # the prior alone would rate a player that never played
    rated: Named = {}
    for i, name in enumerate(players):
        strength, drawn = float(strengths[i]), (by_seeds[:, i], by_prompts[:, i])
        elo_drawn = ratings.elo_scale(drawn[0]), ratings.elo_scale(drawn[1])
        sizes = (int(seeds[i]), wins.shape[-1])
        rated[name] = {
            "bradley_terry": bootstrap_estimate(strength, drawn, sizes),
            "elo": bootstrap_estimate(float(ratings.elo_scale(strength)), elo_drawn, sizes),
        }
    return rated


def _strategy(names: Sequence[str], probabilities: Floats, shares: Floats) -> Named:
    """Return by name the probability, and the share of draws in which it is played."""
    return {
        name: {"probability": or_none(probability), "support": or_none(share)}
        for name, probability, share in zip(names, probabilities, shares, strict=True)
    }


def simplex(wins: Floats, players: Sequence[str]) -> Named | None:
    """Return the three best players' win rates against each other; None if one is missing.

    The report draws the replicator flow of these.
    """
    mean = bootstrap.grand_mean(wins)
    played = ~np.isnan(mean).all(1)
    score = np.full(len(mean), -np.inf)
    score[played] = np.nanmean(mean[played], axis=1)
    best = np.argsort(-score, kind="stable")[:3]
    if len(best) < 3 or np.isnan(mean[np.ix_(best, best)]).any():
        return None
    return {"players": [players[i] for i in best], "payoffs": mean[np.ix_(best, best)].tolist()}
