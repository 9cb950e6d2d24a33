"""The files of a run folder, read once; files that an older run lacks are empty."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from eva_env.world import deciding_suite
from experiments.report.series import Series
from experiments.run.parts import KINDS, names
from experiments.run.records import Run

Row = Mapping[str, Any]

SIDES = ("before", "after", "before_rewards", "after_rewards")

NEEDED: Mapping[str, tuple[str, ...]] = {
    "rounds": (),
    "prompts": ("id", "text"),
    "evaluations": (),
    "transcripts": ("prompt", *SIDES),
    "alarms": (),
    "answers": (),
}
"""The files that a report reads, with the columns that it cannot do without."""


@dataclass(frozen=True)
class Record:
    """A training run as it was recorded, finished or not."""

    config: Mapping[str, Any]
    rounds: Sequence[Row]
    prompts: Sequence[Row]
    evaluations: Sequence[Row]
    transcripts: Sequence[Row]
    alarms: Sequence[Row]
    answers: Sequence[Row] = ()
    """Responses of the last evaluation to every prompt of every suite."""
    folder: Path | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read all rows; UserError for a folder that is not a run or cannot be read."""
        run = Run.open(folder).require_kind("run")
        rows = {name: run.rows(name, keys=keys) for name, keys in NEEDED.items()}
        return cls(run.config, **rows, folder=folder)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings as JSON."""
        return conditions(self.config)

    @property
    def judge(self) -> str:
        """The reward that judges, as the record names it; gold in older records."""
        return str(self.config.get("judged_by", "gold"))

    @cached_property
    def suites(self) -> dict[str, list[Row]]:
        """Evaluations by suite, in the order of rounds."""
        suites: dict[str, list[Row]] = {}
        for row in self.evaluations:
            suites.setdefault(row["suite"], []).append(row)
        return suites

    @cached_property
    def drawn(self) -> list[Row]:
        """Rows of prompts that were drawn, not only proposed."""
        return [row for row in self.prompts if row.get("drawn", True)]

    def judged(self, key: str, x: str = "round") -> list[Series]:
        """Return a column of the evaluations, a series per suite, over rounds or a budget."""
        return [
            Series(suite, [position(row, x) for row in rows], [row.get(key) for row in rows])
            for suite, rows in self.suites.items()
        ]

    def column(self, key: str, name: str = "") -> Series:
        """Return a column of the rounds."""
        xs = [row["round"] for row in self.rounds]
        return Series(name, xs, [row.get(key) for row in self.rounds])

    def by_round(self, key: str) -> dict[int, list[Any]]:
        """Return a column of the drawn prompts by round; lists are joined."""
        by_round: dict[int, list[Any]] = {}
        for row in self.drawn:
            value = row.get(key)
            by_round.setdefault(row["round"], []).extend(
                value if isinstance(value, list) else [value]
            )
        return by_round


def position(row: Row, x: str) -> Any:
    """Return the position of a row on an axis: its round, or the budget spent until then."""
    return row["round"] if x == "round" else row.get("budget", {}).get(x)


NESTED = ("conditions", "settings")
"""Names under which a comparison keeps the settings that its cells share."""


def conditions(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a config.json, together with those that cells share."""
    settings = config.get("settings")
    if not isinstance(settings, Mapping):
        return {}
    for name in NESTED:
        shared = settings.get(name)
        if isinstance(shared, Mapping):
            return {**shared, **settings}
    return settings


def deciding_of(config: Mapping[str, Any], suites: Iterable[str]) -> str:
    """Return the suite that decides: the one that config.json declares, or the usual one."""
    names = list(suites)
    world = config.get("world")
    declared = world.get("deciding") if isinstance(world, Mapping) else None
    return declared if declared in names else deciding_suite(names)


def part_name(settings: Any) -> str:
    """Return the name of a part of a run by its settings, as the command line spells it.

    Older records have class names.
    """
    name = str(settings.get("type", "?") if isinstance(settings, Mapping) else settings)
    return CLASSES.get(name, name)


CLASSES = {cls.__name__: known for role in KINDS for known, cls in names(role).items()}
"""Names of registered parts by class name."""
