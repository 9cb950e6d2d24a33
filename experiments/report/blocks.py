"""What a section is made of; each class is shown by the macro of its name in blocks.html."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from experiments.report.numbers import NOTHING, decimal, known, number


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    value: float | str | None = None
    """What its column is sorted by; None comes last."""
    detail: str = ""
    """Small print below: an interval."""
    share: float | None = None
    """Length of a bar behind the text, in [0, 1]."""


@dataclass(frozen=True)
class Text:
    """Paragraphs, or a list of them."""

    lines: Sequence[str]
    kind: str = "plain"
    """plain, headline, list, or note: something the reader must know."""


@dataclass(frozen=True)
class Tiles:
    """The few figures that matter most: label, value, small print."""

    tiles: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """A table that is sorted by a click on a heading."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    texts: int = 1
    """Columns from the left that hold words; the others hold numbers."""


@dataclass(frozen=True)
class Heat:
    """A matrix whose cells are coloured by value; None is missing.

    ``Cell.share`` in [-1, 1] is how far to either colour: blue below 0, orange above.
    """

    caption: str
    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]
    note: str = ""


@dataclass(frozen=True)
class Plot:
    """A figure, its title, its text alternative, a legend and its data."""

    title: str
    svg: Markup
    legend: Sequence[tuple[str, Markup]] = ()
    note: str = ""
    data: Table | None = None


@dataclass(frozen=True)
class Grid:
    """Figures side by side where there is room, with one legend where they share a long one."""

    plots: Sequence[Plot]
    wide: bool = False
    """Larger figures, fewer of them in a row."""

    @property
    def legend(self) -> Sequence[tuple[str, Markup]]:
        """What all of them share."""
        first, *others = (plot.legend for plot in self.plots)
        same = bool(others) and all(legend == first for legend in others)
        return first if same and len(first) > 3 else ()


@dataclass(frozen=True)
class Switch:
    """Blocks of which one group is shown at a time, by label."""

    legend: str
    options: Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Fold:
    """Blocks that are closed at first."""

    summary: str
    blocks: Sequence[Any]


@dataclass(frozen=True)
class Tree:
    """A genealogy, drawn by the page from its data as it is opened."""

    name: str
    data: Markup
    """Of ``page.embed``."""
    note: str = ""


@dataclass(frozen=True)
class Answers:
    """Answers to a prompt before and after training, each with its gold reward."""

    prompt: str
    origin: str
    before: Sequence[tuple[str, str]]
    after: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Code:
    """Text as it is: a command line, a traceback."""

    text: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading of its own."""

    title: str
    blocks: Sequence[Any]
    lead: str = ""
    """What is to be seen, in a sentence or two."""

    @property
    def name(self) -> str:
        """The anchor."""
        return "-".join(self.title.lower().split())


@dataclass(frozen=True)
class Page:
    """Everything that is written into the file."""

    title: str
    subtitle: str
    sections: Sequence[Section] = field(default_factory=tuple)


def word(text: Any) -> Cell:
    """A cell of words."""
    shown = NOTHING if text is None else str(text)
    return Cell(shown, None if text is None else shown)


def figure(value: Any, digits: int = 3) -> Cell:
    """A cell of a number."""
    return Cell(number(value, digits), value if known(value) else None)


def spread(value: Any, show: Callable[[Any], str] = decimal) -> Cell:
    """A cell of a figure with its interval: {"mean", "low", "high"}, or a plain number."""
    if not isinstance(value, Mapping):
        return Cell(show(value), value if known(value) else None)
    mean, low, high = (value.get(key) for key in ("mean", "low", "high"))
    wide = known(low) and known(high) and low != high
    detail = f"{show(low).removesuffix(' %')} to {show(high)}" if wide else ""
    return Cell(show(mean), mean if known(mean) else None, detail)
