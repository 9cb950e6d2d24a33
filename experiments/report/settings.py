"""How to do it again: settings, versions, commit, command line."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from experiments.report.blocks import Cell, Code, Facts, Fold, Section, Table, word


class Described(Protocol):
    """What has a config.json, a run or a comparison."""

    @property
    def config(self) -> Mapping[str, Any]:
        """What it holds."""
        ...


def settings(record: Described) -> Section:
    """The configuration as it was resolved."""
    config = record.config
    rows = [
        [word(name), Cell(value, value)] for name, value in flat(config.get("settings", {}))
    ]
    facts = [(name, str(version)) for name, version in config.get("versions", {}).items()]
    facts += [("commit", str(config.get("commit") or "unknown")[:12])]
    command = shlex.join(["eva", *map(str, config.get("argv", []))])
    table = Table("Settings as they were resolved", ("setting", "value"), rows, texts=2)
    blocks = [
        Code(command, "Command line"),
        Facts(facts),
        Fold(f"All {len(rows)} settings", [table]),
    ]
    return Section("Configuration", blocks)


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as rows: ("solver.lr", "0.0006"); a class under the name of its role."""
    if not isinstance(value, Mapping):
        yield name, str(value)
        return
    if "type" in value and name:
        yield name, str(value["type"])
    for key, item in value.items():
        if key != "type":
            yield from flat(item, f"{name}.{key}" if name else key)
