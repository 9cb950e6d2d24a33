"""Help texts from the docstrings of settings: short for ``--help``, long for ``--help-all``."""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from experiments.run.parts import KINDS, short_name

WIDTH, INDENT = 96, 26


def short_help(command: Any, prog: str, names: Sequence[str]) -> str:
    """The parts and the named options, on at most two screens."""
    every = dict(options(command))
    parts = [_part(role, value) for role, value in _parts(command)]
    lines = [
        f"usage: eva {prog} [PART ...] [OPTIONS]",
        "",
        *_wrapped(summary(type(command))),
        "",
        *(["parts"] if parts else []),
        *(line for part in parts for line in part),
        "",
        "options",
        *(line for name in names for line in _line(name, *every[name])),
        "",
        f"eva {prog} --help-all shows all {len(every)} options, among them those of the parts.",
    ]
    return "\n".join(lines)


def long_help(command: Any, prog: str) -> str:
    """All options, those of parts and groups under their own headings."""
    parts = [_part(role, value) for role, value in _parts(command)]
    lines = [f"usage: eva {prog} [OPTIONS]", "", *_wrapped(summary(type(command))), ""]
    if parts:
        lines[0] = f"usage: eva {prog} [PART ...] [OPTIONS]"
        lines += ["parts", *(line for part in parts for line in part), ""]
    group = None
    for name, entry in options(command):
        head = name.rpartition(".")[0]
        if head != group:
            lines += (
                ["", f"{head} options" if head else "options"]
                if group is not None
                else [f"{head} options" if head else "options"]
            )
            group = head
        lines += _line(name, *entry)
    return "\n".join(lines)


def options(command: Any, prefix: str = "") -> Iterator[tuple[str, tuple[Any, Any, str]]]:
    """Every option of a command by name, with its type, its default and its description."""
    nested = []
    hints = get_type_hints(type(command), include_extras=True)
    texts = descriptions(type(command))
    for spec in fields(command):
        if not spec.init:
            continue
        value, name = getattr(command, spec.name), _dashed(spec.name)
        if is_dataclass(value) and not isinstance(value, type):
            nested.append((name, spec, value))
        elif spec.name not in KINDS:
            yield prefix + name, (hints[spec.name], value, texts.get(spec.name, ""))
    for name, spec, value in nested:
        flat = spec.name in ("settings", "conditions")
        yield from options(value, prefix if flat else f"{prefix}{name}.")


def summary(part: Any) -> str:
    """The first paragraph of a class's or function's docstring, as plain text."""
    return plain((inspect.getdoc(part) or "").split("\n\n")[0])


def settings_help(part: Any, prefix: str) -> list[str]:
    """The settings of a part's class, each with type, default and description."""
    return [line for name, entry in options(part, prefix) for line in _line(name, *entry)]


def plain(text: str) -> str:
    """A docstring's text without backticks and line breaks."""
    return " ".join(text.replace("``", "").split()).replace("\\*", "*")


@cache
def descriptions(cls: type) -> dict[str, str]:
    """The docstring below each field of a dataclass, inherited ones included."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not is_dataclass(base):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        body = next(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
        for before, node in pairwise(body):
            text = node.value if isinstance(node, ast.Expr) else None
            named = isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)
            if named and isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[before.target.id] = plain(text.value)  # type: ignore[union-attr]
    return found


def default_text(value: Any) -> str:
    """A default as one would type it."""
    if value is None or value == {} or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if callable(value):
        return value.__name__
    return f"{value:g}" if isinstance(value, float) else str(value)


def type_text(hint: Any) -> str:
    """A type as the word that stands for a value: INT, PATH, a|b."""
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    choices = [kind for kind in get_args(hint) if kind is not type(None)]
    if _metadata(hint):
        return type_text(get_args(hint)[0])
    if get_origin(hint) is tuple:
        return f"{type_text(choices[0])} ..."
    if get_origin(hint) is dict:
        return "NAME VALUE ..."
    if choices:
        return "|".join(map(type_text, choices))
    names: dict[Any, str] = {str: "TEXT", int: "INT", float: "FLOAT", Path: "PATH", bool: ""}
    return names.get(hint, "VALUE")


def _parts(command: Any) -> Iterator[tuple[str, Any]]:
    for spec in fields(command):
        value = getattr(command, spec.name)
        if spec.name in KINDS:
            yield spec.name, value
        elif is_dataclass(value) and spec.name in ("settings", "conditions"):
            yield from sorted(_parts(value), key=lambda part: list(KINDS).index(part[0]))


PART_TEXTS = {
    "creator": "who makes the prompts",
    "solver": "the method by which the solver learns",
    "task": "the world: prompts, suites, gold reward, starting policy",
    "reward_model": "a wrapper around the reward that trains, or your own reward model",
    "policy": "the name or folder of a checkpoint to start from, or your own policy",
}


def _part(role: str, value: Any) -> list[str]:
    name = role.replace("_", "-")
    if role == "policy":
        text, default = PART_TEXTS[role], "the world's"
    else:
        text = f"{PART_TEXTS[role]}; see eva list {KINDS[role].plural}"
        default = "the world's" if value is None else short_name(value)
    return _entry(f"{name}:NAME", f"{text} (default: {default})")


def _line(name: str, hint: Any, value: Any, text: str) -> list[str]:
    metavar = next((arg.metavar for arg in _metadata(hint) if hasattr(arg, "metavar")), None)
    if metavar:
        return _entry(metavar, text)
    word = type_text(hint)
    flag = f"--{name} {word}".strip() if len(word) < 40 else f"--{name} VALUE"
    if isinstance(value, bool):
        head, _, last = name.rpartition(".")
        flag = f"--{name} / --{head + '.' if head else ''}no-{last}"
    choices = "" if len(word) < 40 else f" One of {word.replace('|', ', ')}."
    ends = text if not text or text.endswith((".", ")")) else f"{text}."
    return _entry(flag, f"{ends}{choices} (default: {default_text(value)})".strip())


def _metadata(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__metadata__", ())


def _entry(flag: str, text: str) -> list[str]:
    lines = textwrap.wrap(text, WIDTH - INDENT)
    if len(flag) + 4 > INDENT:
        return [f"  {flag}", *(" " * INDENT + line for line in lines)]
    first = f"  {flag}".ljust(INDENT) + (lines[0] if lines else "")
    return [first, *(" " * INDENT + line for line in lines[1:])]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH)


def _dashed(name: str) -> str:
    return name.replace("_", "-")
