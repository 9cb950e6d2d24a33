"""Small multiples: one panel for each group of lines, all others grey behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.report.blocks import Chart, Fold, Grid
from experiments.report.charts import (
    data_table,
    level_line,
    ranges,
    styled,
    whole,
)
from experiments.report.lines import (
    Axes,
    Drawn,
    band,
    curve,
    end_labels,
    path,
    svg,
)
from experiments.report.numbers import is_number, number, percent
from experiments.report.series import Series

SIZE = 270.0, 178.0
"""Width and height of a panel, in points."""

CROWD = 3
"""Most lines of a panel that have bands; the bands of more would cover each other."""


@dataclass(frozen=True)
class Member:
    """A line of a group, with its short name there."""

    name: str
    series: Series


def panels(
    title: str,
    groups: Mapping[str, Sequence[Member]],
    x: str,
    *,
    share: bool = False,
    level: float | None = None,
) -> list[Grid | Fold]:
    """Return a panel for each group on shared axes, and the lines as a table; [] if empty."""
    lines = [member.series for members in groups.values() for member in members]
    drawn = styled(lines, 1)
    if not drawn:
        return []
    axes_ranges = ranges(drawn, share, level)
    charts = []
    for name, members in groups.items():
        front = styled([member.series for member in members], 1)
        if not front:
            continue
        labels = end_texts(members, share)
        room = 14 + 5.7 * max(map(len, labels), default=0)
        axes = Axes(*axes_ranges, x, "", share, whole(drawn), room, *SIZE)
        parts = [*level_line(axes, level), *background(axes, drawn, front)]
        if len(front) <= CROWD:
            parts += [part for pair in front for part in band(axes, *pair)]
        parts += [part for pair in front for part in curve(axes, *pair)]
        ends = [(*pair, label) for pair, label in zip(front, labels, strict=True)]
        parts += end_labels(axes, ends)
        words = "; ".join(line.in_words(share) for line, _ in front)
        charts.append(Chart(name, svg(axes, f"{title}, {name}, by {x}. {words}", parts)))
    table = data_table(title, x, "", drawn)
    return [Grid(charts, "small"), *([Fold("Data", [table])] if table else [])]


def end_texts(members: Sequence[Member], share: bool) -> list[str]:
    """Return the label of each line that has points: its short name and last value."""
    texts = []
    for member in members:
        values = [value for value in member.series.y if is_number(value)]
        if member.series.size and values:
            last = percent(values[-1]) if share else number(values[-1], 2)
            texts.append(f"{member.name} {last}".strip())
    return texts


def background(axes: Axes, drawn: Sequence[Drawn], front: Sequence[Drawn]) -> list[str]:
    """Return the lines of the other groups, thin and grey."""
    shown = {line.name for line, _ in front}
    others = [line for line, _ in drawn if line.name not in shown]
    points = [(axes.across(line.columns[0]), axes.up(line.columns[1])) for line in others]
    return [f'<path class="behind" d="{path(*place)}"/>' for place in points]
