"""The figure of a comparison: the win rate by round, with its interval over seeds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agents.evaluate import interval
from experiments.verdict import SUITE

COLOURS = ("#4c4c4c", "#0072b2", "#009e73", "#d55e00", "#b0b0b0", "#cc79a7", "#e69f00")
"""Okabe & Ito 2008: told apart by colour-blind readers as well."""


def draw(arms: Mapping[str, Mapping[str, Any]], folder: Path, suite: str = SUITE) -> None:
    """Write curves.png and curves.svg."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for colour, (arm, own) in zip(COLOURS, arms.items(), strict=False):
        wins = own["suites"][suite]["win_rate"]
        rounds, curves = wins["rounds"], 100 * np.array(wins["curves"])
        mean, half = np.array([interval(column) for column in curves.T]).T
        axes.plot(rounds, mean, color=colour, label=arm, marker="o", markersize=3)
        axes.fill_between(
            rounds, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0
        )
    axes.axhline(50, color="black", linewidth=0.8, linestyle=":")
    axes.set_xlabel("round")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(f"win rate on the {suite} suite, %")
    seeds = max(len(own["seeds"]) for own in arms.values())
    axes.set_title(f"Against the starting model: mean over {seeds} seeds, 95 % interval")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    for kind in ("png", "svg"):
        figure.savefig(folder / f"curves.{kind}", dpi=150)
