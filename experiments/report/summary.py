"""What a comparison folder tells; every key of its summary.json but "arms" may be absent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from experiments.human_play.standings import vote_summary
from experiments.report.drawing import Style
from experiments.report.record import Record
from experiments.run.errors import UserError
from experiments.run.records import Run, on_disk

Mapped = Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """A comparison folder: its summary.json and config.json, and where its cells lie."""

    folder: Path
    config: Mapped
    own: Mapped

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Both files; UserError for what is missing or cannot be read."""
        path = folder / "summary.json"
        if not path.exists():
            raise UserError(f"the comparison at {folder} has no summary yet: let it finish")
        with on_disk(path):
            text = path.read_bytes()
        try:
            own = json.loads(text)
        except ValueError as error:
            raise UserError(f"{path} is not JSON: {error}") from error
        if not isinstance(own, dict) or not isinstance(own.get("arms"), dict):
            raise UserError(f"{path} is not the summary of a comparison: it has no arms")
        # People may have voted since the summary was written.
        return cls(folder, Run.open(folder).config, own | {"votes": vote_summary(folder)})

    @cached_property
    def records(self) -> dict[str, Record]:
        """The run of every arm's first seed, if it has been played."""
        found = {}
        for arm, own in self.arms.items():
            for seed in sorted(own.get("seeds") or [])[:1]:
                folder = self.folder / "cells" / arm / f"seed-{seed:04d}"
                if (folder / "config.json").is_file():
                    found[self.label(arm)] = Record.read(folder)
        return found

    @property
    def arms(self) -> Mapping[str, Mapped]:
        """What is told of each arm."""
        return self.own["arms"]

    @property
    def suites(self) -> Sequence[str]:
        """The suite that decides comes first."""
        first = self.own.get("suite")
        return sorted(self.own.get("suites", []), key=lambda suite: suite != first)

    def style(self, arm: str) -> Style:
        """Colour and marker tell the creator, the dash tells the solver."""
        creators, solvers = (
            list(dict.fromkeys(own.get(role) for own in self.arms.values()))
            for role in ("creator", "solver")
        )
        own = self.arms.get(arm, {})
        if own.get("creator") not in creators:  # the starting model
            return Style(len(creators), 0, len(creators))
        i, j = creators.index(own.get("creator")), solvers.index(own.get("solver"))
        return Style(i, j, i) if len(solvers) > 1 else Style.of(i)

    def label(self, arm: str) -> str:
        """The name of an arm, with a word for the one that does not compete."""
        return f"{arm} (ceiling)" if self.arms.get(arm, {}).get("ceiling") else arm

    def labelled(self, own: Mapped) -> Mapped:
        """What is told by arm, under their labels."""
        return {self.label(arm): told for arm, told in own.items()}


SCORES = {"win_rate": "Win rate against the start", "gold": "Gold reward"}
"""What decides, and what is told beside it."""
