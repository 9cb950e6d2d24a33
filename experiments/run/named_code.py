"""Code of a user's own that a record names, and that the user must name again.

A record may come from a stranger, and importing a file runs it. So a record's parts, rewards
and signals that are not ours are imported only if the command line names them too, and never
from the folder of the record. A name is judged without any import.
"""

import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Self

from eva_env.plugins import absolute, is_spec
from experiments.run.errors import UserError
from experiments.run.parts import KINDS
from experiments.run.specifications import read_settings, split

OURS = ("eva_env", "agents", "experiments.examples")
"""Packages whose parts a record may name. The rest of ``experiments`` holds commands."""

REWARDS = ("reward", "creator_reward", "judge")
SIGNALS = ("signal",)
SPECIFICATIONS = ("creators", "solvers")
"""Settings whose text may name code: ``file.py:Name`` or ``package.module.Name``."""

PART = re.compile(rf"({'|'.join(role.replace('_', '-') for role in KINDS)}):(.+)", re.DOTALL)
IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


@dataclass(frozen=True, kw_only=True)
class ReadsRecords:
    """The option of every command that reads the settings of a record."""

    code: tuple[str, ...] = ()
    """Code of your own that the record names and that you trust, such as own.py:Name."""


@dataclass(frozen=True)
class NamedCode:
    """The code that a user names, which a record may then import."""

    specs: tuple[str, ...] = ()
    command: str = ""
    """The command line without ``--code``, which an error repeats."""

    @classmethod
    def of(cls, words: Sequence[str]) -> Self:
        """Return the code that a command line names, in ``--code`` or anywhere else.

        ``words`` begin with the name of the command.
        """
        kept, specs, in_code = [], [], False
        for word in words:
            name, equals, value = word.partition("=")
            if word.startswith("--"):
                in_code = name == "--code"
            if not in_code:
                kept.append(word)
            typed = value if word.startswith("--") and equals else word
            specs += _specs_in(typed)
        return cls(tuple(specs), shlex.join(["eva", *kept]))

    def check(self, settings: Any, folder: Path) -> None:
        """Raise UserError if a record's settings name code that the user has not named.

        ``folder`` is the record's. Code inside it, or inside the comparison that holds it, is
        refused in any case.
        """
        named = list(code_in(settings))
        for where, spec in named:
            if not spec.isprintable():
                raise UserError(f"{folder} names code that has no name: {where} {spec!r}")
        code = [(where, spec) for where, spec in named if not is_ours(spec)]
        for where, spec in code:
            if _is_inside(spec, _root(folder)):
                raise UserError(
                    f"{folder} names code inside its own folder: {where} {spec}. It never "
                    f"runs; move the file to another folder if you trust it, and begin a new "
                    f"run with it"
                )
        trusted = {absolute(spec) for spec in self.specs}
        unnamed = [(where, spec) for where, spec in code if absolute(spec) not in trusted]
        if not unnamed:
            return
        names = ", ".join(f"{where} {spec}" for where, spec in dict.fromkeys(unnamed))
        specs = shlex.join(dict.fromkeys(spec for _, spec in code))
        raise UserError(
            f"{folder} names code of its own: {names}. If you trust it, name it again: "
            f"{self.command or 'your command'} --code {specs}"
        )


NO_CODE = NamedCode()


def code_in(data: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the setting and the spec of all code that settings name, as JSON holds them.

    ``name`` is the setting that holds ``data``.
    """
    if isinstance(data, Mapping):
        kind = data.get("type")
        if isinstance(kind, str) and is_spec(kind):
            yield name or "type", kind
        for key, value in data.items():
            if key != "type":
                yield from code_in(value, key)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from code_in(item, name)
    elif isinstance(data, str):
        yield from ((name, spec) for spec in _specs_of_text(data, name))


def is_ours(spec: str) -> bool:
    """Return whether a spec names a module of our own packages, as this process runs them."""
    location, colon, _ = spec.rpartition(":")
    folders = [_package_folder(package) for package in OURS]
    if colon:
        path = Path(location).expanduser().resolve()
        return any(path.is_relative_to(folder) for folder in folders) and path.is_file()
    module = spec.rpartition(".")[0]
    for package, folder in zip(OURS, folders, strict=True):
        if module == package or module.startswith(f"{package}."):
            inner = folder.joinpath(*module.removeprefix(package).split(".")[1:])
            path = inner / "__init__.py" if inner.is_dir() else inner.with_suffix(".py")
            return path.is_file() and path.resolve().is_relative_to(folder)
    return False


def _package_folder(package: str) -> Path:
    """The real folder of a package of ours; its top level is imported already."""
    top, *inner = package.split(".")
    file = sys.modules[top].__file__
    assert file is not None
    return Path(file).resolve().parent.joinpath(*inner)


def _specs_in(word: str) -> Iterator[str]:
    """The specs that a word of a command line holds: a part's, or those of its settings."""
    match = PART.fullmatch(word)
    text = match[2] if match else word
    yield text
    yield from _specs_of_text(text, SPECIFICATIONS[0])


def _specs_of_text(text: str, name: str) -> Iterator[str]:
    """The specs in the text of a setting."""
    is_reward = ".py:" in text or IMPORT_PATH.fullmatch(text) is not None
    if (name in REWARDS and is_reward) or (name in SIGNALS and is_spec(text)):
        yield text
    if name not in SPECIFICATIONS:
        return
    part, settings = split(text)
    if is_spec(part):
        yield part
    try:
        values = read_settings(settings, text)
    except UserError:  # no specification; the code that reads it says so
        return
    yield from (spec for _, spec in code_in(values))


def _root(folder: Path) -> Path:
    """The real folder of a record, or of the comparison whose cell it is."""
    folder = folder.resolve()
    inside = next((path for path in folder.parents if path.name == "cells"), None)
    return folder if inside is None else inside.parent


def _is_inside(spec: str, root: Path) -> bool:
    """Whether a file, or a module or one of its packages, would be read from a folder."""
    location, colon, _ = spec.rpartition(":")
    if colon:
        return Path(location).expanduser().resolve().is_relative_to(root)
    search, names = ["", *sys.path], spec.split(".")[:-1]
    for place in range(len(names)):
        found = PathFinder.find_spec(".".join(names[: place + 1]), search)
        if found is None:
            return False
        search = list(found.submodule_search_locations or [])
        files = [file for file in (found.origin, *search) if file]
        if any(Path(file).resolve().is_relative_to(root) for file in files):
            return True
    return False
