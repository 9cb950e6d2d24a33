"""Charts of distributions: quantiles and histograms by round, shares of three players."""

from collections.abc import Mapping, Sequence

import numpy as np

from eva_env.types import Floats
from experiments.report.blocks import Chart, Table
from experiments.report.charts import ROWS, few_ticks, frame
from experiments.report.drawing import INK, MUTED, SERIES, Style, canvas, inline, printable
from experiments.report.entries import number_entry
from experiments.report.numbers import is_number
from experiments.report.series import Series

RIDGES = 8
"""Most histograms in a chart."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

CORNERS = np.array([[0.5, 3**0.5 / 2], [0.0, 0.0], [1.0, 0.0]])
"""The corners of the simplex, drawn as a triangle."""

Samples = Mapping[int, Sequence[float | None]]
"""Values by round."""


def fan_chart(title: str, samples: Samples) -> Chart | None:
    """Return a distribution by round: median, middle half, middle nine tenths."""
    kept = _finite(samples)
    if not kept:
        return None
    rounds, table = list(kept), _quantiles(kept)
    style = Style().line
    with canvas() as paper:
        axes = frame(paper.add_subplot(), "round", "")
        for outer, alpha in ((0, 0.13), (1, 0.25)):
            band = (rounds, table[:, outer], table[:, -1 - outer])
            axes.fill_between(*band, color=style["color"], alpha=alpha, linewidth=0)
        axes.plot(rounds, table[:, 2], **style)
        few_ticks(axes, whole_x=True)
        median = Series("median", rounds, table[:, 2].tolist()).in_words()
        svg = inline(paper, f"{title}, by round, as quantiles. {median}")
    note = "Line: median. Bands: the middle half, and 5 % to 95 %."
    return Chart(title, svg, note=note, data=_data(title, kept))


def ridge_chart(title: str, samples: Samples, x: str) -> Chart | None:
    """Return histograms by round on one axis, one below the other; at most ``RIDGES``."""
    kept = _finite(samples)
    if not kept:
        return None
    rounds = list(kept)
    chosen = np.unique(np.linspace(0, len(rounds) - 1, RIDGES).round().astype(int))
    shown = [rounds[i] for i in chosen]
    edges = np.histogram_bin_edges(np.concatenate(list(kept.values())), bins=36)
    heights = [np.histogram(kept[r], edges)[0] / len(kept[r]) for r in shown]
    top = max(height.max() for height in heights)
    with canvas(60 + 24 * len(shown)) as paper:
        axes = frame(paper.add_subplot(), x, "round")
        for i, height in enumerate(heights):
            base = len(shown) - 1 - i
            outline = np.repeat(base + 1.3 * height / top, 2)
            across = np.repeat(edges, 2)[1:-1]
            front = {"color": SERIES[0], "zorder": 2 + i}
            axes.fill_between(across, base, outline, alpha=0.35, linewidth=0, **front)
            axes.plot(across, outline, linewidth=1, **front)
        axes.set_yticks(range(len(shown)), [str(r) for r in reversed(shown)])
        axes.spines["left"].set_visible(False)
        median = Series("median", rounds, _quantiles(kept)[:, 2].tolist()).in_words()
        svg = inline(paper, f"{title}, a histogram for each round. {median}")
    return Chart(title, svg, data=_data(title, kept))


def simplex_chart(
    title: str, names: Sequence[str], flow: tuple[Floats, Floats], paths: Sequence[Floats]
) -> Chart:
    """Return the flow of shares (P, 3) of three players, and paths (T, 3), in a triangle."""
    points, arrows = (shares @ CORNERS for shares in flow)
    speed = np.hypot(*arrows.T)
    moving = speed > 1e-9 * speed.max(initial=1e-9)
    arrows[moving] /= speed[moving, None]
    with canvas(275) as paper:
        axes = paper.add_subplot()
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.fill(*CORNERS.T, facecolor="none", edgecolor=MUTED, linewidth=1)
        for path in paths:
            axes.plot(*(path @ CORNERS).T, color=SERIES[0], alpha=0.55, linewidth=1)
        size = {"scale": 26, "width": 0.006, "headwidth": 4, "headlength": 4}
        axes.quiver(*points[moving].T, *arrows[moving].T, color=INK, pivot="mid", **size)
        axes.plot(*points[~moving].T, "o", color=INK)
        places = (("center", 0.91), ("left", -0.06), ("right", -0.06))
        for name, (x, _), (side, y) in zip(names, CORNERS, places, strict=True):
            axes.text(x, y, printable(name), ha=side, va="center", color=INK)
        svg = inline(paper, f"{title} between {', '.join(names)}: arrows in a triangle.")
    note = (
        "Arrows: how the shares move. Dots: where they rest. Lines: paths from some mixtures."
    )
    return Chart(title, svg, note=note)


def _finite(samples: Samples) -> dict[int, list[float]]:
    kept = {r: [v for v in values if is_number(v)] for r, values in samples.items()}
    return {round: values for round, values in kept.items() if values}  # type: ignore[misc]


def _quantiles(kept: Mapping[int, Sequence[float]]) -> Floats:
    return np.array([np.quantile(values, QUANTILES) for values in kept.values()])


def _data(title: str, kept: Mapping[int, Sequence[float]]) -> Table | None:
    header = ["round", *(f"{100 * q:.0f} %" for q in QUANTILES)]
    table = zip(kept, _quantiles(kept).tolist(), strict=True)
    rows = [[number_entry(v) for v in (round, *quantiles)] for round, quantiles in table]
    return Table(title, header, rows, texts=0) if len(rows) <= ROWS else None
