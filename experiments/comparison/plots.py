"""Draw the charts of a comparison: learning curves, and the two matrices as heat maps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eva_env.plain_text import clean_lines
from eva_env.types import Floats
from experiments.comparison.ranges import range_of
from experiments.run.judging import score_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Summary = Mapping[str, Any]

COLOURS = ("#4c4c4c", "#0072b2", "#009e73", "#d55e00", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito 2008: colours that colour-blind readers can distinguish too."""

PLAIN: Any = ["default", {"svg.hashsalt": "eva"}]
"""The style of the charts. A matplotlibrc, which may be a stranger's, has no effect."""

WIN_RATE = "win rate against the starting policy, %"

DASHES = ("-", "--", ":", "-.")
"""By solver, so that colour is not the only cue."""


def axis_of(score: str, judge: str = "gold") -> str:
    """Return the title of a score's axis; other scores than two have their own name."""
    return {"win_rate": WIN_RATE, "gold": score_name(judge)}.get(score, score)


def as_label(text: str) -> str:
    """Return text of others as a label: no control characters, and $ begins no formula."""
    return clean_lines(text).replace("$", r"\$")


def draw_curves(summary: Summary, folder: Path) -> None:
    """Write curves.svg: the deciding score of each arm against reward calls."""
    from matplotlib import style

    with style.context(PLAIN):
        curves(summary).savefig(folder / "curves.svg", metadata={"Date": None})


def curves(summary: Summary) -> "Figure":
    """Return a figure of the deciding score of each arm against reward calls."""
    from matplotlib.figure import Figure

    suite, metric, arms = summary["suite"], summary["metric"], summary["arms"]
    creators, solvers = (
        list(dict.fromkeys(arm[role] for arm in arms.values()))
        for role in ("creator", "solver")
    )
    scale, possible = (100 if metric == "win_rate" else 1), range_of(metric)
    chart = Figure(figsize=(7, 4.2), layout="constrained")
    axes = chart.add_subplot()
    for name, arm in arms.items():
        curve = arm["curves"][suite]
        colour = COLOURS[creators.index(arm["creator"]) % len(COLOURS)]
        dash = DASHES[solvers.index(arm["solver"]) % len(DASHES)]
        mean, low, high = (
            scale * np.clip(np.array(curve[metric][end], dtype=float), *possible)
            for end in ("mean", "low", "high")
        )
        label = as_label(arm["creator"] if len(solvers) == 1 else name)
        spent = curve["budget"]["reward_calls"]
        axes.plot(spent, mean, dash, color=colour, label=label, linewidth=1.4)
        axes.fill_between(spent, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.axhline(scale * summary["power"]["start"], color="black", lw=0.8, ls=":")
    axes.set_xlabel("reward calls, equal for all arms")
    title = f"{axis_of(metric, summary.get('judged_by', 'gold'))}, suite {suite}"
    axes.set_ylabel(as_label(title))
    axes.set_title(f"Mean over {len(summary['seeds'])} seeds, 95 % interval", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return chart


def draw_run(evaluations: Sequence[Mapping[str, Any]], score: str) -> "Figure":
    """Return a figure of a run's score by round, a line for each suite."""
    from matplotlib.figure import Figure

    scale = 100 if score == "win_rate" else 1
    chart = Figure(figsize=(6, 3.6), layout="constrained")
    axes = chart.add_subplot()
    suites = dict.fromkeys(row["suite"] for row in evaluations)
    for suite, colour in zip(suites, COLOURS, strict=False):
        rows = [row for row in evaluations if row["suite"] == suite]
        values = [scale * row[score] for row in rows]
        axes.plot(
            [row["round"] for row in rows], values, "o-", color=colour, label=as_label(suite)
        )
    axes.set_xlabel("round")
    axes.set_ylabel(axis_of(score))
    axes.set_title("One run on one seed", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, title="suite")
    return chart


def draw_matrices(summary: Summary, folder: Path) -> None:
    """Write matrix.svg: creators' prompts against solvers, and solver against solver."""
    from matplotlib import style
    from matplotlib.figure import Figure

    regret, wins = summary["crossplay"], summary["wins"]
    size = len(wins["players"])
    with style.context(PLAIN):
        chart = Figure(figsize=(3.2 + 1.1 * size, 1.9 + 0.42 * size), layout="constrained")
        left, right = chart.subplots(1, 2)
        _heat_map(
            left, 1000 * _array(regret["mean"]), regret["rows"], regret["columns"],
            "Regret of solvers (columns) on the final\nprompts of creators (rows), thousandths",
            "YlOrBr", None,
        )  # fmt: skip
        _heat_map(
            right, 100 * _array(wins["mean"]), wins["players"], wins["players"],
            f"Wins of rows over columns, suite {summary['suite']}, %\n", "PuOr", 50.0,
        )  # fmt: skip
        chart.savefig(folder / "matrix.svg", metadata={"Date": None})


def _heat_map(
    axes: Any, values: Floats, rows: Sequence[str], columns: Sequence[str], title: str,
    colours: str, middle: float | None,
) -> None:  # fmt: skip
    """Draw a matrix with its numbers; x marks a missing entry.

    The last column, the starting policy, does not set the colour scale: it differs so much
    that the other columns would look the same. ``middle`` centres the scale.
    """
    trained = values[:, :-1]
    if middle is None:
        low, high = np.nanmin(trained), np.nanmax(trained) * 1.2
    else:
        reach = 1.5 * max(np.nanmax(np.abs(trained[: len(rows) - 1] - middle)), 1e-9)
        low, high = middle - reach, middle + reach
    axes.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto")
    axes.set_xticks(
        range(len(columns)), [*map(as_label, columns)], rotation=45, ha="right", fontsize=9
    )
    axes.set_yticks(range(len(rows)), [*map(as_label, rows)], fontsize=9)
    axes.set_title(as_label(title), fontsize=10)
    axes.spines[:].set_visible(False)
    shade = axes.images[0]
    for (i, j), value in np.ndenumerate(values):
        red, green, blue = shade.cmap(shade.norm(value))[:3]
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        text = "x" if np.isnan(value) else f"{value:.0f}"
        axes.text(
            j, i, text, ha="center", va="center", fontsize=9, color="white" if dark else "black"
        )


def _array(nested: Any) -> Floats:
    return np.array(nested, dtype=np.float64)
