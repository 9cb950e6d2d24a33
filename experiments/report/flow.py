"""Replicator flow of three strategies that learn from each other's success."""

import numpy as np

from eva_env.solving.replicator import simplex_flow, trajectory
from experiments.report.blocks import Grid, Section, known
from experiments.report.distributions import simplex
from experiments.report.games import at
from experiments.report.summary import Summary

ARROWS, STARTS = 11, 6
"""Steps from corner to corner of the grid of arrows, and of that where paths begin."""

TIME = 30.0
"""How long paths are followed, in units of the inverse range of the payoffs."""


def flow(summary: Summary) -> Section | None:
    """The flow in the game of win rates, of the three strategies that come first in it."""
    own = summary.own.get("wins") or {}
    chosen = leaders(summary)
    if len(chosen) < 3:
        return None
    place = [own["players"].index(name) for name in chosen]
    cells = [[at(own.get("mean", []), i, j) for j in place] for i in place]
    payoffs = np.array(cells, dtype=float)
    if not np.isfinite(payoffs).all() or not np.ptp(payoffs):
        return None
    inside = [(i, j) for i in range(1, STARTS) for j in range(1, STARTS - i)]
    starts = np.array([(i, j, STARTS - i - j) for i, j in inside]) / STARTS
    times = np.linspace(0, TIME / np.ptp(payoffs), 300)
    paths = [trajectory(payoffs, start, times) for start in starts]
    plot = simplex("Replicator flow", chosen, simplex_flow(payoffs, ARROWS), paths)
    lead = "If a population of these three copied whoever wins more often: the strategies that "
    lead += "come first in Nash averaging, the ceiling and the start apart."
    return Section("Replicator flow", [Grid([plot])], lead)


def leaders(summary: Summary) -> list[str]:
    """Three competitors, the first ones by Nash averaging, then alpha-Rank, then win rate."""
    own = summary.own.get("wins") or {}
    game = (summary.own.get("games") or {}).get("wins") or {}
    nash, alpha = (game.get(name) or {} for name in ("nash_averaging", "alpha_rank"))
    rank = {}
    for name, row in zip(own.get("players", []), own.get("mean", []), strict=False):
        if name in summary.arms and not summary.arms[name].get("ceiling"):
            values = [value for value in row if known(value)]
            shares = (nash.get(name, {}).get("probability"), alpha.get(name, {}).get("mass"))
            mean = sum(values) / max(len(values), 1)
            rank[name] = [-v if known(v) else 0.0 for v in (*shares, mean)]
    return sorted(rank, key=rank.__getitem__)[:3]
