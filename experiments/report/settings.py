"""The section on how to repeat it: settings, versions, commit, command line."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from experiments.report.blocks import Code, Entry, Facts, Fold, Section, Table
from experiments.report.entries import text_entry


class Described(Protocol):
    """A run or a comparison: it has a config.json."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The content of config.json."""
        ...


def settings(record: Described) -> Section:
    """Return the resolved configuration."""
    config = record.config
    rows = [
        [text_entry(name), Entry(value, value)]
        for name, value in flat(config.get("settings", {}))
    ]
    facts = [(name, str(version)) for name, version in config.get("versions", {}).items()]
    facts += [("commit", str(config.get("commit") or "unknown")[:12])]
    command = shlex.join(["eva", *map(str, config.get("argv", []))])
    table = Table("Resolved settings", ("setting", "value"), rows, texts=2)
    blocks = [
        Code(command, "Command line"),
        Facts(facts),
        Fold(f"All {len(rows)} settings", [table]),
    ]
    return Section("Configuration", blocks)


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings as rows: ("solver.lr", "0.0006"); a class has its role's name."""
    if not isinstance(value, Mapping):
        yield name, str(value)
        return
    if "type" in value and name:
        yield name, str(value["type"])
    for key, item in value.items():
        if key != "type":
            yield from flat(item, f"{name}.{key}" if name else key)
