"""Settings as plain JSON or TOML, with the names of parts, and back."""

import subprocess
import sys
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import tomli_w
import typeguard

from experiments.run.errors import UserError
from experiments.run.parts import KINDS, find, in_one_line, name_of, no_setting, read, suited

PACKAGES = {"eva": "eva-env"} | {
    name: name for name in ("torch", "numpy", "transformers", "gymnasium", "pettingzoo")
}


def to_json(value: Any, role: str = "") -> Any:
    """Nested settings as JSON, objects by name: ``{"type": "dpo", "beta": 0.1, ...}``.

    ``role`` is the setting that holds the value: parts are known by the names of ``parts.py``.
    """
    if is_dataclass(value) and not isinstance(value, type):
        options = {name: to_json(getattr(value, name), name) for name in _options(value)}
        name = name_of(value) if role in KINDS else type(value).__name__
        return {"type": name, **options}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return {"type": name_of(value)}


def from_json(data: Any, hint: Any, role: str = "") -> Any:
    """The inverse of ``to_json``: an object of the annotated class, or a part of a role.

    Raises UserError for a class or a setting that is unknown.
    """
    if role in KINDS and isinstance(data, Mapping):
        part = find(role, data["type"])
        return _restored(data, part) if isinstance(part, type) else part
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    hints = typing.get_args(hint) if union else (hint,)
    if isinstance(data, dict) and "type" in data:
        classes = {getattr(kind, "__name__", ""): kind for kind in hints if is_dataclass(kind)}
        if data["type"] not in classes:
            raise UserError(
                f"unknown class {data['type']!r} in the settings; known: {[*classes]}"
            )
        return _restored(data, classes[data["type"]])
    if isinstance(data, list):
        return tuple(data)
    return Path(data) if isinstance(data, str) and Path in hints else data


def overlay(base: Any, table: Mapping[str, Any], where: str) -> Any:
    """The settings with those of a table in their place, as a config file gives them.

    Parts are named like on the command line, ``creator = "eva"``, or are tables with a
    ``type``; without one, a table changes the part that is there. UserError names what is
    unknown or of the wrong type.
    """
    hints, changes = typing.get_type_hints(type(base)), {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name == "type":
            continue
        if name not in _options(base):
            raise UserError(f"{where}: {no_setting(type(base).__name__, name, _options(base))}")
        current = getattr(base, name)
        if name in KINDS and isinstance(value, str) and name != "policy":
            value = read(name, value, getattr(base, "task", None))
        elif name in KINDS and isinstance(value, Mapping) and "type" in value:
            part = build_part(name, value["type"], getattr(base, "task", None))
            value = overlay(part, value, f"{where}, {key}")
        elif is_dataclass(current) and isinstance(value, Mapping):
            value = overlay(current, value, f"{where}, {key}")
        else:
            value = _checked(from_json(value, hints[name]), hints[name], f"{where}: {key}")
        changes[name] = value
    try:
        return replace(base, **changes)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


def build_part(role: str, name: str, world: Any = None) -> Any:
    """A part with its default settings, or the function that the name stands for."""
    part = find(role, name)
    if not isinstance(part, type):
        return part
    try:
        return part() if world is None else suited(part(), world)
    except Exception as error:  # the class may be the user's
        raise UserError(f"{role} {name}: {in_one_line(error)}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a config file; UserError if it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"cannot read the config file {path}: {error}") from error


def to_toml(settings: Any) -> str:
    """Settings as a config file that ``--config`` reads back; None is left out."""
    return tomli_w.dumps(_without_none(to_json(settings)))


def describe(settings: Any, argv: list[str]) -> dict[str, Any]:
    """The content of config.json: settings, versions, git commit if any, command line."""
    versions = {name: metadata.version(package) for name, package in PACKAGES.items()}
    return {
        "settings": to_json(settings),
        "seed": getattr(settings, "seed", None),
        "argv": argv,
        "versions": {"python": sys.version.split()[0], **versions},
        "commit": _commit(),
    }


def _restored(data: Mapping[str, Any], kind: Any) -> Any:
    """An object of a class from its JSON."""
    hints = typing.get_type_hints(kind)
    options = {name: value for name, value in data.items() if name != "type"}
    unknown = [name for name in options if name not in _options(kind)]
    if unknown:
        raise UserError(f"{data['type']} has no setting {unknown[0]!r} in this version")
    try:
        values = {name: from_json(value, hints[name], name) for name, value in options.items()}
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise UserError(f"{data['type']}: {error}") from error


def _options(of: Any) -> list[str]:
    """The names of a dataclass's settings."""
    return [field.name for field in fields(of) if field.init] if is_dataclass(of) else []


def _checked(value: Any, hint: Any, where: str) -> Any:
    try:
        return typeguard.check_type(value, hint)
    except typeguard.TypeCheckError as error:
        raise UserError(f"{where} = {value!r}: {error}") from error


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value


def _commit() -> str | None:
    """The commit of this code, None outside a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
