"""The figure of a comparison: creators' prompts against solvers, and solver against solver."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eva_env.types import Floats

Summary = Mapping[str, Any]


def draw(summary: Summary, folder: Path) -> None:
    """Write matrix.svg."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    regret, wins = summary["crossplay"], summary["wins"]
    size = len(wins["players"])
    with rc_context({"svg.hashsalt": "eva"}):
        figure = Figure(figsize=(3.2 + 1.1 * size, 1.9 + 0.42 * size), layout="constrained")
        left, right = figure.subplots(1, 2)
        _heat(
            left, 1000 * _array(regret["mean"]), regret["rows"], regret["columns"],
            "Regret of solvers (columns) on the final\nprompts of creators (rows), thousandths",
            "YlOrBr", None,
        )  # fmt: skip
        _heat(
            right, 100 * _array(wins["mean"]), wins["players"], wins["players"],
            f"Wins of rows over columns, suite {summary['suite']}, %\n", "PuOr", 50.0,
        )  # fmt: skip
        figure.savefig(folder / "matrix.svg", metadata={"Date": None})


def _heat(
    axes: Any, values: Floats, rows: Sequence[str], columns: Sequence[str], title: str,
    colours: str, middle: float | None,
) -> None:  # fmt: skip
    """A matrix whose cells say their value; a cross marks one that is missing."""
    trained = values[:, :-1]  # the start is off the scale, so that the others differ
    if middle is None:
        low, high = np.nanmin(trained), np.nanmax(trained) * 1.2
    else:
        reach = 1.5 * max(np.nanmax(np.abs(trained[: len(rows) - 1] - middle)), 1e-9)
        low, high = middle - reach, middle + reach
    axes.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", fontsize=9)
    axes.set_yticks(range(len(rows)), rows, fontsize=9)
    axes.set_title(title, fontsize=10)
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
