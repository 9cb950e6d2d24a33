"""Parts of a run by name: creators, methods, reward models, worlds and policies.

A specification is a registered name, ``package.module.Class`` or ``path/to/file.py:Class``,
with settings behind a colon if need be: ``eva:signal=variance,rewrites=2``. The same names
stand on the command line, in records and in ``eva list``.
"""

import ast
import difflib
import re
import typing
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
    """A kind of part: the classes registered for it, and the class that a user's derives from.

    ``base`` is None where any callable or object with the right methods will do.
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
"""By the name of the field of ``Settings`` that holds the part."""


def names(role: str) -> dict[str, type]:
    """The registered classes of a kind, by canonical name."""
    return {canonical_name(cls): cls for cls in KINDS[role].registered}


def name_of(part: Any) -> str:
    """The name by which records and ``find`` know a part: canonical, or the path of a plug-in."""
    cls: Any = part if hasattr(part, "__qualname__") else type(part)
    if any(cls in kind.registered for kind in KINDS.values()):
        return canonical_name(cls)
    return spec_of(cls)


def short_name(part: Any) -> str:
    """A part's name for folders and tables: that of its class in kebab case."""
    return canonical_name(type(part)) if not hasattr(part, "__qualname__") else part.__name__


def find(role: str, name: str) -> Any:
    """The class, or function, that a name stands for; UserError with the nearest names."""
    kind, what = KINDS[role], role.replace("_", " ")
    if not is_spec(name):
        registered = names(role)
        spellings = {known.replace("-", ""): known for known in registered}
        known = spellings.get(name.lower().replace("-", "").replace("_", ""))
        if known is not None:
            return registered[known]
        nearest = difflib.get_close_matches(name.lower(), registered, 3, 0.5)
        nearest = f"the nearest: {', '.join(nearest)}; " if nearest else ""
        raise UserError(
            f"unknown {what} {name!r}; {nearest}eva list {kind.plural} shows all; or name your "
            f"own as package.module.Class or path/to/file.py:Class"
        )
    try:
        part = load_object(name)
    except (ImportError, ValueError) as error:
        raise UserError(f"{what} {name}: {error}") from error
    base = kind.base
    if base is not None and not (
        isinstance(part, type) and issubclass(part, base) and is_dataclass(part)
    ):
        raise UserError(
            f"{what} {name} must be a dataclass that derives from "
            f"{base.__module__}.{base.__name__}"
        )
    return part


def read(role: str, spec: str, world: World | None = None) -> Any:
    """The part that a specification names, with its settings; UserError if it is refused.

    Values are Python literals, or bare words. In a ``world``, a learning rate that the
    specification leaves open is the one that suits it.
    """
    name, settings = split(spec)
    part = find(role, name)
    given = read_settings(settings, spec)
    if not isinstance(part, type):
        if given:
            raise UserError(f"{spec}: a function has no settings")
        return part
    built = build(part, given, spec)
    return built if world is None or "lr" in given else suited(built, world)


def split(spec: str) -> tuple[str, str]:
    """The name and the settings of a specification; the path of a file may hold no colon."""
    path = re.match(r"(.*?\.py:\w+)(?::(.*))?$", spec)
    if path:
        return path[1], path[2] or ""
    name, _, settings = spec.partition(":")
    return name, settings


def read_settings(text: str, spec: str) -> dict[str, Any]:
    """The settings ``a=1,b=word`` by name; UserError, with an example, for anything else."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        keywords = call.keywords if isinstance(call, ast.Call) and not call.args else [None]
        if not all(keyword and keyword.arg for keyword in keywords):
            raise ValueError("a setting is written name=value")
        return {word.arg: _value(word.value) for word in keywords if word and word.arg}
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise UserError(
            f"cannot read {spec!r}: {reason}; write one like eva:signal=variance,rewrites=2"
        ) from error


def build(cls: Any, given: dict[str, Any], spec: str) -> Any:
    """An object of the class, whose settings' names, types and values are checked."""
    specs = getattr(cls, "__dataclass_fields__", {})
    options = [name for name, field in specs.items() if field.init]
    hints = typing.get_type_hints(cls)
    for name, value in given.items():
        if name not in options:
            raise UserError(f"{spec}: {no_setting(canonical_name(cls), name, options)}")
        try:
            typeguard.check_type(value, hints[name])
        except typeguard.TypeCheckError as error:
            raise UserError(f"{spec}: {name}={value!r}: {error}") from error
    try:
        return cls(**given)
    except Exception as error:  # the class may be the user's
        raise UserError(f"{spec}: {in_one_line(error)}") from error


def no_setting(owner: str, name: str, options: typing.Collection[str]) -> str:
    """An error text for an unknown setting, with the nearest ones or all there are."""
    nearest = difflib.get_close_matches(name, options, 3, 0.5)
    shown = f"the nearest: {', '.join(nearest)}" if nearest else f"it has {', '.join(options)}"
    return f"{owner} has no setting {name!r}; {shown if options else 'it has none'}"


def suited(method: Any, world: World) -> Any:
    """The method with the learning rate that suits a world, if it has its class's default.

    A softmax table needs steps some hundred times as long as a transformer's.
    """
    default = next((f.default for f in fields(method) if f.name == "lr"), None)
    if default is None or method.lr != default or world.sizes.lr == 1:
        return method
    return replace(method, lr=method.lr * world.sizes.lr)


def in_one_line(error: Exception) -> str:
    """An error's message on one line, with its type where the message alone is unclear."""
    message = " ".join(str(error).split())
    clear = isinstance(error, TypeError | ValueError | ImportError | AttributeError)
    return message if clear and message else f"{type(error).__name__}: {message}"


def _value(node: ast.expr) -> Any:
    """A literal, or a bare word as text."""
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)
