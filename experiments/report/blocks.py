"""The blocks of a section; the macro of the same name in blocks.html shows each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup


@dataclass(frozen=True)
class Entry:
    """An entry of a table."""

    text: str
    value: float | str | None = None
    """The sort key of its column; None comes last."""
    detail: str = ""
    """Small print below, for example an interval."""
    share: float | None = None
    """Length of a bar behind the text, in [0, 1]."""


@dataclass(frozen=True)
class Text:
    """Paragraphs, or a list of sentences."""

    lines: Sequence[str]
    kind: str = "plain"
    """plain, headline, list, small, or note: something the reader must know."""


@dataclass(frozen=True)
class Tiles:
    """The few numbers that matter most: label, value, small print."""

    tiles: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """A table that a click on a heading sorts."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    note: str = ""
    texts: int = 1
    """Number of columns from the left that hold words; the others hold numbers."""


@dataclass(frozen=True)
class Heat:
    """A matrix whose entries are coloured by value; None is missing.

    ``Entry.share`` in [-1, 1] is the strength of the colour: blue below 0, orange above.
    """

    caption: str
    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Entry | None]]]
    note: str = ""


@dataclass(frozen=True)
class Difference:
    """A row of a forest plot: ``a`` minus ``b``; positions are shares of the axis."""

    a: str
    b: str
    within: str
    """Where the two are compared; empty for the average over the other player."""
    mean: str
    interval: str
    p: str
    verdict: str
    decided: bool
    """Whether the interval excludes 0."""
    place: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Forest:
    """A forest plot: a table of differences with their intervals drawn along one axis."""

    caption: str
    unit: str
    rows: Sequence[Difference]
    ticks: Sequence[tuple[float, str]]
    """Positions on the axis, as shares of it, with their labels."""
    zero: float
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """A drawing with its title, text alternative, legend and data."""

    title: str
    svg: Markup
    legend: Sequence[tuple[str, Markup]] = ()
    note: str = ""
    data: Table | None = None


@dataclass(frozen=True)
class Grid:
    """Charts side by side where there is room; a long legend that all share is shown once."""

    charts: Sequence[Chart]
    kind: str = ""
    """wide: larger charts, fewer in a row; small: smaller charts, more in a row."""

    @property
    def legend(self) -> Sequence[tuple[str, Markup]]:
        """The legend that all charts share, empty if it is short."""
        first, *others = (chart.legend for chart in self.charts)
        same = bool(others) and all(legend == first for legend in others)
        return first if same and len(first) > 3 else ()


@dataclass(frozen=True)
class Columns:
    """Blocks side by side where there is room."""

    blocks: Sequence[Any]


@dataclass(frozen=True)
class Switch:
    """Groups of blocks by label; the page shows one group at a time."""

    legend: str
    options: Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Fold:
    """Blocks that are closed at first."""

    summary: str
    blocks: Sequence[Any]


@dataclass(frozen=True)
class Tree:
    """A genealogy, which the page draws from its data as it is opened."""

    name: str
    data: Markup
    """The text of ``tree.embed``."""
    note: str = ""


@dataclass(frozen=True)
class Responses:
    """Responses to a prompt before and after training, each with its gold reward."""

    prompt: str
    origin: str
    before: Sequence[tuple[str, str]]
    after: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Code:
    """Preformatted text: a command line, a traceback."""

    text: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page under its own heading."""

    title: str
    blocks: Sequence[Any]
    lead: str = ""
    """A sentence or two on how to read it."""

    @property
    def name(self) -> str:
        """The anchor."""
        return "-".join(self.title.lower().split())


@dataclass(frozen=True)
class Page:
    """Everything that the file shows."""

    title: str
    subtitle: str
    sections: Sequence[Section] = field(default_factory=tuple)
