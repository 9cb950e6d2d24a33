"""Training prompts and suites of files, without duplicates, and what was left out.

Two prompts are the same if they are equal after every run of white space becomes one blank.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from eva_env.prompt_files.columns import label_of, prompt_column, prompt_of
from eva_env.prompt_files.reading import files_in, fingerprint, rows_of

HELD_OUT = "held-out"
"""Name of the suite that is split off where the files name none."""

TRAINING = ("", "train", "training")
"""Names in the suite column of rows that are training prompts."""

LEAST, MOST = 8, 128
"""Bounds of the number of held-out prompts; at most half of the prompts are held out."""

LONGER = "longer than"
"""Start of the reason against an overlong prompt."""

SHOWN = 3
"""Number of places that a remark names."""


class Source(NamedTuple):
    """The settings that decide what the files of a world hold."""

    file: Path
    column: str | None
    topic_column: str | None
    suite_column: str | None
    suite_file: Path | None
    held_out: float
    split_seed: int
    max_characters: int


@dataclass
class Omitted:
    """Rows that were left out for one reason: their number, and the first places."""

    count: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        """Count a row."""
        self.count += 1
        if len(self.places) < SHOWN:
            self.places.append(place)

    def __str__(self) -> str:
        places = "; ".join(self.places)
        return f"{self.count} ({places}{'; ...' if self.count > len(self.places) else ''})"


@dataclass(frozen=True)
class PromptData:
    """What the files of a world hold."""

    training: tuple[str, ...]
    """Prompts that creators may publish, in the order of the files."""
    suites: dict[str, tuple[str, ...]]
    """Evaluation prompts by suite."""
    topics: dict[str, str]
    """Topics by prompt; empty without a topic column."""
    reserved: frozenset[str]
    """``key_of`` each prompt of the suites."""
    split: bool
    """True if the suite was split off here, because the files name none."""
    rows: int
    """Rows of all files."""
    cut: int
    """Conversations whose last messages, of the assistant, were cut off."""
    omitted: dict[str, Omitted]
    """Rows that were left out, by reason."""
    fingerprint: str
    """SHA-256 of the files."""


class Entry(NamedTuple):
    """A prompt of a row, with its key, topic, suite ("" for training) and place."""

    prompt: str
    key: str
    topic: str
    suite: str
    where: str


def key_of(prompt: str) -> str:
    """Return the prompt with every run of white space as one blank."""
    return " ".join(prompt.split())


def load(source: Source) -> PromptData:
    """Read the files of a source; ValueError in one line for whatever cannot be used.

    The result is kept until a file's size or time of change differs.
    """
    files = files_in(source.file)
    extra = [] if source.suite_file is None else files_in(source.suite_file)
    stamps = tuple(
        (file, file.stat().st_mtime_ns, file.stat().st_size) for file in files + extra
    )
    return _load(source, stamps)


@lru_cache(maxsize=4)
def _load(source: Source, stamps: tuple[Any, ...]) -> PromptData:
    omitted: dict[str, Omitted] = {}
    reader = _Reader(source, omitted)
    # 1. All rows; those of the suite file belong to a suite in any case.
    files = files_in(source.file)
    entries = [entry for file in files for entry in reader.entries(file)]
    suite_files = [] if source.suite_file is None else files_in(source.suite_file)
    if source.suite_file is not None and set(suite_files) & set(files):
        raise ValueError(f"{source.suite_file} is both the file and the suite file; give two")
    for file in suite_files:
        entries += reader.entries(file, default_suite=file.stem)
    # 2. The suites, in which a prompt comes once.
    in_suites = _distinct((entry for entry in entries if entry.suite), omitted)
    reserved = {entry.key for entry in in_suites}
    # 3. The training prompts: the rest, without the prompts of the suites.
    candidates = [entry for entry in entries if not entry.suite]
    for entry in candidates:
        if entry.key in reserved:
            omitted.setdefault("equal to a prompt of a suite", Omitted()).add(entry.where)
    training = _distinct((e for e in candidates if e.key not in reserved), omitted)
    # 4. Without a suite, a part of the training prompts is held out.
    split = not in_suites
    if split:
        in_suites, training = held_out(training, source, omitted)
        reserved = {entry.key for entry in in_suites}
    if not training:
        raise ValueError(
            f"{source.file} holds no training prompts: all rows belong to suites"
            f"{reasons(omitted)}"
        )
    suites: dict[str, list[str]] = {}
    for entry in in_suites:
        suites.setdefault(entry.suite, []).append(entry.prompt)
    return PromptData(
        tuple(entry.prompt for entry in training),
        {name: tuple(prompts) for name, prompts in suites.items()},
        {entry.prompt: entry.topic for entry in (*training, *in_suites) if entry.topic},
        frozenset(reserved),
        split,
        reader.rows,
        reader.cut,
        omitted,
        fingerprint([*files, *suite_files]),
    )


def held_out(
    entries: Sequence[Entry], source: Source, omitted: Mapping[str, Omitted]
) -> tuple[list[Entry], list[Entry]]:
    """Split prompts into a suite and training prompts, by a hash of each prompt and a seed.

    The order of the rows has no influence. The suite holds ``source.held_out`` of the prompts,
    but at least ``LEAST`` and at most ``MOST``, and never more than half. Raises ValueError for
    fewer than 2 prompts, with the reasons why rows were ``omitted``.
    """
    if len(entries) < 2:
        raise ValueError(
            f"{source.file} holds {len(entries)} usable prompts; at least 2 are needed, one to "
            f"train on and one to evaluate on{reasons(omitted)}"
        )
    wanted = min(MOST, max(LEAST, round(source.held_out * len(entries))))
    size = min(wanted, len(entries) // 2)
    chosen = sorted(entries, key=lambda entry: _hash(entry.key, source.split_seed))[:size]
    keys = {entry.key for entry in chosen}
    suite = [entry._replace(suite=HELD_OUT) for entry in chosen]
    return suite, [entry for entry in entries if entry.key not in keys]


def reasons(omitted: Mapping[str, Omitted]) -> str:
    """Return why rows were left out, as the end of a sentence; "" if none were."""
    if not omitted:
        return ""
    listed = ", ".join(f"{reason}: {rows}" for reason, rows in omitted.items())
    is_long = any(reason.startswith(LONGER) for reason in omitted)
    remedy = "; raise --task.max-characters" if is_long else ""
    return f"; left out {listed}{remedy}"


def prompts_in(path: Path, column: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each prompt of a file or folder, without empty ones.

    Raises ValueError in one line for whatever cannot be read.
    """
    for file in files_in(path, any_suffix=True):
        name = None
        for row in rows_of(file, None if column is None else {column}):
            if name is None or name not in row.values:
                name = prompt_column(row, name or column, ())
            prompt, _ = prompt_of(row, name)
            if prompt.strip():
                yield (row.place if file == path else row.where), prompt


