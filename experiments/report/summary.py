"""A recorded comparison; every key of its summary.json but "arms" may be absent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from experiments.human_play.standings import vote_summary
from experiments.report.drawing import Style
from experiments.report.numbers import decimal, percent, points, signed
from experiments.report.record import Record
from experiments.run.errors import UserError
from experiments.run.judging import score_name
from experiments.run.records import Run
from experiments.run.schema import SummaryFile

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """The summary.json and config.json of a comparison, and the folder with its cells."""

    folder: Path
    config: Data
    data: Data

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read both files; UserError if one is missing or cannot be read."""
        path = folder / "summary.json"
        if not path.exists():
            raise UserError(f"the comparison at {folder} has no summary yet: let it finish")
        data = Run(folder).object("summary", SummaryFile, "the summary of a comparison")
        if "arms" not in data:
            raise UserError(f"{path} is not the summary of a comparison: it has no arms")
        # People may have voted since the summary was written.
        return cls(folder, Run.open(folder).config, data | {"votes": vote_summary(folder)})

    @cached_property
    def records(self) -> dict[str, Record]:
        """The run of every arm's first seed, if it has been played, by label."""
        records = {}
        for name, arm in self.arms.items():
            for seed in sorted(arm.get("seeds") or [])[:1]:
                folder = self.folder / "cells" / name / f"seed-{seed:04d}"
                if (folder / "config.json").is_file():
                    records[self.label(name)] = Record.read(folder)
        return records

    @property
    def arms(self) -> Mapping[str, Data]:
        """The summary of each arm."""
        return self.data["arms"]

    @property
    def metric(self) -> str:
        """The score that decides."""
        return self.data.get("metric", "win_rate")

    @property
    def judge(self) -> str:
        """The reward that judges, as the record names it; gold in older records."""
        return self.data.get("judged_by", "gold")

    @property
    def scores(self) -> Mapping[str, str]:
        """The titles of the scores that can decide the comparison."""
        reward = score_name(self.judge)
        return {
            "win_rate": "Win rate against the starting policy",
            "gold": f"{reward[0].upper()}{reward[1:]}",
        }

    @property
    def suites(self) -> Sequence[str]:
        """The suites, the one that decides first."""
        first = self.data.get("suite")
        return sorted(self.data.get("suites", []), key=lambda suite: suite != first)

    def score(self, arm: str, score: str | None = None, suite: str | None = None) -> Any:
        """Return an arm's estimate of a score on a suite; None: the ones that decide."""
        suites = self.arms.get(arm, {}).get("suites", {})
        return suites.get(suite or self.data.get("suite"), {}).get(score or self.metric)

    def show(self, value: Any) -> str:
        """Return a value of the deciding score as text."""
        return (percent if self.metric == "win_rate" else decimal)(value)

    def show_difference(self, value: Any) -> str:
        """Return a difference of the deciding score as text."""
        return (points if self.metric == "win_rate" else signed)(value)

    def style(self, arm: str) -> Style:
        """Return an arm's style: colour and marker show the creator, the dash the solver."""
        creators, solvers = (
            list(dict.fromkeys(other.get(role) for other in self.arms.values()))
            for role in ("creator", "solver")
        )
        players = self.arms.get(arm, {})
        if players.get("creator") not in creators:  # the starting policy
            return Style(len(creators), 0, len(creators))
        i, j = creators.index(players.get("creator")), solvers.index(players.get("solver"))
        return Style(i, j, i) if len(solvers) > 1 else Style.of(i)

    def label(self, arm: str) -> str:
        """Return the name of an arm; the one that does not compete is called a ceiling."""
        return f"{arm} (ceiling)" if self.arms.get(arm, {}).get("ceiling") else arm

    def labelled(self, by_arm: Data) -> Data:
        """Return values by arm under the labels of the arms."""
        return {self.label(arm): value for arm, value in by_arm.items()}

    @property
    def competitors(self) -> list[str]:
        """The arms but for the ceilings."""
        return [name for name, arm in self.arms.items() if not arm.get("ceiling")]
