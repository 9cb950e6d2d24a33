"""The number of rows that each file of a record must have: manifest.json.

    {"rounds": {"rows": 12, "bytes": 8190}, ...}

A file may have more rows, which were written after the manifest, and never fewer. So rows are
on the disk before the manifest promises them, and it is lowered before rows are dropped.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Self

from experiments.run.disk import replace_file, sync
from experiments.run.errors import UserError

NAME = "manifest.json"


class Entry(NamedTuple):
    """The whole rows of a file, and their size."""

    rows: int
    bytes: int


class Manifest(dict[str, Entry]):
    """The rows of each ``NAME.jsonl``, by name."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the manifest of a folder; an empty one if there is none.

        Raises UserError for a damaged one.
        """
        path = folder / NAME
        if not path.exists():
            return cls()
        try:
            content = json.loads(path.read_text())
            entries = {name: Entry(**entry) for name, entry in content.items()}
            if not all(isinstance(n, int) and n >= 0 for e in entries.values() for n in e):
                raise ValueError("rows and bytes must be whole numbers from 0")
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{path} is damaged: {error}; restore it from a copy") from error
        return cls(entries)

    def write(self, folder: Path) -> None:
        """Write the manifest of a folder."""
        content = {name: entry._asdict() for name, entry in sorted(self.items())}
        replace_file(folder / NAME, json.dumps(content, indent=2) + "\n")

    def count(self, folder: Path, names: Iterable[str]) -> None:
        """Count the rows that files have gained since they were last counted.

        The disk has these rows when this returns.
        """
        for name in names:
            path = folder / f"{name}.jsonl"
            if path.exists():
                sync(path)
                self[name] = _counted(path, self.get(name, Entry(0, 0)))

    def missing(self, folder: Path) -> list[str]:
        """Return a sentence for each file that lacks rows which it must have.

        Rows that were written later may hide how many are lost, so the counted part of a file
        must end where it ended.
        """
        sentences = []
        for name, entry in sorted(self.items()):
            path = folder / f"{name}.jsonl"
            content = path.read_bytes() if path.is_file() else b""
            counted = content[: entry.bytes]
            is_whole = len(counted) == entry.bytes and counted[-1:] in (b"", b"\n")
            if is_whole and counted.count(b"\n") == entry.rows:
                continue
            rows = content.count(b"\n")
            if rows < entry.rows:
                sentences.append(f"{path} has {rows} of {entry.rows} rows")
            elif len(content) > entry.bytes and rows > entry.rows:
                sentences.append(
                    f"{path} has changed in its first {entry.rows} rows, some of which may be "
                    f"lost"
                )
        return sentences


def _counted(path: Path, before: Entry) -> Entry:
    """Count on from what was counted before, or from the beginning if that has changed."""
    with path.open("rb") as file:
        if before.bytes:
            file.seek(before.bytes - 1)
            if file.read(1) != b"\n":
                before = Entry(0, 0)
                file.seek(0)
        rest = file.read()
    whole = rest.rfind(b"\n") + 1
    return Entry(before.rows + rest.count(b"\n"), before.bytes + whole)
