"""Parts of a run by name: creators, methods, reward models, worlds and policies.

A specification is a registered name, ``package.module.Class`` or ``path/to/file.py:Class``. It
may carry settings after a colon: ``eva:signal=variance,rewrites=2``. Command lines, records and
``eva list`` use the same names.
"""

import ast
import difflib
import re
import typing
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple

import typeguard

from agents.base import Creator
from agents.creators import AnyCreator
from agents.solvers import AnyMethod, Method
from eva_env.names import canonical_name
from eva_env.plugins import is_spec, load_object, spec_of
from eva_env.rewards import AnyRewardModel
from eva_env.world import World
from eva_env.worlds import AnyWorld
from experiments.run.errors import UserError


class Kind(NamedTuple):
    """A kind of part: its registered classes, and the base class of a user's class.

    ``base`` is None where any function, or object with the right methods, is accepted.
    """

    plural: str
    registered: tuple[type, ...]
    base: type | None


KINDS = {
    "creator": Kind("creators", typing.get_args(AnyCreator), Creator),
    "solver": Kind("methods", typing.get_args(AnyMethod), Method),
    "task": Kind("tasks", typing.get_args(AnyWorld), World),
    "reward_model": Kind("rewards", typing.get_args(AnyRewardModel), None),
    "policy": Kind("policies", (), None),
}
"""Kinds by role: the field of ``Settings`` that holds the part."""

# Names


def names(role: str) -> dict[str, type]:
    """Return the registered classes of a kind, by canonical name."""
    return {canonical_name(cls): cls for cls in KINDS[role].registered}


def name_of(part: Any) -> str:
    """Return the name under which records keep a part: canonical, or a plug-in's path."""
    cls = definition(part)
    if any(cls in kind.registered for kind in KINDS.values()):
        return canonical_name(cls)
    return spec_of(cls)


def short_name(part: Any) -> str:
    """Return a part's name for folders and tables: a class in kebab case, or a function."""
    cls = definition(part)
    return canonical_name(cls) if isinstance(cls, type) else cls.__name__


def definition(part: Any) -> Any:
    """Return the class of an object; a class or a function itself."""
    return part if hasattr(part, "__qualname__") else type(part)


# Specifications


def read(role: str, spec: str, world: World | None = None) -> Any:
    """Return the part that a specification names, with its settings.

    Values are Python literals or bare words. In a ``world``, a method whose learning rate the
    specification leaves open gets the one that suits the world. Raises UserError, in one line,
    for whatever is unknown or refused.
    """
    name, text = split(spec)
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
    file = re.match(r"(.*?\.py:\w+)(?::(.*))?$", spec)
    if file:
        return file[1], file[2] or ""
    name, _, settings = spec.partition(":")
    return name, settings


def find(role: str, name: str) -> Any:
    """Return the class or function of a name; UserError with the nearest names."""
    return _find_plugin(role, name) if is_spec(name) else _find_registered(role, name)


def _find_registered(role: str, name: str) -> type:
    registered = names(role)
    for known_name, cls in registered.items():
        if _spelling(known_name) == _spelling(name):
            return cls
    near = difflib.get_close_matches(name.lower(), registered, 3, 0.5)
    nearest = f"the nearest: {', '.join(near)}; " if near else ""
    show = f"eva list {KINDS[role].plural} shows all; " if registered else ""
    raise UserError(
        f"unknown {_in_words(role)} {name!r}; {nearest}{show}or name your own as "
        f"package.module.Class or path/to/file.py:Class"
    )


def _find_plugin(role: str, name: str) -> Any:
    try:
        part = load_object(name)
    except (ImportError, ValueError) as error:
        raise UserError(f"{_in_words(role)} {name}: {error}") from error
    base = KINDS[role].base
    if base is None:
        return part
    if not (isinstance(part, type) and issubclass(part, base) and is_dataclass(part)):
        raise UserError(
            f"{_in_words(role)} {name} must be a dataclass that derives from "
            f"{base.__module__}.{base.__name__}"
        )
    return part


def _spelling(name: str) -> str:
    """A name without the differences that do not count: NashMD, nash_md and nash-md."""
    return name.lower().replace("-", "").replace("_", "")


def _in_words(role: str) -> str:
    return role.replace("_", " ")


# Settings


def read_settings(text: str, spec: str) -> dict[str, Any]:
    """Return the settings ``a=1,b=word`` by name; UserError with an example otherwise."""
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
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise UserError(
            f"cannot read {spec!r}: {reason}; write one like eva:signal=variance,rewrites=2"
        ) from error


def build(cls: Any, settings: Mapping[str, Any], spec: str) -> Any:
    """Return an object of the class; UserError for a setting's name, type or value."""
    options = option_names(cls)
    hints = typing.get_type_hints(cls)
    for name, value in settings.items():
        if name not in options:
            raise UserError(f"{spec}: {no_setting(canonical_name(cls), name, options)}")
        try:
            typeguard.check_type(value, hints[name])
        except typeguard.TypeCheckError as error:
            raise UserError(f"{spec}: {name}={value!r}: {error}") from error
    try:
        return cls(**settings)
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


def in_one_line(error: Exception) -> str:
    """Return an error's message in one line, with its type where the message is unclear."""
    message = " ".join(str(error).split())
    clear = isinstance(error, TypeError | ValueError | ImportError | AttributeError)
    return message if clear and message else f"{type(error).__name__}: {message}"


def _value(node: ast.expr) -> Any:
    """A literal, or a bare word as a string."""
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)
