"""The learning curves of a comparison: the deciding score against reward calls."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

COLOURS = ("#4c4c4c", "#0072b2", "#009e73", "#d55e00", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito 2008: told apart by colour-blind readers as well."""

DASHES = ("-", "--", ":", "-.")
"""By solver, so that it is not by colour alone."""


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """Write curves.svg."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    suite, metric, arms = summary["suite"], summary["metric"], summary["arms"]
    creators, solvers = ([*dict.fromkeys(a[k] for a in arms.values())] for k in _SIDES)
    scale = 100 if metric == "win_rate" else 1
    with rc_context({"svg.hashsalt": "eva"}):
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for name, arm in arms.items():
            curve = arm["curves"][suite]
            colour = COLOURS[creators.index(arm["creator"]) % len(COLOURS)]
            dash = DASHES[solvers.index(arm["solver"]) % len(DASHES)]
            mean, low, high = (
                scale * np.array(curve[metric][end], dtype=float)
                for end in ("mean", "low", "high")
            )
            label = arm["creator"] if len(solvers) == 1 else name
            spent = curve["budget"]["reward_calls"]
            axes.plot(spent, mean, dash, color=colour, label=label, linewidth=1.4)
            axes.fill_between(spent, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.axhline(scale * summary["power"]["start"], color="black", lw=0.8, ls=":")
        axes.set_xlabel("reward calls, equal for all")
        unit = "win rate against the start, %" if metric == "win_rate" else "gold reward"
        axes.set_ylabel(f"{unit}, suite {suite}")
        axes.set_title(
            f"Mean over {len(summary['seeds'])} seeds, 95 % interval over them", fontsize=10
        )
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
        figure.savefig(folder / "curves.svg", metadata={"Date": None})


_SIDES = ("creator", "solver")
