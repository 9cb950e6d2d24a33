"""A page as one HTML file: no server, no network, nothing that the record could run."""

import base64
import hashlib
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from experiments.report.blocks import Page

HERE = Path(__file__).parent


def render(page: Page) -> str:
    """The HTML of a page; the same page gives the same text."""
    script = "".join((HERE / name).read_text() for name in ("script.js", "tree.js"))
    return _template().render(
        page=page,
        css=Markup((HERE / "style.css").read_text()),
        script=Markup(script),
        # The browser runs what has this hash, so nothing else, wherever it comes from.
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
    return environment.get_template("page.html")
