"""Read the arguments of a command: parts such as ``creator:eva``, and ``--name value``.

1. Parts and ``--config`` are read first, because they decide which options exist.
2. The config file overrides the world's defaults; a resumed record replaces both.
3. tyro reads the typed options, which override these defaults.
"""

import io
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import tyro

from agents.policies.pretrained import Pretrained
from eva_env.plain_text import say
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.commands.help import FLAT, long_help, short_help
from experiments.diagnosis.settings import Diagnosis
from experiments.run.config import overlay, read_toml, to_json
from experiments.run.errors import UserError
from experiments.run.named_code import PART
from experiments.run.parts import KINDS
from experiments.run.settings import Conditions
from experiments.run.setup import files_of
from experiments.run.specifications import read

Chosen = TypeVar("Chosen", bound=Conditions | Diagnosis)
Command = TypeVar("Command")


@dataclass
class Arguments:
    """The arguments of a command, with parts and config file read, and options not yet."""

    parts: dict[str, str]
    """Specifications by role."""
    config: dict[str, Any]
    """The tables of the config file."""
    config_path: str
    """The path of the config file, empty without one."""
    rest: list[str]
    """The options."""

    @classmethod
    def of(cls, args: Sequence[str], roles: Sequence[str]) -> "Arguments":
        """Return the arguments of a command that accepts parts of these roles."""
        parts: dict[str, str] = {}
        rest: list[str] = []
        for arg in _with_policy_as_part(args):
            match = PART.fullmatch(arg)
            if match is None:
                option_name = arg.partition("=")[0]
                if option_name in [f"--{role.replace('_', '-')}" for role in roles]:
                    raise UserError(
                        f"{option_name} is no option; write {option_name[2:]}:NAME, without --"
                    )
                rest.append(arg)
                continue
            role = match[1].replace("-", "_")
            if role not in roles:
                accepted = ", ".join(f"{name.replace('_', '-')}:" for name in roles)
                raise UserError(f"{arg} has no place here; this command takes {accepted}")
            if role in parts:
                raise UserError(f"{match[1]}: is given twice: {parts[role]} and {match[2]}")
            parts[role] = match[2]
        path = option(rest, "--config")
        return cls(parts, read_toml(Path(path)) if path else {}, path or "", rest)

    def world(self, config: dict[str, Any]) -> World:
        """Return the world of a part or of the config file; wordlist if both are silent."""
        if "task" in self.parts:
            return read("task", self.parts["task"])
        if "task" not in config:
            return Wordlist()
        return overlay(Conditions(), {"task": config["task"]}, self.config_path).task


def settings_from(arguments: Arguments, base: Chosen, tables: Mapping[str, Any]) -> Chosen:
    """Return ``base`` with the config file's tables, then the typed parts, in their place."""
    tables = {key: value for key, value in tables.items() if key != "task"}
    settings = overlay(base, tables, arguments.config_path)
    parts = {}
    for role, spec in arguments.parts.items():
        if role == "policy":
            parts[role] = read_policy(spec)
        elif role != "task":
            parts[role] = read(role, spec, settings.task)
    return replace(settings, **parts)


def read_policy(spec: str) -> Any:
    """Return a user's policy, or the checkpoint of a name, a folder or a GGUF file."""
    is_file = Path(spec).exists() or spec.endswith(".gguf")
    is_import_path = re.fullmatch(r"[\w.]+\.\w+(:.*)?", spec) and not is_file
    if ".py:" in spec or is_import_path or spec.startswith("pretrained:"):
        return read("policy", spec)
    return Pretrained(spec)


def with_files(settings: Chosen, options: Sequence[str]) -> Chosen:
    """Return the settings with a policy that has the options ``--policy.NAME``.

    They belong to the checkpoint that ``--policy`` or the config file names, or else to the
    world's. UserError if options are typed and there is no checkpoint.
    """
    policy, typed = settings.policy, [arg for arg in options if arg.startswith("--policy.")]
    if policy is not None and not isinstance(policy, str | Path):
        return settings
    if policy is None and not typed:
        return settings
    try:
        files = files_of(settings.task, policy)
    except ValueError as error:
        raise UserError(str(error)) from error
    if files is None:
        raise UserError(
            f"{typed[0]} is an option of a checkpoint, and {type(settings.task).__name__} "
            f"starts without one; give --policy FOLDER too"
        )
    return replace(settings, policy=files)


