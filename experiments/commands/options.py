"""The options of a command: parts such as ``creator:eva``, then ``--name value``.

1. Parts and ``--config`` are read first; they decide which options there are.
2. The defaults are the world's, then the config file's, or those of a record that is resumed.
3. tyro reads the typed options over these defaults.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import tyro

from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.commands.help import long_help, short_help
from experiments.run.config import overlay, read_toml, to_json
from experiments.run.errors import UserError
from experiments.run.parts import KINDS, read
from experiments.run.settings import Conditions

Options = TypeVar("Options")
Command = TypeVar("Command")

PART = re.compile(rf"({'|'.join(role.replace('_', '-') for role in KINDS)}):(.+)", re.DOTALL)


@dataclass
class Arguments:
    """The arguments of a command, with what must be known before the options are."""

    parts: dict[str, str]
    """Specifications by role."""
    config: dict[str, Any]
    """The tables of the config file."""
    config_path: str
    rest: list[str]
    """The options."""

    @classmethod
    def of(cls, args: Sequence[str], roles: Sequence[str]) -> "Arguments":
        """Split the arguments of a command that takes parts of these roles."""
        parts: dict[str, str] = {}
        rest: list[str] = []
        for arg in _with_policy_as_part(args):
            match = PART.fullmatch(arg)
            if match is None:
                rest.append(arg)
                continue
            role = match[1].replace("-", "_")
            if role not in roles:
                known = ", ".join(f"{name.replace('_', '-')}:" for name in roles)
                raise UserError(f"{arg} has no place here; this command takes {known}")
            if role in parts:
                raise UserError(f"{match[1]}: is given twice: {parts[role]} and {match[2]}")
            parts[role] = match[2]
        path = option(rest, "--config")
        return cls(parts, read_toml(Path(path)) if path else {}, path or "", rest)

    def world(self, config: dict[str, Any]) -> World:
        """The world that a part or the config file names; wordlist if neither does."""
        if "task" in self.parts:
            return read("task", self.parts["task"])
        given = config.get("task", "wordlist")
        blank = Conditions()
        return overlay(blank, {"task": given}, self.config_path).task if given else Wordlist()


def settings_from(arguments: Arguments, base: Any, tables: dict[str, Any]) -> Any:
    """Settings with the config file's tables, then the typed parts, in their place."""
    tables = {key: value for key, value in tables.items() if key != "task"}
    settings = overlay(base, tables, arguments.config_path)
    chosen = {}
    for role, spec in arguments.parts.items():
        if role == "policy":
            chosen[role] = read_policy(spec)
        elif role != "task":
            chosen[role] = read(role, spec, settings.task)
    return replace(settings, **chosen)


def read_policy(spec: str) -> Any:
    """A policy of the user's own, or the name or folder of a checkpoint, made absolute."""
    if ".py:" in spec or (not Path(spec).exists() and re.fullmatch(r"[\w.]+\.\w+(:.*)?", spec)):
        return read("policy", spec)
    return str(Path(spec).resolve()) if Path(spec).is_dir() else spec


def parse(command: Command, args: list[str], prog: str, short: Sequence[str] = ()) -> Command:
    """The command with the typed options in the place of its defaults.

    ``short`` names the options that ``--help`` shows; without it, all. What a class refuses
    is a UserError.
    """
    if {"-h", "--help"} & {*args} or "--help-all" in args:
        whole = not short or "--help-all" in args
        print(long_help(command, prog) if whole else short_help(command, prog, short))
        raise SystemExit(0)
    bare, restored = _without_functions(command)
    try:
        parsed = tyro.cli(
            type(command),
            args=args,
            default=bare,
            prog=f"eva {prog}",
            config=(tyro.conf.AvoidSubcommands,),
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    return restored(parsed)


def option(args: Sequence[str], name: str) -> str | None:
    """The value of an option that must be known before the others; None if it is absent."""
    for place, arg in enumerate(args):
        if arg == name:
            if place + 1 == len(args):
                raise UserError(f"{name} needs a value")
            return args[place + 1]
        if arg.startswith(f"{name}="):
            return arg.partition("=")[2]
    return None


def differences(before: Any, after: Any) -> dict[str, tuple[Any, Any]]:
    """The settings in which two objects differ, by dotted name, as (before, after)."""
    return dict(_differences(to_json(before), to_json(after), ""))


def _differences(before: Any, after: Any, name: str) -> Any:
    if isinstance(before, dict) and isinstance(after, dict):
        if before.get("type") == after.get("type"):
            for key in before.keys() | after.keys():
                inner = f"{name}.{key}".lstrip(".")
                yield from _differences(before.get(key), after.get(key), inner)
            return
        before, after = before.get("type", before), after.get("type", after)
    if before != after:
        yield name, (before, after)


def _with_policy_as_part(args: Sequence[str]) -> list[str]:
    """The arguments with ``--policy X`` written as ``policy:X``."""
    text, words = [], list(args)
    while words:
        word = words.pop(0)
        if word == "--policy" and words:
            text.append(f"policy:{words.pop(0)}")
        elif word.startswith("--policy="):
            text.append(f"policy:{word.partition('=')[2]}")
        else:
            text.append(word)
    return text


def _without_functions(command: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The command with parts that have no options set aside, and how to put them back."""
    aside: dict[str, Any] = {}

    def strip(value: Any, path: str) -> Any:
        changes = {}
        for spec in fields(value):
            own = getattr(value, spec.name)
            inner = f"{path}.{spec.name}"
            if spec.name in KINDS and own is not None and not is_dataclass(own):
                aside[inner], changes[spec.name] = own, None
            elif spec.init and is_dataclass(own) and not isinstance(own, type):
                changes[spec.name] = strip(own, inner)
        return replace(value, **changes)

    def restore(value: Any, path: str = "") -> Any:
        changes: dict[str, Any] = {}
        for spec in fields(value):
            inner = f"{path}.{spec.name}"
            if inner in aside:
                changes[spec.name] = aside[inner]
            elif any(name.startswith(f"{inner}.") for name in aside):
                changes[spec.name] = restore(getattr(value, spec.name), inner)
        return replace(value, **changes)

    return strip(command, ""), restore


def warn(prog: str, text: str | None) -> None:
    """Print a remark on stderr; nothing for None."""
    if text:
        print(f"eva {prog}: {text}", file=sys.stderr)
