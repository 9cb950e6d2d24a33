"""Show the progress of work whose output grows on the disk."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from experiments.run.wording import size

POLL = 0.2
"""Seconds between two looks at the disk."""


@contextmanager
def shown(console: Console, text: str, folder: Path, total: int | None) -> Iterator[None]:
    """Show a bar while the block runs; one line if the console is no terminal.

    ``text`` says what is done. The bar measures the largest file below ``folder`` against
    ``total`` bytes. Without a total it shows the time alone.
    """
    if not console.is_terminal:
        amount = "" if total is None else f" ({size(total)})"
        console.print(f"{text}{amount} ...", highlight=False, markup=False, soft_wrap=True)
        yield
        return
    columns = [TextColumn("{task.description}"), BarColumn(None), TimeElapsedColumn()]
    if total is not None:
        columns.insert(2, DownloadColumn(table_column=Column(no_wrap=True)))
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task(text, total=total)
        done = threading.Event()

        def watch() -> None:
            while total is not None and not done.wait(POLL):
                progress.update(task, completed=min(largest(folder), total))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def largest(folder: Path) -> int:
    """Return the size in bytes of the largest file below a folder; 0 if there is none.

    pip writes a wheel twice, once into its own cache, so a sum would count it twice.
    """
    sizes = [0]
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat().st_size if path.is_file() else 0)
        except OSError:  # the file has been moved or deleted since it was listed
            continue
    return max(sizes)
