"""``eva runs``: the runs and comparisons of a folder, in the terminal and as an index page."""

import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eva_env.plain_text import clean_lines, say
from experiments.commands.options import parse
from experiments.report.index import index
from experiments.report.listing import Listed, listed
from experiments.report.numbers import decimal, percent
from experiments.report.page import write
from experiments.run.errors import UserError
from experiments.run.screen import PlainConsole
from experiments.run.wording import size

COLUMNS = ("name", "kind", "creator", "method", "task", "played", "gold", "win rate")
COLUMNS += ("changed", "size")
NUMBERS = ("gold", "win rate", "size")
CAPTION = "gold and win rate: last evaluation on the deciding suite, or a comparison's best arm"

WIDE = 110
"""Least width of a terminal for the table."""


@dataclass(frozen=True)
class Command:
    """List the runs and comparisons of a folder, and write an index page over them."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")] = Path(
        "runs"
    )
    """The folder; folders inside it are searched three levels deep."""
    out: Path | None = None
    """The index page to write. None: index.html in that folder."""
    html: bool = True
    """Write the index page, which filters runs, opens their reports and compares two."""
    open: bool = False
    """Show the page in the browser."""


def main(args: list[str]) -> int:
    """Run the command; returns the exit status."""
    command = parse(Command(), args, "runs")
    runs = listed(command.folder)
    if not runs:
        say(f"{command.folder} holds no runs yet: eva train and eva compare write them")
        return 0
    console = PlainConsole()
    tell(runs, console if console.is_terminal else PlainConsole(width=160))
    if not command.html:
        return 0
    path = command.out or command.folder / "index.html"
    if command.out is None and path.is_symlink():
        raise UserError(f"{path} is a link out of the folder: remove it, or give --out FILE")
    root = path.parent if command.out else command.folder
    write(path, index(command.folder, runs, root))
    say(f"the index page is {path}")
    if command.open:
        webbrowser.open(path.resolve().as_uri())
    return 0


def tell(runs: list[Listed], console: Console) -> None:
    """Print a table of the runs, two lines each where the terminal is narrow."""
    if console.width >= WIDE:
        console.print(table(runs))
    for run in runs:
        name, kind, creators, solvers, task, *numbers = texts(run)
        if console.width < WIDE and not run.problem:
            played, gold, win_rate, changed, memory = numbers
            players = f", {creators} against {solvers}" if creators else ""
            scores = f"{played}, gold {gold}, win rate {win_rate}, " if played else ""
            console.print(plain(f"{name}: {kind}, {task}{players}"), soft_wrap=True)
            line = f"  {scores}{changed}, {memory}"
            console.print(plain(line), soft_wrap=True)
        elif run.problem:
            console.print(plain(f"{name} is damaged: {run.problem}"), soft_wrap=True)
    console.print(CAPTION, highlight=False, soft_wrap=True)


def table(runs: list[Listed]) -> Table:
    """Return the runs as a table."""
    shown = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for name in COLUMNS:
        side: Any = "right" if name in NUMBERS else "left"
        shown.add_column(name, justify=side, overflow="fold", no_wrap=name != "creator")
    for run in runs:
        shown.add_row(*map(plain, texts(run)))
    return shown


def texts(run: Listed) -> tuple[str, ...]:
    """Return a run's entries in the order of ``COLUMNS``."""
    players = (", ".join(run.creators), ", ".join(run.solvers))
    numbers = (decimal(run.gold), percent(run.win_rate), run.date, size(run.size))
    return (run.name, run.kind, *players, run.task, run.progress, *numbers)


def plain(text: str) -> Text:
    """Return text without markup, and without characters that control a terminal."""
    return Text(clean_lines(text))
