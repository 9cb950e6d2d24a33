"""Line drawings as SVG: axes, lines, bands, and labels at the ends of the lines."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup

from eva_env.types import Floats
from experiments.report.drawing import HEIGHT, SHAPES, WIDTH, Style, printable
from experiments.report.numbers import is_number
from experiments.report.series import Series

Drawn = tuple[Series, Style]

MARKED = 16
"""About the largest number of marked points on a line."""
FONT, GAP = 10.5, 12.0
"""Text height, and the least distance between two labels, in points."""


@dataclass(frozen=True)
class Axes:
    """The area of a drawing: from values to points, with ticks and labels."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x: str = "round"
    y: str = ""
    share: bool = False
    whole: bool = True
    """Whether x counts something, so that ticks are whole."""
    room: float = 10.0
    """Width on the right for labels of the lines."""
    width: float = WIDTH
    height: float = HEIGHT
    left: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        widest = max((len(self.y_text(tick)) for tick in self.y_ticks), default=1)
        object.__setattr__(self, "left", 10 + 5.9 * widest)

    @property
    def top(self) -> float:
        """Space above, where the name of the vertical axis is."""
        return 20.0 if self.y else 8.0

    @property
    def bottom(self) -> float:
        """The height of the horizontal axis."""
        return self.height - 34.0

    @property
    def y_ticks(self) -> list[float]:
        """Four or five round values."""
        return ticks(*self.y_range, 5)

    def across(self, x: Any) -> Any:
        """Return the horizontal place of values."""
        low, high = self.x_range
        return self.left + (x - low) / (high - low) * (self.width - self.room - self.left)

    def up(self, y: Any) -> Any:
        """Return the vertical place of values."""
        low, high = self.y_range
        return self.bottom - (y - low) / (high - low) * (self.bottom - self.top)

    def y_text(self, tick: float) -> str:
        """Return the label of a tick."""
        if self.share:
            return f"{100 * tick:.3g} %"
        low, high = self.y_range
        digits = max(0, math.ceil(-math.log10(high - low)) + 1)
        return f"{tick:,.{digits}f}".replace("-", "\N{MINUS SIGN}")

    def x_text(self, tick: float) -> str:
        """Return the label of a tick, short for thousands."""
        for scale, unit in ((1e6, "M"), (1e3, "k")):
            if self.x_range[1] >= 10 * scale:
                return f"{tick / scale:g}{unit}" if tick else "0"
        return f"{tick:g}"

    def frame(self) -> Iterator[str]:
        """Yield gridlines, ticks and names."""
        right = self.width - self.room
        for tick in self.y_ticks:
            y = self.up(tick)
            yield f'<path class="grid" d="M{self.left:.1f} {y:.1f}H{right:.1f}"/>'
            yield text(self.left - 5, y + 3.5, self.y_text(tick), "end")
        yield f'<path class="axis" d="M{self.left:.1f} {self.bottom:.1f}H{right:.1f}"/>'
        for tick in ticks(*self.x_range, 5):
            if self.whole and tick != round(tick):
                continue
            x = self.across(tick)
            yield f'<path class="axis" d="M{x:.1f} {self.bottom:.1f}v3"/>'
            yield text(x, self.bottom + 14, self.x_text(tick), "middle")
        yield text((self.left + right) / 2, self.height - 5, self.x, "middle")
        if self.y:
            yield text(self.left, 11, self.y, "start")


