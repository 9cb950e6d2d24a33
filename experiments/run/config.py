"""Convert settings to plain JSON or TOML, with the names of parts, and back."""

import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w
import typeguard

from eva_env.plugins import in_one_line
from experiments.run.errors import UserError
from experiments.run.judging import judged_by
from experiments.run.machine import machine
from experiments.run.parts import KINDS, find, name_of
from experiments.run.seeds import seed_tree
from experiments.run.specifications import no_setting, option_names, read

ALL_ITEMS = typeguard.CollectionCheckStrategy.ALL_ITEMS

SHOWN = 80
"""Characters of a wrong value that an error shows."""


def to_json(value: Any, role: str = "") -> Any:
    """Return nested settings as JSON, objects by name: ``{"type": "dpo", "beta": 0.1, ...}``.

    ``role`` is the field that holds the value; parts are recorded under the names of
    ``parts.py``, other dataclasses under that of their class.
    """
    if is_dataclass(value) and not isinstance(value, type):
        name = name_of(value) if role in KINDS else type(value).__name__
        options = {name: to_json(getattr(value, name), name) for name in option_names(value)}
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
    """Return the object that ``to_json`` wrote, of the annotated class or a part of a role.

    Raises UserError for an unknown class or setting.
    """
    if role in KINDS and isinstance(data, Mapping):
        part = find(role, _name_in(data))
        return _restored(data, part) if isinstance(part, type) else part
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    hints = typing.get_args(hint) if is_union else (hint,)
    if isinstance(data, str):
        return Path(data) if Path in hints and str not in hints else data
    if isinstance(data, list):
        return _sequence(data, hints)
    return _mapping(data, hints) if isinstance(data, dict) else data


def _sequence(data: list[Any], hints: Sequence[Any]) -> Any:
    """A list or a tuple, as the first hint of a sequence says; a tuple without one."""
    for hint in hints:
        kind, items = typing.get_origin(hint) or hint, typing.get_args(hint)
        if kind not in (list, tuple):
            continue
        if not items:
            return kind(data)
        if kind is list or items[-1] is Ellipsis:
            items = items[:1] * len(data)
        return kind(from_json(item, of) for item, of in zip(data, items, strict=True))
    return tuple(data)


def _mapping(data: dict[str, Any], hints: Sequence[Any]) -> Any:
    """An object, if the hints allow its class, or a dictionary."""
    classes = {getattr(kind, "__name__", ""): kind for kind in hints if is_dataclass(kind)}
    if "type" in data and _name_in(data) in classes:
        return _restored(data, classes[data["type"]])
    if classes and "type" in data:
        raise UserError(
            f"unknown class {data.get('type')!r} in the settings; known: {[*classes]}"
        )
    arguments = next((typing.get_args(hint) for hint in hints if typing.get_args(hint)), ())
    if len(arguments) != 2:
        return data
    key, value = arguments  # JSON's keys are text
    return {key(k) if key in (int, float) else k: from_json(v, value) for k, v in data.items()}


def overlay(base: Any, table: Mapping[str, Any], where: str) -> Any:
    """Return the settings with those of a config file's table in their place.

    A part is written as on the command line, ``creator = "eva"``, or as a table with a
    ``type``; a table without one changes the part in ``base``. UserError, which begins with
    ``where``, for an unknown setting or a value of the wrong type.
    """
    hints, options, changes = typing.get_type_hints(type(base)), option_names(base), {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name == "type":
            continue
        if name not in options:
            raise UserError(f"{where}: {no_setting(type(base).__name__, name, options)}")
        changes[name] = _overlaid(base, name, value, hints[name], f"{where}, {key}")
    if not changes:  # a function has no settings
        return base
    try:
        return replace(base, **changes)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


def _overlaid(base: Any, name: str, value: Any, hint: Any, where: str) -> Any:
    """The new value of one setting of ``base``."""
    current, world = getattr(base, name), getattr(base, "task", None)
    if name in KINDS and isinstance(value, str) and name != "policy":
        return read(name, value, world)
    if isinstance(value, Mapping):
        if name in KINDS and "type" in value:
            part = read(name, _name_in(value), world)
            return overlay(part, value, where)
        if is_dataclass(current):
            return overlay(current, value, where)
    try:
        return typeguard.check_type(from_json(value, hint), hint)
    except (TypeError, ValueError, typeguard.TypeCheckError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{where} = {value!r}: {reason}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a config file; UserError if it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"cannot read the config file {path}: {error}") from error
    except RecursionError as error:
        raise UserError(
            f"cannot read the config file {path}: it is nested too deeply"
        ) from error


def to_toml(settings: Any) -> str:
    """Return settings as a config file that ``--config`` reads; None is left out."""
    return tomli_w.dumps(_without_none(to_json(settings)))


def describe(settings: Any, argv: list[str]) -> dict[str, Any]:
    """Return the content of config.json.

    It holds the settings, facts about the world's prompts, the judge, the seeds, versions, git
    commit, hardware and command line.
    """
    seed = getattr(settings, "seed", None)
    return {
        "settings": to_json(settings),
        "world": {"deciding": settings.task.deciding, **settings.task.facts()},
        "seed": seed,
        "seeds": None if seed is None else seed_tree(seed),
        "argv": argv,
        "judged_by": judged_by(getattr(settings, "conditions", settings)),
        **machine(),
    }


def _restored(data: Mapping[str, Any], cls: Any) -> Any:
    """An object of a class from its JSON."""
    hints, options = typing.get_type_hints(cls), option_names(cls)
    values = {}
    for name, value in data.items():
        if name == "type":
            continue
        if name not in options:
            raise UserError(f"{data['type']} has no setting {name!r} in this version")
        values[name] = _typed(value, hints[name], name, data["type"])
    try:
        return cls(**values)
    except UserError:
        raise
    except Exception as error:  # the class may be the user's
        raise UserError(f"{data['type']}: {in_one_line(error)}") from error


def _typed(data: Any, hint: Any, name: str, owner: str) -> Any:
    """The value of a setting; UserError if it does not have the annotated type."""
    try:
        value = from_json(data, hint, name)
        return typeguard.check_type(value, hint, collection_check_strategy=ALL_ITEMS)
    except (TypeError, ValueError, typeguard.TypeCheckError) as error:
        shown = repr(data) if len(repr(data)) <= SHOWN else f"{repr(data)[:SHOWN]}..."
        reason = " ".join(str(error).split())
        raise UserError(f"{owner}: {name} = {shown}: {reason}") from error


def _name_in(data: Mapping[str, Any]) -> str:
    """The name of the class or part that an object of JSON has; UserError without one."""
    name = data.get("type")
    if not isinstance(name, str):
        raise UserError(f"a part of the settings has the type {name!r}; a name is needed")
    return name


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value
