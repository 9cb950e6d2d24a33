"""Parts with their settings as text: ``eva:signal=variance,rewrites=2``.

A specification is the name of a part, see ``parts.py``, with settings after a colon.
"""

import ast
import difflib
import re
import typing
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import typeguard

from eva_env.names import canonical_name
from eva_env.plugins import in_one_line
from eva_env.world import World
from experiments.run.errors import UserError
from experiments.run.parts import find, name_of

UNQUOTED = re.compile(r"\w+=[\w./\\:-]+(?:,\w+=[\w./\\:-]+)*")
"""Settings whose values are numbers, words or paths, all without quotes."""


def read(role: str, spec: str, world: World | None = None) -> Any:
    """Return the part that a specification names, with its settings.

    Values are Python literals or bare words. In a ``world``, a method whose learning rate the
    specification leaves open gets the one that suits the world. Raises UserError, in one line,
    for whatever is unknown or refused.
    """
    name, text = split(spec)
    spec = " ".join(spec.split())  # as errors show it
    part, settings = find(role, name), read_settings(text, spec)
    if not isinstance(part, type):
        if settings:
            raise UserError(f"{spec}: a function has no settings")
        return part
    built = build(part, settings, spec)
    if role != "solver" or world is None or "lr" in settings:
        return built
    return suited(built, world)


def split(spec: str) -> tuple[str, str]:
    """Return the name and the settings of a specification; a file's path holds no colon."""
    file = re.match(r"([^=]*?\.py:\w+)(?::(.*))?$", spec)
    if file:
        return file[1], file[2] or ""
    name, _, settings = spec.partition(":")
    return name, settings


def specification(part: Any) -> str:
    """Return the text that names a part and the settings that differ from their defaults.

    Raises TypeError for a class of the notebook itself, which worker processes cannot import,
    and for a setting that has no literal, such as an array.
    """
    if type(part).__module__ == "__main__":
        raise TypeError(
            f"{type(part).__name__} is defined in the notebook, where worker processes cannot "
            f"find it; move it to a file and import it"
        )
    changed = []
    for setting in fields(part):
        value = getattr(part, setting.name)
        if setting.init and value != _default(setting):
            changed.append(f"{setting.name}={_literal(setting.name, value)}")
    return ":".join([name_of(part), ",".join(changed)]) if changed else name_of(part)


def read_settings(text: str, spec: str) -> dict[str, Any]:
    """Return the settings ``a=1,b=word`` by name; UserError with an example otherwise."""
    if UNQUOTED.fullmatch(text):
        pairs = (item.partition("=") for item in text.split(","))
        return {name: _plain_value(value) for name, _, value in pairs}
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("a setting is written name=value")
        settings = {}
        for keyword in call.keywords:
            if keyword.arg is None:
                raise ValueError("a setting is written name=value")
            settings[keyword.arg] = _value(keyword.value)
        return settings
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else in_one_line(error)
        raise UserError(
            f"cannot read {spec!r}: {reason}; write one like eva:signal=variance,rewrites=2"
        ) from error


def build(cls: Any, settings: Mapping[str, Any], spec: str) -> Any:
    """Return an object of the class; UserError for a setting's name, type or value."""
    options = option_names(cls)
    hints, values = typing.get_type_hints(cls), {}
    for name, value in settings.items():
        if name not in options:
            raise UserError(f"{spec}: {no_setting(canonical_name(cls), name, options)}")
        if isinstance(value, str) and _is_path(hints[name]):
            value = Path(value)
        try:
            typeguard.check_type(value, hints[name])
        except typeguard.TypeCheckError as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{spec}: {name}={value!r}: {reason}") from error
        values[name] = value
    try:
        return cls(**values)
    except Exception as error:  # the class may be the user's
        raise UserError(f"{spec}: {in_one_line(error)}") from error


def option_names(part: Any) -> list[str]:
    """Return the names of a dataclass's settings; none for anything else."""
    return [field.name for field in fields(part) if field.init] if is_dataclass(part) else []


def no_setting(owner: str, name: str, options: Collection[str]) -> str:
    """Return an error text for an unknown setting: with the nearest ones, or with all."""
    if not options:
        return f"{owner} has no setting {name!r}; it has none"
    near = difflib.get_close_matches(name, options, 3, 0.5)
    remedy = f"the nearest: {', '.join(near)}" if near else f"it has {', '.join(options)}"
    return f"{owner} has no setting {name!r}; {remedy}"


def suited(method: Any, world: World) -> Any:
    """Return the method with the learning rate that suits a world.

    A rate that differs from the class's default is kept. A softmax table needs steps some
    hundred times as long as a transformer's.
    """
    default = {field.name: field.default for field in fields(method)}.get("lr")
    if default is None or method.lr != default or world.sizes.lr == 1:
        return method
    return replace(method, lr=method.lr * world.sizes.lr)


def _default(setting: Field[Any]) -> Any:
    """The default of a dataclass field; a value that equals no other if it has none."""
    if setting.default_factory is not MISSING:
        return setting.default_factory()
    return setting.default


def _literal(name: str, value: Any) -> str:
    """The Python literal of a value; TypeError if it has none."""
    try:
        ast.literal_eval(repr(value))
    except (SyntaxError, ValueError) as error:
        raise TypeError(
            f"{name}={value!r} has no literal, so worker processes cannot read it; give a "
            f"number, a string, or a tuple, list or dict of these"
        ) from error
    return repr(value)


def _is_path(hint: Any) -> bool:
    """True if a text stands for a path: the hint allows a path, and no text."""
    hints = typing.get_args(hint) or (hint,)
    return Path in hints and str not in hints


def _plain_value(text: str) -> Any:
    """A literal such as 2.0 or None; anything else is text."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _value(node: ast.expr) -> Any:
    """A literal, or a bare word as a string."""
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)