def text(x: float, y: float, content: str, anchor: str, colour: str = "") -> str:
    """Return a text element; the content is escaped, a colour is mixed with the ink."""
    shape = Markup('<text x="{}" y="{}" text-anchor="{}"{}>{}</text>')
    extra = Markup(' class="end" style="--line:{}"').format(colour) if colour else ""
    return shape.format(f"{x:.1f}", f"{y:.1f}", anchor, extra, printable(content))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most ``most`` + 1 round values in an interval."""
    raw = (high - low) / most
    scale = 10 ** math.floor(math.log10(raw))
    step = scale * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * scale >= raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def extent(values: Floats, share: bool = False) -> tuple[float, float]:
    """Return the range of an axis for values: a little more than they span.

    Shares stay in [0, 1], a flat line gets some room, and no value at all is [0, 1].
    """
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-3):
        room = 0.1 * (abs(low) or 1)
    else:
        room = 0.05 * (high - low)
    low, high = float(low - room), float(high + room)
    return (max(low, -0.02), min(high, 1.02)) if share else (low, high)


def curve(axes: Axes, series: Series, style: Style) -> Iterator[str]:
    """Yield a line with its markers."""
    x, y, *_ = series.columns
    colour, dashes = style.colour_name, style.dashes
    yield (
        f'<path d="{path(axes.across(x), axes.up(y))}" '
        f'style="fill:none;stroke:{colour};stroke-width:1.8;stroke-dasharray:{dashes}"/>'
    )
    shape = SHAPES[style.marker % len(SHAPES)]
    kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    for i in kept[:: 1 + len(kept) // MARKED]:
        # Shapes are centred at (14, 5).
        place = f"translate({axes.across(x[i]) - 14:.1f} {axes.up(y[i]) - 5:.1f})"
        yield (
            f'<path d="{shape}" transform="{place}" '
            f'style="fill:{colour};stroke:var(--card);stroke-width:.6"/>'
        )


def band(axes: Axes, series: Series, style: Style) -> Iterator[str]:
    """Yield the area between low and high, cut at the axes' range where they show shares."""
    x, _, low, high = series.columns
    inside = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    if inside.sum() < 2:
        return
    bounds = (0.0, 1.0) if axes.share else (-np.inf, np.inf)
    edges = [np.clip(edge[inside], *bounds) for edge in (low, high)]
    there = path(axes.across(x[inside]), axes.up(edges[0]))
    back = path(axes.across(x[inside][::-1]), axes.up(edges[1][::-1]))
    yield (
        f'<path d="{there}L{back[1:]}Z" '
        f'style="fill:{style.colour_name};fill-opacity:.15;stroke:none"/>'
    )


def end_labels(axes: Axes, labels: Sequence[tuple[Series, Style, str]]) -> Iterator[str]:
    """Yield a label to the right of each line's end, moved apart where they would overlap."""
    ends = []
    for series, style, label in labels:
        pairs = zip(series.x, series.y, strict=False)
        known = [(x, y) for x, y in pairs if is_number(x) and is_number(y)]
        if known:
            ends.append((axes.up(known[-1][1]), style, label))
    ends.sort(key=lambda end: end[0])
    heights = spaced([end[0] for end in ends], axes.top + 3, axes.bottom)
    for height, (_, style, label) in zip(heights, ends, strict=True):
        place = axes.width - axes.room + 5
        yield text(place, height + 3.5, label, "start", style.colour_name)


def spaced(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return increasing heights at least ``GAP`` apart, inside [top, bottom] if they fit."""
    moved = list(heights)
    for i, _ in pairwise(range(len(moved))):
        moved[i + 1] = max(moved[i + 1], moved[i] + GAP)
    if moved and moved[-1] > bottom:
        moved[-1] = bottom
        for i in reversed(range(len(moved) - 1)):
            moved[i] = min(moved[i], moved[i + 1] - GAP)
    shift = max(0.0, top - moved[0]) if moved else 0.0
    return [height + shift for height in moved]


def path(x: Floats, y: Floats) -> str:
    """Return the data of a path through the points, interrupted where one is missing."""
    parts, move = [], True
    for across, up in zip(x.tolist(), y.tolist(), strict=True):
        if not (math.isfinite(across) and math.isfinite(up)):
            move = True
            continue
        parts.append(f"{'M' if move else 'L'}{across:.1f} {up:.1f}")
        move = False
    return "".join(parts)


def svg(axes: Axes, label: str, parts: Sequence[str]) -> Markup:
    """Return the SVG element of a drawing, with its text alternative."""
    head = Markup('<svg class="lines" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        f"{axes.width:g}", f"{axes.height:g}", printable(label)
    )
    return head + Markup("".join([*axes.frame(), *parts])) + Markup("</svg>")
