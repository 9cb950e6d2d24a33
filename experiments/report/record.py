"""The files of a run folder, read once; what an older run did not write is empty or None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from experiments.report.figures import Series
from experiments.run.records import Run

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """A training run as it was recorded, finished or not."""

    config: Mapping[str, Any]
    rounds: Sequence[Row]
    prompts: Sequence[Row]
    evaluations: Sequence[Row]
    transcripts: Sequence[Row]
    alarms: Sequence[Row]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """All rows; UserError for what is not a run folder or cannot be read."""
        run = Run.open(folder)
        names = ("rounds", "prompts", "evaluations", "transcripts", "alarms")
        return cls(run.config, *map(run.rows, names))

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings as JSON."""
        return self.config["settings"]

    @cached_property
    def suites(self) -> dict[str, list[Row]]:
        """Evaluations by suite, in the order of rounds."""
        suites: dict[str, list[Row]] = {}
        for row in self.evaluations:
            suites.setdefault(row["suite"], []).append(row)
        return suites

    @cached_property
    def drawn(self) -> list[Row]:
        """Rows of prompts that were drawn, not only rewritten."""
        return [row for row in self.prompts if row.get("drawn", True)]

    def judged(self, key: str, x: str = "round") -> list[Series]:
        """A column of the evaluations, a series per suite; ``x`` may be a budget's unit."""
        return [
            Series(suite, [place(row, x) for row in rows], [row.get(key) for row in rows])
            for suite, rows in self.suites.items()
        ]

    def column(self, key: str, name: str = "") -> Series:
        """A column of the rounds."""
        xs = [row["round"] for row in self.rounds]
        return Series(name, xs, [row.get(key) for row in self.rounds])

    def by_round(self, key: str) -> dict[int, list[Any]]:
        """A column of the drawn prompts, gathered by round; lists are joined."""
        found: dict[int, list[Any]] = {}
        for row in self.drawn:
            value = row.get(key)
            found.setdefault(row["round"], []).extend(
                value if isinstance(value, list) else [value]
            )
        return found


def place(row: Row, x: str) -> Any:
    """Where a row stands on an axis: its round, or what had been spent until then."""
    return row["round"] if x == "round" else row.get("budget", {}).get(x)


def kind(settings: Any) -> str:
    """Class name of nested settings."""
    return settings.get("type", "?") if isinstance(settings, Mapping) else str(settings)
