"""Matplotlib figures as SVG that takes its colours and its font from the page.

Figures are drawn in placeholder colours, one for each role. In the SVG these become CSS
variables, so that one drawing suits the light and the dark theme.
"""

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import style
from matplotlib.figure import Figure

INK, MUTED, RULE, CARD = "#f00001", "#f00002", "#f00003", "#f00004"
SERIES = tuple(f"#f001{i:02x}" for i in range(8))
ROLES = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", CARD: "var(--card)"}
ROLES |= {colour: f"var(--s{i})" for i, colour in enumerate(SERIES)}

DASHES = ((), (5, 2), (1.5, 1.5), (6, 1.5, 1.5, 1.5), (3, 1))
MARKERS = ("o", "s", "^", "D", "v", "P")
SHAPES = (
    "M11 5a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
    "M11.2 2.2h5.6v5.6h-5.6z",
    "M14 1.6l3.4 6.2h-6.8z",
    "M14 1.4l3.6 3.6-3.6 3.6-3.6-3.6z",
    "M14 8.4l3.4-6.2h-6.8z",
    "M13 1.6h2v2.4h2.4v2h-2.4v2.4h-2v-2.4h-2.4v-2h2.4z",
)
"""The markers in a legend, centred at (14, 5)."""

WIDTH, HEIGHT = 290, 190
"""Points; a phone shows them one to one, and text of 10.5 points stays readable."""

RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "eva",
    "text.parse_math": False,
    "text.color": INK,
    "font.size": 10.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 10.5,
    "axes.titlecolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "axes.formatter.useoffset": False,
    "figure.facecolor": "none",
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
}

ROLE = re.compile("#f00[0-9a-f]{3}")
NUMBER = re.compile(r"-?\d+\.\d+")
GEOMETRY = ("d", "x", "y", "width", "height", "transform", "points")


@dataclass(frozen=True)
class Style:
    """Colour, dash and marker of a series: no two differ by colour alone."""

    colour: int = 0
    dash: int = 0
    marker: int = 0

    @classmethod
    def of(cls, i: int) -> "Style":
        """Return the style of the i-th of unrelated series."""
        return cls(i, i, i)

    @property
    def colour_name(self) -> str:
        """The CSS variable of its colour."""
        return f"var(--s{self.colour % len(SERIES)})"

    @property
    def dashes(self) -> str:
        """As the SVG attribute stroke-dasharray takes it."""
        return " ".join(f"{1.6 * d:g}" for d in DASHES[self.dash % len(DASHES)]) or "none"

    @property
    def line(self) -> dict[str, Any]:
        """The arguments of matplotlib's ``plot``."""
        dashes = DASHES[self.dash % len(DASHES)]
        return {
            "color": SERIES[self.colour % len(SERIES)],
            "linestyle": (0, dashes) if dashes else "-",
            "marker": MARKERS[self.marker % len(MARKERS)],
            "markeredgecolor": CARD,
            "markeredgewidth": 0.6,
        }

    @property
    def swatch(self) -> Markup:
        """The sample of the line in a legend."""
        return Markup(
            '<svg class="swatch" viewBox="0 0 28 10" aria-hidden="true"><path d="M0 5h28" '
            'style="stroke:{0};stroke-dasharray:{1}"/><path d="{2}" style="fill:{0}"/></svg>'
        ).format(self.colour_name, self.dashes, SHAPES[self.marker % len(SHAPES)])


@contextmanager
def canvas(height: float = HEIGHT) -> Iterator[Figure]:
    """Yield a figure of the page's size; draw it and call ``inline`` inside.

    A matplotlibrc, which may be a stranger's in the current folder, has no effect.
    """
    with style.context(["default", RC]):
        yield Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")


def inline(figure: Figure, label: str) -> Markup:
    """Return the SVG element of a figure, with its text alternative."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    prefix = "p" + hashlib.sha256(f"{label}{text}".encode(errors="replace")).hexdigest()[:8]
    root = ElementTree.fromstring(text)
    drawn = ElementTree.Element("svg", {"viewBox": root.attrib["viewBox"], "role": "img"})
    drawn.set("aria-label", printable(label))
    drawn.extend(_clean(root, prefix))
    return Markup(ElementTree.tostring(drawn, encoding="unicode"))


def _clean(parent: ElementTree.Element, prefix: str) -> Iterator[ElementTree.Element]:
    """Yield the children without metadata, style sheets and groups that only have a name."""
    for child in parent:
        tag = child.tag.rpartition("}")[2]
        if tag in ("metadata", "style") or (
            tag == "defs" and child.find("{*}style") is not None
        ):
            continue
        if tag == "g" and not set(child.attrib) - {"id"}:
            yield from _clean(child, prefix)
            continue
        kept = ElementTree.Element(tag, dict(_attributes(child, prefix)))
        kept.text = child.text if tag == "text" else None
        kept.extend(_clean(child, prefix))
        yield kept


def _attributes(element: ElementTree.Element, prefix: str) -> Iterator[tuple[str, str]]:
    for long, value in element.attrib.items():
        name = long.rpartition("}")[2]
        if name == "id" and not element.tag.endswith("}g"):
            yield name, prefix + value
        elif name == "href":
            yield name, f"#{prefix}{value[1:]}"
        elif name == "clip-path":
            yield name, value.replace("#", f"#{prefix}")
        elif name == "style":
            rules = [rule for rule in value.split("; ") if not rule.startswith("font-family")]
            yield name, ROLE.sub(lambda match: ROLES[match[0]], ";".join(rules))
        elif name in GEOMETRY and not value.startswith("rotate(-0 "):
            yield name, NUMBER.sub(lambda n: f"{float(n[0]):.2f}", " ".join(value.split()))
        elif name != "id" and name not in GEOMETRY:
            yield name, value


def printable(text: str) -> str:
    """Return text without control characters, which XML forbids."""
    return "".join(c if c.isprintable() else " " for c in text)
