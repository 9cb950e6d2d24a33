"""A page as one HTML file: no server, no network, and no text of the record can run."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from experiments.report.blocks import Forest, Heat, Page, Table
from experiments.report.numbers import CUT, CUT_NOTE
from experiments.run.disk import on_disk

HERE = Path(__file__).parent

SCRIPTS = ("theme.js", "script.js", "tables.js", "tree.js")

LONG, HEAD = 600, 240
"""A prompt of more characters than ``LONG`` is folded to the first ``HEAD`` of them."""

TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd")
"""Characters of model text that would turn the direction of the text around them."""


def render(page: Page) -> str:
    """Return the HTML of a page; the same page gives the same text."""
    return render_template("page.html", SCRIPTS, page=page)


def render_template(name: str, scripts: Sequence[str], **values: Any) -> str:
    """Return the HTML of a template, with the style sheet and scripts of this folder inside."""
    script = "".join((HERE / name).read_text() for name in scripts)
    return (
        _environment()
        .get_template(name)
        .render(
            **values,
            css=Markup((HERE / "style.css").read_text()),
            script=Markup(script),
            # The browser only runs a script with this hash, and nothing that the record holds.
            hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def write(path: Path, html: str) -> None:
    """Write a page to a file; UserError if that fails."""
    with on_disk(path):
        # A lone surrogate, which JSON may hold and UTF-8 may not, becomes a question mark.
        path.write_bytes(html.translate(TURNS).encode("utf-8", "replace"))


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(HERE)
    undefined = jinja2.StrictUndefined
    environment = jinja2.Environment(
        loader=loader,
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=undefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["kind"] = lambda block: type(block).__name__
    environment.globals |= {"CUT": CUT, "CUT_NOTE": CUT_NOTE, "LONG": LONG, "HEAD": HEAD}
    environment.filters |= {"details": _details, "anchor": _anchor}
    return environment


def _details(block: Table | Heat) -> str:
    """Return the small print of all entries."""
    rows = [entries for _, entries in block.rows] if isinstance(block, Heat) else block.rows
    return "".join(entry.detail for row in rows for entry in row if entry)


def _anchor(block: Forest) -> str:
    """Return an identifier for a caption."""
    return "caption-" + hashlib.sha256(block.caption.encode(errors="replace")).hexdigest()[:8]