def parse(command: Command, args: list[str], prog: str, short: Sequence[str] = ()) -> Command:
    """Return the command with the typed options in the place of its defaults.

    ``short`` names the options that ``--help`` shows; if it is empty, ``--help`` shows all.
    Raises UserError for a value that a class refuses.
    """
    if {"-h", "--help"} & {*args} or "--help-all" in args:
        all_options = not short or "--help-all" in args
        say(long_help(command, prog) if all_options else short_help(command, prog, short))
        raise SystemExit(0)
    _refuse_empty(args)
    box = io.StringIO()
    try:
        with redirect_stderr(box):
            parsed = tyro.cli(
                type(command),
                args=args,
                default=_without_fixed_parts(command),
                prog=f"eva {prog}",
                config=(tyro.conf.AvoidSubcommands,),
            )
    except ValueError as error:
        raise UserError(str(error)) from error
    except SystemExit:
        raise UserError(f"{problem_in(box.getvalue())} (eva {prog} --help)") from None
    return _with_fixed_parts(parsed, command)


def _refuse_empty(args: Sequence[str]) -> None:
    """Raise UserError for an option whose value is empty: as a path it is this folder."""
    for arg, value in zip(args, [*args[1:], None], strict=False):
        name, equals, typed = arg.partition("=")
        if name.startswith("--") and (typed if equals else value) == "":
            raise UserError(f"{name} is empty; give a value, or leave it out")


def problem_in(box: str) -> str:
    """Return tyro's boxed error as one line: what is wrong, then the nearest options.

    The box is drawn in lines or, where the terminal has none, in spaces and hyphens.
    """
    # 1. Leave out the borders, and the title, which is the first line.
    lines = [line.strip("│|╭╮╰╯+ ") for line in box.splitlines()][1:]
    rules = [bool(line) and not line.strip("─-") for line in lines]
    if rules and rules[0]:
        lines, rules = lines[1:], rules[1:]
    # 2. The problem ends at the first rule; the nearest options follow.
    end = rules.index(True) if True in rules else len(lines)
    problem = re.sub(r"^Error parsing [\w.]+: ", "", " ".join(lines[:end]).strip())
    near = [line.split()[0] for line in lines[end:] if line.startswith("--")]
    near = [name for name in dict.fromkeys(near) if name.strip("-")]
    return f"{problem}; the nearest: {', '.join(near)}" if near else problem


def option(args: Sequence[str], name: str) -> str | None:
    """Return the value of an option that is read before the others; None if it is absent."""
    for place, arg in enumerate(args):
        if arg == name:
            if place + 1 == len(args):
                raise UserError(f"{name} needs a value")
            return args[place + 1]
        if arg.startswith(f"{name}="):
            return arg.partition("=")[2]
    return None


def require_growth(
    folder: Path, recorded: Any, typed: Any, name: str, free: Collection[str] = ()
) -> None:
    """Raise UserError unless the typed settings are the record's, but for a larger ``name``.

    Those named in ``free`` may change as well.
    """
    before, after = getattr(recorded, name), getattr(typed, name)
    changed = differences(recorded, replace(typed, **{name: before}))
    for setting, (kept, wanted) in changed.items():
        if setting in free:
            continue
        raise UserError(
            f"{folder} was begun with {setting} = {kept}, not {wanted}: what is resumed keeps "
            f"its settings, only --{name} may grow"
        )
    if after < before:
        raise UserError(
            f"{folder} has {name} = {before} already, so --{name} {after} would shorten it; "
            f"give at least as many"
        )


def differences(before: Any, after: Any) -> dict[str, tuple[Any, Any]]:
    """Return the settings in which two objects differ: (before, after) by dotted name."""
    return dict(_differences(to_json(before), to_json(after), ""))


def _differences(before: Any, after: Any, name: str) -> Iterator[tuple[str, Any]]:
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
    _refuse_empty(args)
    spelled: list[str] = []
    waiting = iter(args)
    for arg in waiting:
        if arg == "--policy":
            spelled.append(f"policy:{next(waiting, '')}")
        elif arg.startswith("--policy="):
            spelled.append(f"policy:{arg.partition('=')[2]}")
        else:
            spelled.append(arg)
    return spelled


def _without_fixed_parts(command: Any) -> Any:
    """The command with None in the place of parts without options, as tyro needs it.

    These are functions, objects of plain classes, and policies given by name.
    """
    changes: dict[str, Any] = {}
    for spec in fields(command):
        value = getattr(command, spec.name)
        if spec.name in FLAT:
            changes[spec.name] = _without_fixed_parts(value)
        elif spec.name in KINDS and not is_dataclass(value):
            changes[spec.name] = None
    return replace(command, **changes)


def _with_fixed_parts(parsed: Any, command: Any) -> Any:
    """The parsed command with the parts of ``command`` that tyro did not see."""
    changes: dict[str, Any] = {}
    for spec in fields(command):
        typed, value = getattr(parsed, spec.name), getattr(command, spec.name)
        if spec.name in FLAT:
            changes[spec.name] = _with_fixed_parts(typed, value)
        elif spec.name in KINDS and not is_dataclass(value):
            changes[spec.name] = value
    return replace(parsed, **changes)


def warn(prog: str, text: str | None) -> None:
    """Print a remark on stderr; nothing for None."""
    if text:
        say(f"eva {prog}: {text}", file=sys.stderr)
