"""A line of a chart as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eva_env.types import Floats
from experiments.report.drawing import Style
from experiments.report.numbers import is_number, number, percent


@dataclass(frozen=True)
class Series:
    """A line: y over x, where None is missing, and the band around it if there is one."""

    name: str
    x: Sequence[Any]
    y: Sequence[Any]
    low: Sequence[Any] = ()
    high: Sequence[Any] = ()
    style: Style | None = None

    @property
    def size(self) -> int:
        """The number of points that can be drawn."""
        pairs = zip(self.x, self.y, strict=False)
        return sum(is_number(x) and is_number(y) for x, y in pairs)

    @property
    def columns(self) -> Floats:
        """x, y, low and high, (4, points); NaN where missing."""
        size = min(len(self.x), len(self.y))
        table = np.full((4, size), np.nan)
        for row, values in zip(table, (self.x, self.y, self.low, self.high), strict=True):
            kept = [value if is_number(value) else np.nan for value in values[:size]]
            row[: len(kept)] = kept
        return table

    def in_words(self, share: bool = False) -> str:
        """Return where the line begins and where it ends."""
        y = [value for value in self.y if is_number(value)]
        show = percent if share else number
        return f"{self.name or 'the line'} from {show(y[0])} to {show(y[-1])}"
