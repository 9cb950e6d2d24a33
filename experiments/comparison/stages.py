"""The stages of a comparison: tune, pilot, the other cells, cross-play."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.comparison.cells import Cell, Crossing, Start, place
from experiments.comparison.measures import START, measure
from experiments.comparison.power import estimate, pilot
from experiments.comparison.settings import Comparison
from experiments.comparison.summary import scored
from experiments.comparison.tuning import Trial, chosen, configured, trials
from experiments.run.config import to_json
from experiments.run.errors import UserError
from experiments.run.progress import ProgressTable
from experiments.run.records import Run, on_disk
from experiments.run.workers import Workers

Job = Trial | Cell | Start | Crossing
"""What workers do; each has ``play()``."""


def play_job(job: Job) -> Iterator[Any]:
    """Do a job; its rows."""
    yield from job.play()


@dataclass
class Stage:
    """A comparison as far as it has been played."""

    run: Run
    setting: Comparison
    workers: int
    failures: dict[str, str] = field(default_factory=dict)
    """Traceback by cell; what is finished later is taken out again."""
    tuned: dict[str, Any] | None = None
    """The chosen configuration and the sweep by arm."""

    def __post_init__(self) -> None:
        self.arms = self.setting.arms  # as given, until they are tuned

    def play(self, board: ProgressTable) -> None:
        """Play all stages from where they stand."""
        with Workers(play_job, self.workers) as self.pool:
            self.play_stages(board)
        with on_disk(self.run.folder):
            path = self.run.folder / "failures.json"
            path.write_text(json.dumps(self.failures, indent=2) + "\n")

    def play_stages(self, board: ProgressTable) -> None:
        """Tune, pilot, play, cross."""
        if self.setting.tune:
            self.tune(board)
        cells = self.cells
        first = pilot(cells, self.arms, self.seeds)
        self.count(self.starts, "starting models", board)
        board.begin("rounds", sum(cell.settings.rounds for cell in cells))
        self.play_cells(first, board)
        if any(cell.finished for cell in first) and any(s.finished for s in self.starts):
            for sentence in self.power["sentences"]:
                board.note(sentence)
        self.play_cells([cell for cell in cells if cell not in first], board)
        self.cross(board)

    @property
    def seeds(self) -> int:
        """How many seeds there are."""
        return self.setting.seeds

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells, seed by seed, so that arms advance together.

        Raises UserError for one that has been played with other settings.
        """
        planned = [
            Cell(arm.name, seed, self.setting.settings(arm, seed), self.folder(arm.name, seed))
            for seed in range(self.seeds)
            for arm in self.arms
        ]
        for cell in planned:
            if cell.started and Run.open(cell.folder).config["settings"] != to_json(
                cell.settings
            ):
                raise UserError(f"{cell.folder} has other settings; start a new comparison")
        for known in [*planned, *self.starts]:
            if known.finished:
                known.check()
        return planned

    @property
    def starts(self) -> list[Start]:
        """The starting model with every seed."""
        settings = [self.setting.settings(self.arms[-1], seed) for seed in range(self.seeds)]
        return [Start(START, own.seed, own, self.folder(START, own.seed)) for own in settings]

    @property
    def finished(self) -> list[Cell]:
        """The cells that have been played to the end."""
        return [cell for cell in self.cells if cell.finished]

    @property
    def competed(self) -> bool:
        """Whether there is something to compare: a competitor's cell, and the start."""
        rivals = {arm.name for arm in self.arms if not arm.ceiling}
        started = any(start.finished for start in self.starts)
        return started and any(cell.arm in rivals for cell in self.finished)

    @property
    def power(self) -> dict[str, Any]:
        """What the cells that are finished say of how much the comparison can tell."""
        names = [arm.name for arm in self.arms]
        known = measure(self.run.folder, names, range(self.seeds))
        return estimate(scored(known, self.setting), self.arms, self.setting)

    def folder(self, player: str, seed: int) -> Path:
        """Where a cell lies."""
        return place(self.run.folder, player, seed)

    def tune(self, board: ProgressTable) -> None:
        """Play the trials that are missing, and give every arm its best configuration."""
        planned = trials(self.setting, self.arms)
        done = {_key(row) for row in self.run.rows("tuning") if row["gold"] is not None}
        waiting = [trial for trial in planned if _key(trial.row) not in done]
        board.begin("trials", len(planned), len(planned) - len(waiting))
        for job, row, failure in self.pool.run(waiting):
            if failure is not None:
                reason = failure.strip().splitlines()[-1]
                row = job.row | {"gold": None, "failure": reason}
                board.note(f"{job.arm}, configuration {job.configuration}, failed: {reason}")
            if row is not None:
                self.run.append("tuning", [row])
                board.advance()
        rows = self.run.rows("tuning")
        self.tuned = {arm.name: chosen(arm, rows) for arm in self.arms}
        for arm, own in zip(self.arms, self.tuned.values(), strict=True):
            if own["configuration"] is None:
                raise UserError(f"every configuration of {arm.name} failed; see tuning.jsonl")
        self.arms = [configured(arm, self.tuned[arm.name]["factors"]) for arm in self.arms]

    def play_cells(self, cells: Sequence[Cell], board: ProgressTable) -> None:
        """Play the cells that are not finished."""
        for cell in cells:
            if cell.finished:
                *_, last = Run(cell.folder).history()
                board.update(cell.arm, cell.seed, last | {"alarms": {}})
        waiting = [cell for cell in cells if not cell.finished]
        self.do(waiting, board, lambda cell, row: board.update(cell.arm, cell.seed, row))

    def cross(self, board: ProgressTable) -> None:
        """Let every player, the starting model too, answer the creators' final prompts."""
        jobs, finished = [], self.finished
        for seed in range(self.seeds):
            own = [cell for cell in finished if cell.seed == seed]
            creators = {cell.arm: cell.folder for cell in own}
            for cell in own:
                jobs.append(Crossing(cell.arm, seed, cell.settings, cell.folder, creators))
            if own:
                start = self.starts[seed]
                jobs.append(Crossing(START, seed, start.settings, start.folder, creators))
        self.count(jobs, "cross-play", board)

    def count(self, jobs: Sequence[Start | Crossing], what: str, board: ProgressTable) -> None:
        """Do the short jobs that are not finished."""
        waiting = [job for job in jobs if not job.finished]
        board.begin(what, len(jobs), len(jobs) - len(waiting))
        self.do(waiting, board, lambda job, row: board.advance())

    def do(
        self, jobs: Sequence[Any], board: ProgressTable, take: Callable[[Any, Any], None]
    ) -> None:
        """Do jobs on the workers; a failure is noted, and the others go on."""
        for job, row, failure in self.pool.run(jobs):
            name = f"{job.arm}/seed-{job.seed:04d}"
            if row is not None:
                take(job, row)
            elif failure is not None:
                self.failures[name] = failure
                reason = failure.strip().splitlines()[-1]
                board.note(f"{name} failed, the others go on: {reason}")
            elif isinstance(job, Cell) and not board.live:
                board.note(f"{name} is done")


def _key(row: Any) -> tuple[Any, ...]:
    return row["arm"], row["configuration"], row["seed"]
