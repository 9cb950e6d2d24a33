"""The terminal at which a person reads and types."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from eva_env.plain_text import clean, clean_lines, say
from experiments.run.screen import PlainConsole

LEAVE = ("quit", "exit")
"""What a person may type instead of Ctrl-D."""


class Terminal:
    """Print plain text and ask for lines; control characters are dropped in both directions.

    Args:
        read: shows a question and returns the typed line, or raises EOFError; None: standard
            input.
        console: where to print; None: standard output.
    """

    def __init__(
        self, read: Callable[[str], str] | None = None, console: Console | None = None
    ) -> None:
        self.read = read or standard_input()
        self.console = console or PlainConsole()

    def say(self, text: Any = "", style: str = "", indent: int = 0) -> None:
        """Print a paragraph, wrapped at the width of the terminal."""
        shown = Text(clean(str(text)), style, overflow="fold")
        self.console.print(Padding.indent(shown, indent) if indent else shown)

    def say_lines(self, text: Any, style: str = "") -> None:
        """Print each line of a text as a paragraph of its own."""
        for line in str(text).split("\n"):
            self.say(line, style)

    def grid(self, rows: Sequence[Sequence[Any]], keep_lines: bool = False) -> None:
        """Print rows in columns; the last column is a remark, empty columns are left out.

        With ``keep_lines`` a cell may have several lines.
        """
        show = clean_lines if keep_lines else clean
        cells = [[show(str(cell)) for cell in row] for row in rows]
        table = Table.grid(padding=(0, 2, 0, 0))
        kept = [i for i in range(len(cells[0])) if any(row[i] for row in cells)]
        for i in kept:
            table.add_column(style="dim" if i == len(cells[0]) - 1 else "", overflow="fold")
        for row in cells:
            table.add_row(*(Text(row[i]) for i in kept))
        self.console.print(Padding.indent(table, 2))

    def ask(self, question: str) -> str:
        """Return the typed line, stripped; raise EOFError if the person leaves."""
        line = clean(self.read(question)).strip()
        if line.lower() in LEAVE:
            raise EOFError
        return line


def standard_input() -> Callable[[str], str]:
    """Return a reader of standard input: a line editor, or a pipe whose lines are printed."""
    with suppress(AttributeError):  # a replacement of stdin may have no reconfigure
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    if not sys.stdin.isatty():
        return piped
    with suppress(ImportError):  # Windows has no readline
        import readline  # noqa: F401 - arrow keys and history for input()
    return typed


def typed(question: str) -> str:
    """Return the next line that a person types; raise EOFError at Ctrl-D."""
    try:
        return input(question)
    except (EOFError, KeyboardInterrupt):
        say()  # so that the next output starts on its own line
        raise


def piped(question: str) -> str:
    """Return the next line of a pipe; raise EOFError at its end."""
    line = sys.stdin.readline()
    say(question + clean(line.rstrip("\n")))
    if not line:
        raise EOFError
    return line
