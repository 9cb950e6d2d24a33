"""The settings of a record as parts and options of the command line, but for defaults.

Classes of the user's own are named and never loaded, since a report runs no code of a record:
all their settings are written.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.report.record import part_name
from experiments.run.config import to_json
from experiments.run.parts import KINDS, names
from experiments.run.settings import Conditions

Row = Mapping[str, Any]

DERIVED = ("fingerprint",)
"""Settings that a run finds out by itself."""

RUN_ONLY = ("type", "creator", "solver", "seed", "checkpoint_every", "keep")
"""Settings of a run that a comparison does not share."""


def condition_words(settings: Row) -> list[str]:
    """Return the words that give the command line a record's conditions: parts, then options.

    Settings that equal the world's defaults are left out.
    """
    world = part_name(settings.get("task"))
    cls = names("task").get(world)
    shared = {key: value for key, value in settings.items() if key not in RUN_ONLY}
    if cls is None:
        return [*_part("task", shared.get("task"), {}), *_options(shared, {})]
    defaults = to_json(Conditions.suited(cls()))
    task = [] if world == part_name(to_json(Conditions())["task"]) else [f"task:{world}"]
    return [*task, *_options(shared, defaults)]


def specification_of(part: Any, role: str, tuned: float = 1.0) -> str:
    """Return a player with its settings that are not defaults: ``eva:signal='variance'``.

    ``tuned`` is the factor by which the world multiplies a method's learning rate. A setting
    that is itself a group is left out, since a specification has no word for it.
    """
    name = part_name(part)
    cls = names(role).get(name)
    if not isinstance(part, Mapping):
        return name
    defaults = to_json(cls(), role) if cls is not None else {}
    if role == "solver" and "lr" in defaults:
        defaults = {**defaults, "lr": defaults["lr"] * tuned}
    changed = [
        f"{key}={(tuple(value) if isinstance(value, list) else value)!r}"
        for key, value in part.items()
        if key != "type" and not _is_group(value) and value != defaults.get(key, ...)
    ]
    return f"{name}:{','.join(changed)}" if changed else name


def _is_group(value: Any) -> bool:
    return isinstance(value, Mapping) and "type" in value


def _options(given: Row, defaults: Row) -> list[str]:
    """Return the options of settings that differ from the defaults."""
    words: list[str] = []
    for key, value in given.items():
        if value == defaults.get(key, ...):
            continue
        if key in KINDS and key != "task" and isinstance(value, Mapping | str):
            words += _part(key, value, defaults.get(key))
        words += _leaves(key, value, defaults.get(key))
    return words


def _part(role: str, given: Any, default: Any) -> list[str]:
    """Return the word that names a part, such as ``reward-model:retrained``.

    A checkpoint is named by ``--policy FOLDER``; the world's starting policy has no name.
    """
    if isinstance(given, Mapping) and part_name(given) == "pretrained":
        return ["--policy", str(given["folder"])] if given.get("folder") else []
    if isinstance(default, Mapping) and part_name(default) == part_name(given):
        return []
    if role == "policy" and isinstance(given, str):
        return ["--policy", given]
    return [f"{role.replace('_', '-')}:{part_name(given)}"]


def _leaves(name: str, given: Any, default: Any) -> Iterator[str]:
    """Yield the options of a setting, or of all settings of a group that differ."""
    if isinstance(given, Mapping):
        base = default if isinstance(default, Mapping) else {}
        if base.get("type") != given.get("type"):
            base = _registered(name, given)
        for key, value in given.items():
            skipped = key == "type" or key in DERIVED or (name, key) == ("policy", "folder")
            if not skipped and value != base.get(key, ...):
                yield from _leaves(f"{name}.{key}", value, base.get(key))
        return
    if name in KINDS:
        return
    option = f"--{name.replace('_', '-')}"
    if isinstance(given, bool):
        head, _, last = option[2:].rpartition(".")
        yield option if given else f"--{head}{'.' if head else ''}no-{last}"
        return
    yield option
    for value in given if isinstance(given, list) else [given]:
        yield str(value)


def _registered(role: str, given: Row) -> Row:
    """Return the defaults of a registered part; none of another one."""
    cls = names(role).get(part_name(given)) if role in KINDS else None
    return {} if cls is None else to_json(cls(), role)
