"""Rows of files: JSON Lines, CSV, Parquet, text and Markdown, alone or in a folder.

Every problem is a ValueError of one line that names the file and, where there is one, the line.
"""

import csv
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

JSON_LINES = (".jsonl", ".ndjson", ".json")
SEPARATORS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*JSON_LINES, *SEPARATORS, ".parquet", ".txt", ".md")
"""Names of files end in one of these; a ``.json`` file holds JSON Lines or one list."""

LONGEST_FIELD = 2**31 - 1
"""Most characters of a field of a CSV file; Python's own limit is 131,072."""


class Row(NamedTuple):
    """A row of a file: its place, such as ``line 3``, and its values by column."""

    file: Path
    place: str
    values: Mapping[str, Any]

    @property
    def where(self) -> str:
        """The file's name and the place, for messages."""
        return f"{self.file.name}, {self.place}"


def files_in(path: Path, any_suffix: bool = False) -> list[Path]:
    """Return the file itself, or the files of a folder that can be read, by name.

    Folders inside the folder, hidden files and files called README are left out. A file with
    a name that ends otherwise is refused, unless ``any_suffix``: then it is read as text.
    """
    if not path.exists():
        raise ValueError(f"there is no file or folder {path}")
    if not path.is_dir():
        if path.suffix.lower() not in SUFFIXES and not any_suffix:
            raise ValueError(
                f"cannot tell the format of {path}: its name must end in {_listed(SUFFIXES)}"
            )
        return [path]
    files = [
        file
        for file in sorted(path.iterdir())
        if file.is_file()
        and file.suffix.lower() in SUFFIXES
        and not file.name.startswith(".")
        and file.stem.upper() != "README"
    ]
    if not files:
        raise ValueError(f"the folder {path} has no file that ends in {_listed(SUFFIXES)}")
    return files


def fingerprint(files: Sequence[Path]) -> str:
    """Return the SHA-256 of a file, as ``sha256sum`` prints it; of several, of their list."""
    digests = [_sha256(file) for file in files]
    if len(digests) == 1:
        return digests[0]
    lines = (f"{digest}  {f.name}\n" for digest, f in zip(digests, files, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def rows_of(file: Path, columns: Collection[str] | None = None) -> Iterator[Row]:
    """Yield the rows of a file; blank lines are skipped.

    A line of a ``.txt`` file is a row with the column ``prompt``, and so is a whole ``.md``
    file. ``columns`` limits what is read of a Parquet file; None reads every column.
    """
    suffix = file.suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _parquet(file, columns)
        elif suffix == ".json" and _text(file).lstrip().startswith("["):
            yield from _json_list(file)
        elif suffix in JSON_LINES:
            yield from _json_lines(file)
        elif suffix in SEPARATORS:
            yield from _csv(file, SEPARATORS[suffix])
        elif suffix == ".md":
            yield Row(file, "whole file", {"prompt": _text(file).strip()})
        else:
            for number, line in enumerate(_text(file).split("\n"), start=1):
                if line.strip():
                    yield Row(file, f"line {number}", {"prompt": line.strip()})
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{file} is not UTF-8 (byte {error.start} cannot be read); save it as UTF-8"
        ) from error
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror or error}") from error


def _json_lines(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if number == 1 and line.strip() in ("[", "[{"):
                raise ValueError(
                    f"{file.name} holds one JSON list, not an object a line; name it "
                    f"{file.stem}.json"
                )
            if line.strip():
                place = f"line {number}"
                yield Row(
                    file, place, _object(_loads(line, f"{file.name}, {place}"), file, place)
                )


def _json_list(file: Path) -> Iterator[Row]:
    for number, item in enumerate(_loads(_text(file), file.name), start=1):
        place = f"item {number}"
        yield Row(file, place, _object(item, file, place))


def _loads(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where}: invalid JSON: {error}") from error
    except RecursionError as error:
        raise ValueError(
            f"{where}: the JSON is nested too deeply; give text or a list of messages"
        ) from error


def _object(item: Any, file: Path, place: str) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        is_list = isinstance(item, list) and file.suffix != ".json"
        remedy = f"; if the file is one JSON list, name it {file.stem}.json" if is_list else ""
        raise ValueError(
            f"{file.name}, {place}: a row must be an object such as "
            f'{{"prompt": "..."}}, got {type(item).__name__}{remedy}'
        )
    return item


def _csv(file: Path, separator: str) -> Iterator[Row]:
    limit, ends = csv.field_size_limit(LONGEST_FIELD), 0
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, delimiter=separator, strict=True)
            for values in reader:
                # A quoted field may hold line breaks: a row is named by its first line.
                place, ends = f"line {max(ends, 1) + 1}", reader.line_num
                if None in values:
                    raise ValueError(
                        f"{file.name}, {place}: the row has more fields than the header, which "
                        f"has {_listed(reader.fieldnames or ())}"
                    )
                yield Row(file, place, values)
    except csv.Error as error:
        raise ValueError(f"{file.name}, after line {ends}: {error}") from error
    finally:
        csv.field_size_limit(limit)


def _parquet(file: Path, columns: Collection[str] | None) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ValueError(
            f'reading {file} needs pyarrow: pip install "eva-env[real]"'
        ) from error
    try:
        table = ParquetFile(file)
        # An empty list would read no row at all, so a missing column is reported later.
        kept = [name for name in table.schema_arrow.names if columns is None or name in columns]
        number = 0
        for batch in table.iter_batches(columns=kept or None):
            for values in batch.to_pylist():
                number += 1
                yield Row(file, f"row {number}", values)
    except ArrowException as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"cannot read {file} as Parquet: {reason}") from error


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8-sig")


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror or error}") from error


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)
