"""Settings as plain JSON with class names, and back; what else a run must remember."""

import subprocess
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from experiments.run.errors import UserError

PACKAGES = {"eva": "eva-env"} | {
    name: name for name in ("torch", "numpy", "transformers", "gymnasium", "pettingzoo")
}


def to_json(value: Any) -> Any:
    """Nested settings as JSON, dataclasses by name: ``{"type": "DPO", "beta": 0.1, ...}``."""
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: to_json(getattr(value, field.name)) for field in _settings(value)}
        return {"type": type(value).__name__, **own}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if callable(value):
        return value.__name__
    return value


def from_json(data: Any, hint: Any) -> Any:
    """The inverse of ``to_json``: an object of the annotated type, a class or a union.

    Raises UserError for a class or a setting that the annotation does not know.
    """
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = typing.get_args(hint) if union else (hint,)
    if isinstance(data, dict) and "type" in data:
        return _restore(data, [kind for kind in kinds if is_dataclass(kind)])
    if isinstance(data, list):
        return tuple(data)
    return Path(data) if isinstance(data, str) and Path in kinds else data


def _restore(data: Mapping[str, Any], kinds: list[Any]) -> Any:
    known = {kind.__name__: kind for kind in kinds}
    if data["type"] not in known:
        raise UserError(f"unknown class {data['type']!r} in the settings; known: {[*known]}")
    kind = known[data["type"]]
    hints = typing.get_type_hints(kind)
    own = {name: value for name, value in data.items() if name != "type"}
    unknown = set(own) - {field.name for field in _settings(kind)}
    if unknown:
        raise UserError(f"{data['type']} has no setting {sorted(unknown)[0]!r} in this version")
    try:
        return kind(**{name: from_json(value, hints[name]) for name, value in own.items()})
    except (TypeError, ValueError) as error:
        raise UserError(f"{data['type']}: {error}") from error


def _settings(of: Any) -> list[Any]:
    return [field for field in fields(of) if field.init]


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


def _commit() -> str | None:
    """The commit of this code, None outside a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
