"""Play the stages of a comparison: tuning, pilot, the other cells, cross-play."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.comparison import tables
from experiments.comparison.cells import Cell, Crossing, Start, cell_folder
from experiments.comparison.power import estimate_power, pilot
from experiments.comparison.scores import START, read_scores
from experiments.comparison.settings import Comparison
from experiments.comparison.summary import summarise
from experiments.comparison.tuning import Trial, chosen, configured, trials
from experiments.run.config import to_json
from experiments.run.errors import UserError
from experiments.run.progress import ProgressTable
from experiments.run.records import Run
from experiments.run.workers import Workers

Job = Trial | Cell | Start | Crossing
"""A job of a worker; each has ``play()``."""


def play_job(job: Job) -> Iterator[Any]:
    """Do a job and yield its rows."""
    yield from job.play()


@dataclass
class Stage:
    """A comparison, and what has been played of it."""

    run: Run
    setting: Comparison
    workers: int
    failures: dict[str, str] = field(default_factory=dict)
    """Traceback by cell, of the jobs that failed in this process."""
    tuned: dict[str, Any] | None = None
    """The chosen configuration and the sweep by arm."""

    def __post_init__(self) -> None:
        self.arms = self.setting.arms  # as given; tuning replaces them

    def play(self, board: ProgressTable) -> None:
        """Play every stage that is not finished."""
        with Workers(play_job, self.workers) as self.pool:
            self.play_stages(board)
        self.run.write_json("failures", self.failures)

    def conclude(self) -> dict[str, Any]:
        """Return the summary of what was played, and write it to the folder.

        Raises UserError if no competitor's cell has finished.
        """
        folder = self.run.folder
        if not self.competed:
            raise UserError(f"no cell of a competitor has finished; see {folder}/failures.json")
        summary = summarise(self.setting, folder, self.arms, self.tuned, self.failures)
        tables.write(summary, folder)
        return summary

    def play_stages(self, board: ProgressTable) -> None:
        """Tune, play the starting policy, the pilot and the other cells, then cross-play."""
        if self.setting.tune:
            self.tune(board)
        cells = self.cells
        first = pilot(cells, self.arms, self.seeds)
        self.play_short(self.starts, "starting models", board)
        board.begin("rounds", sum(cell.settings.rounds for cell in cells))
        self.play_cells(first, board)
        if any(cell.finished for cell in first) and any(s.finished for s in self.starts):
            for sentence in self.power["sentences"]:
                board.note(sentence)
        self.play_cells([cell for cell in cells if cell not in first], board)
        self.cross(board)

    @property
    def seeds(self) -> int:
        """The number of seeds."""
        return self.setting.seeds

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells, seed by seed, so that arms advance together.

        Raises UserError for a cell that has been played with other settings, or is damaged.
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
        for player in [*planned, *self.starts]:
            if player.finished:
                player.check()
        for cell in planned:
            if cell.started and not cell.finished:
                cell.check_rows()
        return planned

    @property
    def starts(self) -> list[Start]:
        """The starting policy with every seed."""
        settings = [self.setting.settings(self.arms[-1], seed) for seed in range(self.seeds)]
        return [Start(START, s.seed, s, self.folder(START, s.seed)) for s in settings]

    @property
    def finished(self) -> list[Cell]:
        """The cells that have been played to the end."""
        return [cell for cell in self.cells if cell.finished]

    @property
    def competed(self) -> bool:
        """Whether a competitor's cell and the starting policy are finished."""
        competitors = {arm.name for arm in self.arms if not arm.ceiling}
        started = any(start.finished for start in self.starts)
        return started and any(cell.arm in competitors for cell in self.finished)

    @property
    def power(self) -> dict[str, Any]:
        """The power estimate from the cells that are finished."""
        names = [arm.name for arm in self.arms]
        scores = read_scores(self.run.folder, names, range(self.seeds))
        deciding = scores.deciding(self.setting.deciding, self.setting.metric)
        return estimate_power(deciding, self.arms, self.seeds, self.setting.metric)

    def folder(self, player: str, seed: int) -> Path:
        """Return the folder of a cell."""
        return cell_folder(self.run.folder, player, seed)

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
        for arm in self.arms:
            if self.tuned[arm.name]["configuration"] is None:
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
        """Let every player, the starting policy too, respond to the creators' final prompts."""
        jobs, finished = [], self.finished
        for seed in range(self.seeds):
            cells = [cell for cell in finished if cell.seed == seed]
            creators = {cell.arm: cell.folder for cell in cells}
            for cell in cells:
                jobs.append(Crossing(cell.arm, seed, cell.settings, cell.folder, creators))
            if cells:
                start = self.starts[seed]
                jobs.append(Crossing(START, seed, start.settings, start.folder, creators))
        self.play_short(jobs, "cross-play", board)

    def play_short(
        self, jobs: Sequence[Start | Crossing], what: str, board: ProgressTable
    ) -> None:
        """Do the short jobs that are not finished; the bar counts them."""
        waiting = [job for job in jobs if not job.finished]
        board.begin(what, len(jobs), len(jobs) - len(waiting))
        self.do(waiting, board, lambda job, row: board.advance())

    def do(
        self, jobs: Sequence[Any], board: ProgressTable, take: Callable[[Any, Any], None]
    ) -> None:
        """Do jobs on the workers and pass their rows to ``take``; a failure stops no other."""
        for job, row, failure in self.pool.run(jobs):
            name = f"{job.arm}/seed-{job.seed:04d}"
            if row is not None:
                take(job, row)
            elif failure is not None:
                self.failures[name] = failure
                reason = failure.strip().splitlines()[-1]
                board.note(f"{name} failed, the others continue: {reason}")
            elif isinstance(job, Cell) and not board.live:
                board.note(f"{name} is done")


def _key(row: Any) -> tuple[Any, ...]:
    return row["arm"], row["configuration"], row["seed"]
