"""Replicator flow of three strategies that learn from each other's success."""

import numpy as np

from eva_env.solving.replicator import simplex_flow, trajectory
from experiments.report.blocks import Grid, Section
from experiments.report.distributions import simplex
from experiments.report.summary import Summary

ARROWS, STARTS = 11, 6
"""Steps from corner to corner of the grid of arrows, and of that where paths begin."""

TIME = 30.0
"""How long paths are followed, in units of the inverse range of the payoffs."""


def flow(summary: Summary) -> Section | None:
    """The flow in the game of win rates, of the three players that the summary singles out."""
    own = summary.own.get("simplex")
    if not own:
        return None
    payoffs = np.array(own["payoffs"], dtype=float)
    inside = [(i, j) for i in range(1, STARTS) for j in range(1, STARTS - i)]
    starts = np.array([(i, j, STARTS - i - j) for i, j in inside]) / STARTS
    times = np.linspace(0, TIME / max(np.ptp(payoffs), 1e-9), 300)
    paths = [trajectory(payoffs, start, times) for start in starts]
    names = [summary.label(name) for name in own["players"]]
    plot = simplex("Replicator flow", names, simplex_flow(payoffs, ARROWS), paths)
    lead = "If a population of the three players that win most often copied whoever wins more: "
    lead += "where it would go from each mixture of them."
    return Section("Replicator flow", [Grid([plot])], lead)
