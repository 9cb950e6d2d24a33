"""Charts of values, each with a text alternative and its data; None where nothing is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator

from eva_env.types import Floats
from experiments.report.blocks import Plot, Table, figure, spread, word
from experiments.report.drawing import INK, MUTED, Style, canvas, inline, printable
from experiments.report.numbers import known, number, percent

ROWS = 60
"""Longest table of a figure's data."""

MARKED = 16
"""About how many points of a line are marked at most."""


@dataclass(frozen=True)
class Series:
    """A line: y over x, where None is unknown, and the band around it if there is one."""

    name: str
    x: Sequence[Any]
    y: Sequence[Any]
    low: Sequence[Any] = ()
    high: Sequence[Any] = ()
    style: Style | None = None

    @property
    def known(self) -> int:
        """How many points it has."""
        return sum(known(x) and known(y) for x, y in zip(self.x, self.y, strict=False))

    @property
    def columns(self) -> tuple[Floats, Floats, Floats, Floats]:
        """x, y, low, high of one length, NaN where unknown."""
        columns = (self.x, self.y, self.low, self.high)
        size = min(len(self.x), len(self.y))
        table = np.full((4, size), np.nan)
        for line, values in zip(table, columns, strict=True):
            own = [v if known(v) else np.nan for v in values[:size]]
            line[: len(own)] = own
        return tuple(table)  # type: ignore[return-value] - four of them

    def told(self, share: bool = False) -> str:
        """In words: where it begins and where it ends."""
        y = [v for v in self.y if known(v)]
        show = percent if share else number
        return f"{self.name or 'the line'} from {show(y[0])} to {show(y[-1])}"


def lines(
    title: str,
    series: Sequence[Series],
    x: str = "round",
    y: str = "",
    *,
    share: bool = False,
    level: float | None = None,
) -> Plot | None:
    """A line chart; ``share`` shows percentages, ``level`` is a value to compare with."""
    drawn = _styled(series, 1)
    if not drawn:
        return None
    with canvas() as paper:
        axes = frame(paper.add_subplot(), x, y)
        for own, style in drawn:
            place, value, low, high = own.columns
            axes.plot(place, value, markevery=1 + len(place) // MARKED, **style.line)
            if np.isfinite(low).any():
                colour = style.line["color"]
                axes.fill_between(place, low, high, color=colour, alpha=0.14, linewidth=0)
        if level is not None:
            axes.axhline(level, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
        scale(axes, [v for own, _ in drawn for v in own.x], share)
        told = "; ".join(own.told(share) for own, _ in drawn)
        svg = inline(paper, f"{title}, by {x}. {told}")
    return Plot(title, svg, _legend(drawn), data=_data(title, x, y, drawn))


def paths(title: str, series: Sequence[Series], x: str, y: str) -> Plot | None:
    """Two measures against each other, joined in the order of time; the end is marked."""
    drawn = _styled(series, 2)
    if not drawn:
        return None
    with canvas() as paper:
        axes = frame(paper.add_subplot(), x, y)
        for own, style in drawn:
            place, value, *_ = own.columns
            axes.plot(place, value, **style.line)
            ring = {"markerfacecolor": "none", "markeredgecolor": INK, "markersize": 10}
            axes.plot(place[-1:], value[-1:], marker="o", **ring)
        scale(axes, [0.5])
        told = "; ".join(f"{y}: {own.told()}" for own, _ in drawn)
        svg = inline(paper, f"{title}, over {x}. {told}")
    rows = [
        [word(own.name), *map(figure, point)]
        for own, _ in drawn
        for point in zip(own.x, own.y, strict=False)
    ]
    data = Table(title, ("", x, y), rows) if len(rows) <= ROWS else None
    return Plot(title, svg, _legend(drawn), "A ring marks the last evaluation.", data)


def dots(
    title: str, rows: Mapping[str, tuple[Any, Style]], *, share: bool = False
) -> Plot | None:
    """Figures with their intervals, one below the other."""
    kept = {n: (f, s) for n, (f, s) in rows.items() if f and known(f.get("mean"))}
    if not kept:
        return None
    show = percent if share else number
    with canvas(46 + 19 * len(kept)) as paper:
        axes = paper.add_subplot()
        for i, (own, style) in enumerate(kept.values()):
            if known(own.get("low")) and known(own.get("high")):
                axes.plot([own["low"], own["high"]], [-i, -i], color=style.line["color"])
            axes.plot([own["mean"]], [-i], **style.line)
        axes.set_yticks([-i for i in range(len(kept))], [printable(name) for name in kept])
        axes.set_ylim(-len(kept) + 0.4, 0.6)
        axes.grid(axis="x")
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        if share:
            axes.xaxis.set_major_formatter(_tick)
        told = "; ".join(f"{name} {show(own['mean'])}" for name, (own, _) in kept.items())
        svg = inline(paper, f"{title}: {told}")
    cells = [[word(name), spread(own, show)] for name, (own, _) in kept.items()]
    return Plot(title, svg, data=Table(title, ("strategy", "mean"), cells))


def frame(axes: Axes, x: str, y: str) -> Axes:
    """Name the axes, the vertical one above it, where a phone has room."""
    axes.set_xlabel(printable(x))
    axes.set_title(printable(y), loc="left")
    return axes


def scale(axes: Axes, xs: Sequence[Any], share: bool = False) -> None:
    """Few ticks, whole ones for rounds, short ones for thousands."""
    whole = all(isinstance(v, int) for v in xs)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if max(filter(known, xs), default=0) >= 10_000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    low, high = axes.dataLim.intervaly
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-3):  # a flat line needs some room
        axes.set_ylim(low - 0.1 * (abs(low) or 1), high + 0.1 * (abs(high) or 1))
    if share:
        axes.yaxis.set_major_formatter(_tick)
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -0.02), min(high, 1.02))


def _tick(value: float, _: float) -> str:
    return f"{100 * value:.3g} %"


def _styled(series: Sequence[Series], least: int) -> list[tuple[Series, Style]]:
    """The series that have so many points, each with its style."""
    styled = [(own, own.style or Style.of(i)) for i, own in enumerate(series)]
    return [(own, style) for own, style in styled if own.known >= least]


def _legend(drawn: Sequence[tuple[Series, Style]]) -> list[Any]:
    return [(own.name, style.swatch) for own, style in drawn if own.name]


def _data(title: str, x: str, y: str, drawn: Sequence[tuple[Series, Style]]) -> Table | None:
    """The series as columns, None if that is long."""
    places = sorted({v for own, _ in drawn for v in own.x if known(v)})
    columns = [dict(zip(own.x, own.y, strict=False)) for own, _ in drawn]
    rows = [[figure(v), *(figure(column.get(v)) for column in columns)] for v in places]
    header = [x, *(own.name or y or "value" for own, _ in drawn)]
    return Table(title, header, rows, texts=0) if len(rows) <= ROWS else None
