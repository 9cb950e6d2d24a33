"""Help texts from the docstrings of settings: short for ``--help``, long for ``--help-all``."""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from agents.policies.pretrained import Pretrained
from experiments.run.parts import KINDS, short_name

WIDTH, INDENT = 96, 26

FLAT = ("settings", "conditions")
"""Fields whose own fields are options without a prefix."""

PART_TEXTS = {
    "creator": "who makes the prompts",
    "solver": "the method by which the solver learns",
    "task": "the world: prompts, suites, gold reward, starting policy",
    "reward_model": "a wrapper around the reward that trains, or your own reward model",
    "policy": "the name or folder of a checkpoint to start from, or your own policy",
}


class Option(NamedTuple):
    """An option of a command: its annotated type, default and description."""

    name: str
    hint: Any
    default: Any
    text: str


# Pages


def short_help(command: Any, prog: str, names: Sequence[str]) -> str:
    """Return the parts and the named options, on at most two screens."""
    by_name = {option.name: option for option in options(command)}
    lines = [*_head(command, prog), "options"]
    for name in names:
        lines += _option_lines(by_name[name])
    count = len(by_name)
    lines += ["", f"eva {prog} --help-all shows all {count} options, those of the parts too."]
    return "\n".join(lines)


def long_help(command: Any, prog: str) -> str:
    """Return all options, those of each part under a heading."""
    lines, heading = _head(command, prog), None
    for option in options(command):
        prefix = option.name.rpartition(".")[0]
        if prefix != heading:
            lines += [] if heading is None else [""]
            lines += [f"{prefix} options".strip()]
            heading = prefix
        lines += _option_lines(option)
    return "\n".join(lines)


def settings_help(part: Any, prefix: str) -> list[str]:
    """Return the lines on the settings of a part: type, default and description of each."""
    return [line for option in options(part, prefix) for line in _option_lines(option)]


def _head(command: Any, prog: str) -> list[str]:
    parts = sorted(_parts(command), key=lambda part: list(KINDS).index(part[0]))
    usage = "[PART ...] [OPTIONS]" if parts else "[OPTIONS]"
    lines = [f"usage: eva {prog} {usage}", ""]
    lines += [*textwrap.wrap(summary(type(command)), WIDTH), ""]
    if parts:
        lines += ["parts", *(line for part in parts for line in _part_lines(*part)), ""]
    return lines


# Options


def options(command: Any, prefix: str = "") -> Iterator[Option]:
    """Yield every option of a command, those of its parts and groups last."""
    hints = get_type_hints(type(command), include_extras=True)
    texts = descriptions(type(command))
    groups = []
    for spec in fields(command):
        if not spec.init:
            continue
        value, name = getattr(command, spec.name), spec.name.replace("_", "-")
        if is_dataclass(value) and not isinstance(value, type):
            groups.append((prefix if spec.name in FLAT else f"{prefix}{name}.", value))
        elif spec.name == "policy" and value is None:  # those of the world's checkpoint
            groups.append((f"{prefix}policy.", Pretrained()))
        elif spec.name not in KINDS:
            hint = hints[spec.name]
            name = _tyro_setting(hint, "name") or name
            yield Option(prefix + name, hint, value, texts.get(spec.name, ""))
    for group_prefix, value in groups:
        yield from options(value, group_prefix)


def _parts(command: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a command and of its flat groups, by role."""
    for spec in fields(command):
        value = getattr(command, spec.name)
        if spec.name in KINDS:
            yield spec.name, value
        elif spec.name in FLAT:
            yield from _parts(value)


# Docstrings


def summary(part: Any) -> str:
    """Return the first paragraph of a class's or function's docstring, as plain text."""
    return plain((inspect.getdoc(part) or "").split("\n\n")[0])


def plain(text: str) -> str:
    """Return a docstring's text without backticks and line breaks."""
    return " ".join(text.replace("``", "").split()).replace("\\*", "*")


@cache
def descriptions(cls: type) -> dict[str, str]:
    """Return the docstring below each field of a dataclass, inherited ones included."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if is_dataclass(base):
            texts |= _own_descriptions(base)
    return texts


def _own_descriptions(cls: type) -> dict[str, str]:
    """The docstrings below the fields in the class's own body; none without its source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = next(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    texts = {}
    for statement, following in pairwise(body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = plain(text)
    return texts


# Lines


def default_text(value: Any) -> str:
    """Return a default as one types it."""
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
    """Return the word for a value of a type: INT, PATH, a|b."""
    if _metadata(hint):
        return type_text(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    choices = [kind for kind in get_args(hint) if kind is not type(None)]
    if get_origin(hint) is tuple:
        return f"{type_text(choices[0])} ..."
    if get_origin(hint) is dict:
        return "NAME VALUE ..."
    if choices:
        return "|".join(map(type_text, choices))
    words: dict[Any, str] = {str: "TEXT", int: "INT", float: "FLOAT", Path: "PATH", bool: ""}
    return words.get(hint, "VALUE")


def _part_lines(role: str, value: Any) -> list[str]:
    text, default = PART_TEXTS[role], "the world's"
    if role != "policy":
        text = f"{text}; see eva list {KINDS[role].plural}"
        default = default if value is None else short_name(value)
    return _columns(f"{role.replace('_', '-')}:NAME", f"{text} (default: {default})")


def _option_lines(option: Option) -> list[str]:
    name, hint, default, text = option
    metavar = _tyro_setting(hint, "metavar")
    if metavar:
        return _columns(metavar, text)
    word = type_text(hint)
    if isinstance(default, bool):
        prefix, _, last = name.rpartition(".")
        flag = f"--{name} / --{f'{prefix}.' if prefix else ''}no-{last}"
    else:
        flag = f"--{name} {word}".strip() if len(word) < 40 else f"--{name} VALUE"
    sentence = text if not text or text.endswith((".", ")")) else f"{text}."
    choices = "" if len(word) < 40 else f" One of {word.replace('|', ', ')}."
    return _columns(flag, f"{sentence}{choices} (default: {default_text(default)})".strip())


def _metadata(hint: Any) -> tuple[Any, ...]:
    """The metadata of ``Annotated``; empty for other types."""
    return getattr(hint, "__metadata__", ())


def _tyro_setting(hint: Any, setting: str) -> str | None:
    """The metavar or the name that ``tyro.conf.arg`` gives to an option; None without one."""
    args = [arg for arg in _metadata(hint) if hasattr(arg, "metavar")]
    return next((getattr(arg, setting) for arg in args), None)


def _columns(flag: str, text: str) -> list[str]:
    """A flag with its text in a column to the right, or below a long flag."""
    lines = textwrap.wrap(text, WIDTH - INDENT)
    if len(flag) + 4 > INDENT:
        return [f"  {flag}", *(" " * INDENT + line for line in lines)]
    first = f"  {flag}".ljust(INDENT) + (lines[0] if lines else "")
    return [first, *(" " * INDENT + line for line in lines[1:])]