class _Reader:
    """Reads prompts of files, and counts rows and what is left out."""

    def __init__(self, source: Source, omitted: dict[str, Omitted]) -> None:
        self.source, self.omitted = source, omitted
        self.rows = self.cut = 0

    def entries(self, file: Path, default_suite: str = "") -> Iterator[Entry]:
        """Yield the usable prompts of a file; those without a suite get the default one."""
        source, column = self.source, None
        others = (source.topic_column, source.suite_column)
        needed = None if source.column is None else {source.column, *filter(None, others)}
        for row in rows_of(file, needed):
            self.rows += 1
            if column is None or column not in row.values:
                column = prompt_column(row, column or source.column, others)
            prompt, cut = prompt_of(row, column)
            self.cut += cut
            suite = self._suite(row, default_suite)
            reason = self._reason_against(prompt)
            if reason:
                self.omitted.setdefault(reason, Omitted()).add(row.where)
                continue
            topic = label_of(row, source.topic_column, "--task.topic-column")
            yield Entry(prompt, key_of(prompt), topic, suite, row.where)

    def _suite(self, row: Any, default: str) -> str:
        column = self.source.suite_column
        if default and column not in row.values:  # one suite, named by the file
            return default
        name = label_of(row, column, "--task.suite-column")
        if name == "played":
            raise ValueError(f"{row.where}: a suite cannot be called 'played'; records use it")
        return default if name.lower() in TRAINING else name

    def _reason_against(self, prompt: str) -> str:
        """Why the prompt cannot be used; empty if it can."""
        if not prompt.strip():
            return "empty"
        if len(prompt) > self.source.max_characters:
            return f"{LONGER} {self.source.max_characters:,} characters"
        return ""


def _distinct(entries: Iterator[Entry], omitted: dict[str, Omitted]) -> list[Entry]:
    """The first entry of each key; the others are counted by kind of duplicate."""
    first: dict[str, Entry] = {}
    for entry in entries:
        kept = first.setdefault(entry.key, entry)
        if kept is not entry:
            same = kept.prompt == entry.prompt
            reason = "duplicates" if same else "duplicates but for white space"
            omitted.setdefault(reason, Omitted()).add(entry.where)
    return list(first.values())


def _hash(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{key}".encode()).digest()
