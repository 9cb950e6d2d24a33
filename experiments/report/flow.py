"""Replicator flow of three players that learn from each other's success."""

import numpy as np

from eva_env.solving.replicator import simplex_flow, trajectory
from experiments.report.blocks import Grid, Section
from experiments.report.distributions import simplex_chart
from experiments.report.summary import Summary

ARROWS, STARTS = 11, 6
"""Steps from corner to corner of the grid of arrows, and of the grid of starting points."""

TIME = 30.0
"""How long paths are followed, in units of the inverse range of the payoffs."""


def flow(summary: Summary) -> Section | None:
    """Return the flow in the game of win rates, of the three players that the summary names."""
    game = summary.data.get("simplex")
    if not game:
        return None
    payoffs = np.array(game["payoffs"], dtype=float)
    inside = [(i, j) for i in range(1, STARTS) for j in range(1, STARTS - i)]
    starts = np.array([(i, j, STARTS - i - j) for i, j in inside]) / STARTS
    times = np.linspace(0, TIME / max(np.ptp(payoffs), 1e-9), 300)
    paths = [trajectory(payoffs, start, times) for start in starts]
    names = [summary.label(name) for name in game["players"]]
    chart = simplex_chart("Replicator flow", names, simplex_flow(payoffs, ARROWS), paths)
    lead = "A population of the three players that win most often copies the one that wins "
    lead += "more. The arrows show where it moves from each mixture of them."
    return Section("Replicator flow", [Grid([chart])], lead)
