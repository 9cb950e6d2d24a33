"""A page as one HTML file: no server, no network, and no text of the record can run."""

import base64
import hashlib
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from experiments.report.blocks import Entry, Forest, Heat, Page, Table

HERE = Path(__file__).parent


def render(page: Page) -> str:
    """Return the HTML of a page; the same page gives the same text."""
    script = "".join(
        (HERE / name).read_text() for name in ("theme.js", "script.js", "tables.js", "tree.js")
    )
    return _template().render(
        page=page,
        css=Markup((HERE / "style.css").read_text()),
        script=Markup(script),
        # The browser only runs a script with this hash, and nothing that the record holds.
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


@cache
def _template() -> jinja2.Template:
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
    environment.filters |= {"details": _details, "anchor": _anchor}
    return environment.get_template("page.html")


def _details(block: Table | Heat) -> str:
    """Return the small print of all entries."""
    rows = [row[1] if isinstance(block, Heat) else row for row in block.rows]
    return "".join(entry.detail for row in rows for entry in row if isinstance(entry, Entry))


def _anchor(block: Forest) -> str:
    """Return an identifier for a caption."""
    return "caption-" + hashlib.sha256(block.caption.encode(errors="replace")).hexdigest()[:8]
