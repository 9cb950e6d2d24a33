"""Parts of a run by name: creators, methods, reward models, worlds and policies.

A name is registered, or it is ``package.module.Class`` or ``path/to/file.py:Class``. Command
lines, records and ``eva list`` use the same names.
"""

import difflib
import typing
from dataclasses import is_dataclass
from typing import Any, NamedTuple

from agents.base import Creator
from agents.creators import AnyCreator
from agents.policies.pretrained import Pretrained
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
    "policy": Kind("policies", (Pretrained,), None),
}
"""Kinds by role: the field of ``Settings`` that holds the part."""


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
