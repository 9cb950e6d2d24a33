"""A run folder: plain files that survive a crash.

    config.json         the settings by part names, versions, seed, command line
    rounds.jsonl        a row per round: payoffs, rewards, how varied the prompts were, logs of
                        the players, budget spent
    prompts.jsonl       every drawn prompt: id, parent, operator, round, signal, rewards, the
                        best and the worst response
    evaluations.jsonl   a row per suite: gold reward, pass rate, win rate against the starting
                        policy, KL to it (nats per response), length (words), training reward
    answers.jsonl       all responses of the last evaluation, with their gold rewards (null:
                        missing)
    alarms.jsonl        a row per alarm and round that raises it, see
                        ``experiments.run.alarms``
    transcripts.jsonl   some prompts with the responses before and after
    manifest.json       the number of rows that each of these files must have
    .lock               who writes the record, or wrote it last
    checkpoints/        round-0003/: the policy as it saves itself, and state.json and
                        state.safetensors with the rest; an adapter's folder holds the
                        adapter alone

A row's ``round`` is the number of rounds played when it was written: the rows with
``round <= 3`` describe the state at checkpoint ``round-0003``.
"""

import json
import math
import os
import shutil
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError

from agents.policies.base import Policy
from experiments.run.config import from_json
from experiments.run.disk import (
    on_disk,
    one_line,
    refuse_links,
    replace_file,
    replace_folder,
)
from experiments.run.errors import UserError
from experiments.run.lock import LOCK, locked
from experiments.run.manifest import NAME as MANIFEST
from experiments.run.manifest import Entry, Manifest
from experiments.run.modes import share_as_umask_allows
from experiments.run.named_code import NO_CODE, NamedCode
from experiments.run.schema import ROWS, Config, object_of, rows_of
from experiments.run.state import State

FILES = ("rounds", "prompts", "evaluations", "transcripts", "alarms")

WAIT = 5.0
"""Seconds that one write waits for the lock."""

UNBORN = {LOCK, ".config.json"}
"""Files of a folder whose record has not begun."""

KINDS = {
    "Settings": ("run", "eva train --resume continues it"),
    "Comparison": ("comparison", "eva compare --resume continues it"),
    "Diagnosis": ("diagnosis", "eva diagnose --resume reads it"),
}
"""The kind of a record by the class of its settings, and the command for it."""


