"""Strategies by name, and arms: every creator paired with every solver."""

import ast
import importlib
import re
import sys
import typing
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import typeguard

from agents.base import Creator
from agents.creators import AnyCreator, Oracle
from agents.solvers import AnyMethod, Method
from experiments.cli import HUMP
from experiments.run.errors import UserError

CEILING = "oracle"


@dataclass(frozen=True)
class Arm:
    """A creator against a solver; ``ceiling`` marks oracles, which do not compete."""

    creator: str
    solver: str
    players: tuple[Creator, Method]
    ceiling: bool = False

    @property
    def name(self) -> str:
        """Name of the arm, and of its folder."""
        return f"{self.creator}-{self.solver}"


def pair(creators: Sequence[str], solvers: Sequence[str], suite: str, lr: float) -> list[Arm]:
    """Every creator with every solver; those of the oracle of the suite come last.

    ``lr`` multiplies learning rates that a specification leaves open: a softmax table wants
    longer steps than a transformer.
    """
    players: dict[str, Any] = named(creators, AnyCreator)
    methods = named(solvers, AnyMethod, lr)
    if CEILING in players:
        raise UserError(f"the {CEILING} is added to every comparison; leave it out")
    if all(isinstance(player, Oracle) for player in players.values()):
        raise UserError(
            "an oracle is a ceiling and does not compete; add fresh or another creator"
        )
    players[CEILING] = Oracle(suite=suite)
    return [
        Arm(creator, solver, (player, method), ceiling=isinstance(player, Oracle))
        for creator, player in players.items()
        for solver, method in methods.items()
    ]


def named(specs: Sequence[str], union: Any, lr: float = 1.0) -> dict[str, Any]:
    """Strategies by short name: that of the class, where no other has the same."""
    made = [read(spec, union, lr) for spec in specs]
    if not made or len({repr(strategy) for strategy in made}) < len(made):
        raise UserError(f"name strategies, each of them once; got {' '.join(specs) or 'none'}")
    short = [_name(type(strategy)) for strategy in made]
    taken = [CEILING, *short]
    names = [
        re.sub(r"[^\w.=-]+", ",", spec.lower()) if taken.count(name) > 1 else name
        for spec, name in zip(specs, short, strict=True)
    ]
    return dict(zip(names, made, strict=True))


def read(spec: str, union: Any, lr: float = 1.0) -> Any:
    """The strategy that a specification names, with its settings.

    ``eva``, ``eva:signal=variance,resample=False``, or ``package.module.Class`` for one that is
    not registered. Values are Python literals, or words. Raises UserError.
    """
    name, _, settings = spec.partition(":")
    kind = find(name, union)
    try:
        call = ast.parse(f"f({settings})", mode="eval").body
        words = call.keywords if isinstance(call, ast.Call) and not call.args else [None]
        if not all(word and word.arg for word in words):
            raise ValueError("a setting is written name=value")
        given = {word.arg: _value(word.value) for word in words if word and word.arg}
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise UserError(
            f"cannot read {spec!r}: {reason}; write one like eva:signal=variance,rewrites=2"
        ) from error
    if lr != 1 and "lr" not in given and hasattr(kind, "lr"):
        given["lr"] = kind.lr * lr
    return build(kind, given, spec)


def build(kind: Any, given: dict[str, Any], spec: str) -> Any:
    """A strategy with its settings, whose names, types and values are checked."""
    known = [field.name for field in fields(kind) if field.init]
    hints = typing.get_type_hints(kind)
    for name, value in given.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UserError(f"{spec}: {kind.__name__} has no setting {name!r}; {has}")
        try:
            typeguard.check_type(value, hints[name])
        except typeguard.TypeCheckError as error:
            raise UserError(f"{spec}: {name}={value!r}: {error}") from error
    try:
        return kind(**given)
    except Exception as error:  # the class may be the user's own
        raise UserError(f"{spec}: {_told(error)}") from error


def find(name: str, union: Any) -> Any:
    """The class of a registered name, in any spelling, or of an import path."""
    registered = {kind.__name__.lower(): kind for kind in typing.get_args(union)}
    base: Any = Creator if union is AnyCreator else Method
    what = "creator" if base is Creator else "solver"
    module, _, own = name.rpartition(".")
    if not module:
        if name.replace("-", "").lower() in registered:
            return registered[name.replace("-", "").lower()]
        known = ", ".join(map(_name, registered.values()))
        raise UserError(f"unknown {what} {name!r}; known: {known}; or package.module.Class")
    if "" not in sys.path:  # a file beside the user, for the workers as well
        sys.path.append("")
    try:
        kind = getattr(importlib.import_module(module), own)
    except Exception as error:  # the module may be the user's own
        raise UserError(f"cannot import the {what} {name}: {_told(error)}") from error
    if not (isinstance(kind, type) and issubclass(kind, base) and is_dataclass(kind)):
        raise UserError(
            f"{name} is no dataclass derived from {base.__module__}.{base.__name__}"
        )
    return kind


def _told(error: Exception) -> str:
    """An error on one line, with its type where that says more than "it is wrong"."""
    says = " ".join(str(error).split())
    expected = isinstance(error, TypeError | ValueError | ImportError | AttributeError)
    return says if expected and says else f"{type(error).__name__}: {says}"


def _name(kind: type) -> str:
    """uniform-evolve, dpo, simpo."""
    if issubclass(kind, Method):
        return kind.__name__.lower()
    return HUMP.sub("-", kind.__name__).lower()


def _value(node: ast.expr) -> Any:
    """A literal, or a bare word as text."""
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)
