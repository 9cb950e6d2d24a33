"""Charts of values, each with a text alternative and its data; None where there is no data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from experiments.report.blocks import Chart, Table
from experiments.report.drawing import INK, Style, canvas, inline, printable
from experiments.report.entries import estimate_entry, number_entry, text_entry
from experiments.report.lines import Axes as LineAxes
from experiments.report.lines import Drawn, band, curve, extent, svg
from experiments.report.numbers import (
    ANYWHERE,
    SHARE,
    Bounds,
    is_number,
    number,
    percent,
    within,
)
from experiments.report.series import Series

ROWS = 60
"""Most rows of a chart's data table; longer ones are left out."""


def line_chart(
    title: str,
    series: Sequence[Series],
    x: str = "round",
    y: str = "",
    *,
    share: bool = False,
    level: float | None = None,
) -> Chart | None:
    """Return a line chart; ``share``: percentages, ``level``: a value to compare with."""
    drawn = styled(series, 1)
    if not drawn:
        return None
    axes = LineAxes(*ranges(drawn, share, level), x, y, share, whole(drawn))
    parts = [*level_line(axes, level)]
    for draw in (band, curve):
        parts += [part for line, style in drawn for part in draw(axes, line, style)]
    words = "; ".join(line.in_words(share) for line, _ in drawn)
    picture = svg(axes, f"{title}, by {x}. {words}", parts)
    return Chart(title, picture, legend(drawn), data=data_table(title, x, y, drawn))


def ranges(
    drawn: Sequence[Drawn], share: bool, level: float | None = None
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ranges of both axes for lines with their bands."""
    tables = np.concatenate([line.columns for line, _ in drawn], axis=1)
    x = tables[0][np.isfinite(tables[0])]
    low, high = float(x.min()), float(x.max())
    y = tables[1:].ravel()
    marks = [] if level is None else [level]
    return (low, high if high > low else low + 1), extent(np.append(y, marks), share)


def whole(drawn: Sequence[Drawn]) -> bool:
    """Return whether all x are whole numbers."""
    return all(
        value == round(value) for line, _ in drawn for value in line.x if is_number(value)
    )


def level_line(axes: LineAxes, level: float | None) -> list[str]:
    """Return a dashed horizontal line, if there is a level."""
    if level is None:
        return []
    right = axes.width - axes.room
    return [f'<path class="level" d="M{axes.left:.1f} {axes.up(level):.1f}H{right:.1f}"/>']


def path_chart(title: str, series: Sequence[Series], x: str, y: str) -> Chart | None:
    """Return two quantities against each other, joined in the order of time."""
    drawn = styled(series, 2)
    if not drawn:
        return None
    with canvas() as paper:
        axes = frame(paper.add_subplot(), x, y)
        for line, style in drawn:
            place, value, *_ = line.columns
            axes.plot(place, value, **style.line)
            ring = {"markerfacecolor": "none", "markeredgecolor": INK, "markersize": 10}
            axes.plot(place[-1:], value[-1:], marker="o", **ring)
        few_ticks(axes)
        words = "; ".join(f"{y}: {line.in_words()}" for line, _ in drawn)
        picture = inline(paper, f"{title}, over {x}. {words}")
    rows = [
        [text_entry(line.name), *map(number_entry, point)]
        for line, _ in drawn
        for point in zip(line.x, line.y, strict=False)
    ]
    data = Table(title, ("", x, y), rows) if len(rows) <= ROWS else None
    return Chart(title, picture, legend(drawn), "A ring marks the last evaluation.", data)


def interval_chart(
    title: str,
    rows: Mapping[str, tuple[Any, Style]],
    *,
    share: bool = False,
    bounds: Bounds = ANYWHERE,
) -> Chart | None:
    """Return estimates with their intervals, one below the other.

    An arrow ends an interval that is cut at the ``bounds`` of its quantity.
    """
    kept = {n: (e, s) for n, (e, s) in rows.items() if e and is_number(e.get("mean"))}
    if not kept:
        return None
    show, bounds = (percent, SHARE) if share else (number, bounds)
    with canvas(46 + 19 * len(kept)) as paper:
        axes = paper.add_subplot()
        for i, (estimate, style) in enumerate(kept.values()):
            colour = style.line["color"]
            low, high, _ = within(estimate, bounds)
            if low is not None:
                axes.plot([low, high], [-i, -i], color=colour)
                for end, cut, arrow in ((low, "low", "<"), (high, "high", ">")):
                    if end != estimate[cut]:
                        axes.plot([end], [-i], marker=arrow, markersize=6, color=colour)
            axes.plot([estimate["mean"]], [-i], **style.line)
        axes.set_yticks([-i for i in range(len(kept))], [printable(name) for name in kept])
        axes.set_ylim(-len(kept) + 0.4, 0.6)
        axes.grid(axis="x")
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        if share:
            axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        words = "; ".join(f"{name} {show(e['mean'])}" for name, (e, _) in kept.items())
        picture = inline(paper, f"{title}: {words}")
    table = [
        [text_entry(name), estimate_entry(estimate, show, bounds)]
        for name, (estimate, _) in kept.items()
    ]
    return Chart(title, picture, data=Table(title, ("arm", "mean"), table))


def frame(axes: Axes, x: str, y: str) -> Axes:
    """Name the axes, the vertical one above it, where a phone has room."""
    axes.set_xlabel(printable(x))
    axes.set_title(printable(y), loc="left")
    return axes


def few_ticks(axes: Axes, whole_x: bool = False) -> None:
    """Give both axes few ticks, whole ones for rounds, and a flat line some room."""
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole_x))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    low, high = axes.dataLim.intervaly
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-3):
        axes.set_ylim(low - 0.1 * (abs(low) or 1), high + 0.1 * (abs(high) or 1))


def styled(series: Sequence[Series], least: int) -> list[Drawn]:
    """Return the series with at least so many points, each with its style."""
    pairs = [(line, line.style or Style.of(i)) for i, line in enumerate(series)]
    return [(line, style) for line, style in pairs if line.size >= least]


def legend(drawn: Sequence[Drawn]) -> list[Any]:
    """Return the named lines with their swatches."""
    return [(line.name, style.swatch) for line, style in drawn if line.name]


def data_table(title: str, x: str, y: str, drawn: Sequence[Drawn]) -> Table | None:
    """Return the series as columns, None if that is long."""
    places = sorted({v for line, _ in drawn for v in line.x if is_number(v)})
    columns = [dict(zip(line.x, line.y, strict=False)) for line, _ in drawn]
    rows = [
        [number_entry(v), *(number_entry(column.get(v)) for column in columns)] for v in places
    ]
    header = [x, *(line.name or y or "value" for line, _ in drawn)]
    return Table(title, header, rows, texts=0) if len(rows) <= ROWS else None
