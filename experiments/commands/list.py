"""``eva list``: the parts that commands know by name, and the settings of each."""

import inspect
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from eva_env.plain_text import say
from eva_env.signals import ROUND_SIGNALS, SIGNALS
from experiments.commands.help import settings_help, summary
from experiments.run.errors import UserError
from experiments.run.parts import KINDS, find, names
from experiments.run.rewards import FORMS
from experiments.run.specifications import read

USAGE = """\
usage: eva list creators|methods|signals|operators|rewards|tasks|policies [NAME]

Print each part's name, what it is, and its source; with a NAME, its settings."""

ROLES = {kind.plural: role for role, kind in KINDS.items() if kind.registered}
CITATION = re.compile(r"(?:;| \()\s*[A-Z][^;()]*?\d{4}.*$")
"""The part of a summary that cites authors and a year, up to its end."""
ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
SENTENCE_END = re.compile(r"(?<!al)(?<!Alg)(?<!Fig)(?<!Sec)(?<!App)(?<!Eq)\.(?: |$)")


def main(args: list[str]) -> int:
    """Run the command and return the exit status."""
    if not args or {"-h", "--help"} & {*args}:
        say(USAGE)
        return 0 if args else 2
    kind, *rest = args
    if kind not in (*ROLES, "signals", "operators"):
        raise UserError(f"unknown list {kind!r}; lists: {', '.join(ROLES)}, signals, operators")
    if rest and kind == "rewards" and rest[0] in FORMS:
        say(f"--reward {rest[0]}: {FORMS[rest[0]]}")
        return 0
    if rest and kind in ROLES:
        say("\n".join(details(ROLES[kind], rest[0])))
        return 0
    parts = listed(kind)
    if rest:
        parts = {name: line for name, line in parts.items() if name == rest[0]}
        if not parts:
            raise UserError(f"unknown {kind[:-1]} {rest[0]!r}; eva list {kind} shows all")
    if kind == "rewards" and not rest:
        say("\n".join(reward_forms()))
    say("\n".join(table(parts)))
    return 0


def reward_forms() -> list[str]:
    """Return what ``--reward``, ``--creator-reward`` and ``--judge`` may name."""
    head = "--reward, --creator-reward and --judge take one of"
    worlds = f"{FORMS['WORLD']}: {', '.join(names('task'))}"
    return [head, *table(FORMS | {"WORLD": worlds}), "", "reward-model: takes a wrapper"]


def listed(kind: str) -> dict[str, str]:
    """Return one line for each part of a kind, by name."""
    if kind == "operators":
        worlds = {name: cls() for name, cls in names("task").items()}
        return {
            f"{world}: {name}": task.describe_operator(name)
            for world, task in worlds.items()
            for name in task.operators
        }
    if kind == "signals":
        parts: Mapping[str, Any] = {**SIGNALS, **ROUND_SIGNALS}
    else:
        parts = names(ROLES[kind])
    return {name: one_line(part) for name, part in parts.items()}


def one_line(part: Any) -> str:
    """Return a part's description, and the paper that its docstring cites first."""
    paper = ARXIV.search(" ".join((inspect.getdoc(part) or "").split()))
    head = CITATION.sub("", SENTENCE_END.split(summary(part))[0]).rstrip(" ;:")
    return f"{head} [arXiv {paper[1]}]" if paper else head


def table(parts: Mapping[str, str]) -> list[str]:
    """Return names and lines in two columns, 96 characters wide."""
    width = max(map(len, parts)) + 2
    lines = []
    for name, text in parts.items():
        wrapped = textwrap.wrap(text, max(30, 96 - width))
        lines += [name.ljust(width) + wrapped[0] if wrapped else name]
        lines += [" " * width + line for line in wrapped[1:]]
    return lines


def details(role: str, name: str) -> list[str]:
    """Return a part's docstring, and its settings as options of ``eva train``."""
    part = find(role, name)
    doc = (inspect.getdoc(part) or "").replace("``", "")
    prefix = f"{role.replace('_', '-')}."
    settings = settings_help(read(role, name), prefix) if isinstance(part, type) else []
    return [name, "", doc, "", "settings" if settings else "It has no settings.", *settings]