@dataclass(frozen=True)
class Run:
    """The record of one run; every disk error is a UserError."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        """Start a record; the folder must be new or empty."""
        cls.require_new(folder)
        run = cls(folder)
        with run.locked():
            cls.require_new(folder)  # again, since another process may have been faster
            run.write_json("config", config)
        return run

    @staticmethod
    def require_new(folder: Path) -> None:
        """Raise UserError unless a record can begin in the folder: it is new or empty.

        A folder counts as empty if a kill left it before it had its config.json.
        """
        with on_disk(folder):
            is_free = not folder.exists() or (
                folder.is_dir() and {path.name for path in folder.iterdir()} <= UNBORN
            )
            if not is_free:
                raise UserError(
                    f"{folder} exists and is not empty: give another --out, or continue the "
                    f"run or comparison in it with --resume {folder}"
                )

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Return an existing record; UserError if the folder holds none, or a link."""
        run = cls(Path(folder))
        refuse_links(run.folder)
        if "settings" not in run.config:
            raise UserError(f"{folder} is not a run folder: its config.json has no settings")
        return run

    @property
    def config(self) -> dict[str, Any]:
        """The content of config.json."""
        path = self.folder / "config.json"
        if not path.is_file():
            raise UserError(f"no run at {self.folder}: {path} does not exist")
        with on_disk(path):
            content = path.read_bytes()
        return object_of(content, path, Config, constants=True)

    @property
    def kind(self) -> str:
        """run, comparison or diagnosis; run for a record that does not say."""
        return KINDS.get(self._settings_class, ("run",))[0]

    def require_kind(self, *kinds: str) -> Self:
        """Return the record itself; UserError, with the right command, for another kind."""
        if self.kind not in kinds:
            _, remedy = KINDS[self._settings_class]
            raise UserError(
                f"{self.folder} is a {self.kind}, not a {' or a '.join(kinds)}; {remedy}"
            )
        return self

    @property
    def _settings_class(self) -> str:
        settings = self.config.get("settings")
        return str(settings.get("type")) if isinstance(settings, dict) else ""

    def settings(self, hint: Any, code: NamedCode = NO_CODE) -> Any:
        """Return the recorded settings as an object of a class, or of one of a union.

        ``code`` is the code of the user's own that the record may import. UserError, with the
        right command, for other code and for a record of another kind.
        """
        classes = {part.__name__ for part in typing.get_args(hint) or (hint,)}
        allowed = [KINDS[name][0] for name in KINDS if name in classes]
        if allowed and self._settings_class in KINDS:
            self.require_kind(*allowed)
        recorded = self.config["settings"]
        code.check(recorded, self.folder)
        try:
            settings = from_json(recorded, hint)
        except UserError as error:
            raise UserError(f"{self.folder / 'config.json'}, settings: {error}") from error
        if not is_dataclass(settings):
            raise UserError(
                f"{self.folder / 'config.json'} holds no settings that are known; eva train "
                f"and eva compare write them"
            )
        return settings

    def amend(self, **settings: Any) -> None:
        """Change settings in config.json when a run is given more rounds or seeds."""
        with self.locked(WAIT):
            config = self.config
            config["settings"] |= settings
            self.write_json("config", config)

    def note_machine(self, present: Mapping[str, Any]) -> None:
        """Record what continues a run, unless it is what computed the run before."""
        with self.locked(WAIT):
            config = self.config
            last = [config, *config.get("resumed", [])][-1]
            if any(last.get(name) != value for name, value in present.items()):
                config["resumed"] = [*config.get("resumed", []), dict(present)]
                self.write_json("config", config)

    def locked(self, wait: float = 0.0) -> AbstractContextManager[None]:
        """Hold the record's lock, so that no other process writes it; see ``lock.locked``.

        Every method that writes takes the lock for as long as it writes.
        """
        return locked(self.folder, wait)

    def append(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows to ``name``.jsonl in one write; a truncated last line is dropped.

        The manifest counts the rows of FILES at the next checkpoint, and others at once.
        """
        path = self.folder / f"{name}.jsonl"
        text = "".join(map(as_line, rows))
        with self.locked(WAIT), on_disk(path):
            with path.open("a+b") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    if file.read() != b"\n":
                        file.truncate(path.read_bytes().rfind(b"\n") + 1)
                file.write(text.encode())
            if name not in FILES:
                manifest = Manifest.read(self.folder)
                manifest.count(self.folder, [name])
                manifest.write(self.folder)

    def write(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write all rows of ``name``.jsonl; a kill leaves the new file or the old one."""
        path, lines = self.folder / f"{name}.jsonl", list(map(as_line, rows))
        text = "".join(lines)
        with self.locked(WAIT), on_disk(path):
            manifest = Manifest.read(self.folder)
            fewer = name in manifest and len(lines) < manifest[name].rows
            manifest[name] = Entry(len(lines), len(text.encode()))
            if fewer:
                manifest.write(self.folder)
            replace_file(path, text)
            if not fewer:
                manifest.write(self.folder)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write ``name``.json; a kill leaves the new file or the old one."""
        path = self.folder / f"{name}.json"
        with self.locked(WAIT), on_disk(path):
            replace_file(path, json.dumps(content, indent=2) + "\n")

    def missing(self, remade: Sequence[str] = ()) -> list[str]:
        """Return a sentence for each file of the record that lacks rows.

        ``remade`` names files that need not be there, since they will be made again. A manifest
        that is lost is one of these files, and that of the last checkpoint then says how many
        rows the others must have.
        """
        saved = [self.checkpoint(round) / MANIFEST for round in self.checkpoints]
        saved = [copy for copy in saved if copy.exists()]
        manifest, lost = Manifest(), []
        with on_disk(self.folder):
            try:
                manifest = Manifest.read(self.folder)
            except UserError as error:
                lost = [str(error)]
            if not manifest and saved:
                lost = lost or [f"{self.folder / MANIFEST} is missing ({saved[-1]} is a copy)"]
                manifest = Manifest.read(saved[-1].parent)
            for name in remade:
                manifest.pop(name, None)
            return [*lost, *manifest.missing(self.folder)]

    def require_whole(self, remade: Sequence[str] = ()) -> None:
        """Raise UserError, with the file and the rows, if ``missing`` finds any."""
        missing = self.missing(remade)
        if missing:
            raise UserError(
                f"the record is damaged: {'; '.join(missing)}. Restore it from a copy, or "
                f"start a new one"
            )

    def rows(
        self, name: str, schema: Any = None, keys: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Return all rows of ``name``.jsonl; a truncated last line is left out.

        ``schema`` is the type of a row; None: that of ``schema.ROWS``. ``keys`` are further
        keys that the reader needs. UserError names the file, line and field of what is wrong.
        """
        path = self.folder / f"{name}.jsonl"
        with on_disk(path):
            content = path.read_bytes() if path.exists() else b""
        rows = rows_of(content, path, ROWS[name] if schema is None else schema, keys)
        if name == "rounds":
            _require_order(path, rows)
        return rows

    def object(self, name: str, schema: Any, what: str) -> dict[str, Any]:
        """Return the content of ``name``.json; UserError if it breaks the schema.

        ``what`` is what the file is, in the error.
        """
        path = self.folder / f"{name}.json"
        with on_disk(path):
            content = path.read_bytes()
        return object_of(content, path, schema, what=what)

    def history(self) -> Iterator[dict[str, Any]]:
        """Yield the rows that ``train`` yielded up to the last checkpoint."""
        last = max(self.checkpoints, default=-1)
        rounds: dict[int, dict[str, Any]] = {
            row["round"]: row | {"evaluations": {}, "alarms": {}}
            for row in ({"round": 0}, *self.rows("rounds"))
            if row["round"] <= last
        }
        for name, key in (("evaluations", "suite"), ("alarms", "alarm")):
            for row in self.rows(name):
                if row["round"] in rounds:
                    rounds[row["round"]][name][row[key]] = row
        yield from rounds.values()

    def truncate(self, round: int) -> None:
        """Drop the rows and checkpoints that were written after a round, and all drafts."""
        with self.locked(WAIT):
            self._drop_drafts()
            for later in self.checkpoints:
                if later > round:
                    self._remove(later)
            for name in FILES:
                self.write(name, [row for row in self.rows(name) if row["round"] <= round])

    def checkpoint(self, round: int) -> Path:
        """Return the folder of a round's checkpoint, which the policy's ``load`` reads."""
        return self.folder / "checkpoints" / f"round-{round:04d}"

    @property
    def checkpoints(self) -> list[int]:
        """Rounds that have a checkpoint, increasing."""
        folders = (self.folder / "checkpoints").glob("round-*")
        rounds = (folder.name.removeprefix("round-") for folder in folders)
        return sorted(int(round) for round in rounds if round.isdecimal())

    def save(self, round: int, policy: Policy, state: State) -> None:
        """Write a checkpoint; a kill leaves a complete one or none."""
        folder = self.checkpoint(round)
        draft = folder.with_name(f".{folder.name}")
        with self.locked(WAIT), on_disk(folder):
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            policy.save(draft)
            state.write(draft)
            # The disk has the rows before the manifest promises them, and the manifest before
            # the checkpoint, which a resumed run starts from.
            manifest = Manifest.read(self.folder)
            manifest.count(self.folder, FILES)
            manifest.write(self.folder)
            manifest.write(draft)
            share_as_umask_allows(draft)
            replace_folder(draft, folder)

    def prune(self, keep: str, suite: str) -> None:
        """Delete the checkpoints that a setting does not keep: "all", "last" or "best".

        The last one always stays. The best one has the highest win rate on the suite among
        those that were evaluated and scored.
        """
        if keep == "all" or not self.checkpoints:
            return
        kept = {self.checkpoints[-1]}
        if keep == "best":
            scores = {
                row["round"]: row["win_rate"]
                for row in self.rows("evaluations", keys=("win_rate",))
                if row["suite"] == suite
                and row["round"] in self.checkpoints
                and row["win_rate"] is not None
            }
            kept |= {max(scores, key=lambda round: scores[round])} if scores else set()
        for round in self.checkpoints:
            if round not in kept:
                self._remove(round)

    def _drop_drafts(self) -> None:
        """Delete the hidden files and folders of writes that a kill has ended."""
        with on_disk(self.folder):
            for draft in (self.folder / "checkpoints").glob(".round-*"):
                shutil.rmtree(draft)
            for name in (*self.folder.glob(".*.jsonl"), *self.folder.glob(".*.json")):
                name.unlink()

    def _remove(self, round: int) -> None:
        """Delete a checkpoint; a kill leaves a whole one, or a hidden folder."""
        folder = self.checkpoint(round)
        draft = folder.with_name(f".{folder.name}")
        with self.locked(WAIT), on_disk(folder):
            shutil.rmtree(draft, ignore_errors=True)
            os.replace(folder, draft)
            shutil.rmtree(draft)

    def load(self, round: int) -> State:
        """Return the state of a checkpoint, which is plain data: reading it runs no code."""
        folder = self.checkpoint(round)
        if (folder / "state.pt").exists() and not (folder / "state.json").exists():
            raise UserError(
                f"{self.folder} is by an older version of eva, whose checkpoints can run code "
                f"when they are read: this version cannot continue it, but eva report and eva "
                f"evaluate read it"
            )
        try:
            return State.read(folder)
        except (OSError, ValueError, SafetensorError) as error:
            raise UserError(
                f"cannot read the checkpoint ({one_line(error)}): delete {folder} to continue "
                f"from the checkpoint before it"
            ) from error


def _require_order(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise UserError unless the rows are those of rounds 1, 2, 3 ..."""
    for number, row in enumerate(rows, start=1):
        if row["round"] != number:
            raise UserError(
                f"{path}, line {number}, is of round {row['round']}, not {number}: the file is "
                f"damaged, or two processes have written it; restore it from a copy"
            )


def as_line(row: Mapping[str, Any]) -> str:
    """Return a row as a line of JSON; NaN and infinity, which JSON lacks, become null."""
    try:
        return json.dumps(row, allow_nan=False) + "\n"
    except ValueError:
        return json.dumps(_finite(row), allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
