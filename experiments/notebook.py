"""Train and compare from Python, with objects as arguments.

``train`` and ``compare`` play the same rounds and write the same record as the commands. Rows
are flat, as ``pandas.DataFrame(run.rounds)`` needs them, and ``run.figure()`` draws a chart.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.base import Creator
from agents.solvers import Method, PolicySolver
from eva_env.plain_text import say
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.comparison.settings import Comparison, check_fit
from experiments.comparison.stages import Stage
from experiments.run.config import describe
from experiments.run.judging import judged_by, score_name
from experiments.run.match import Match
from experiments.run.progress import ProgressTable
from experiments.run.records import Run
from experiments.run.settings import Settings
from experiments.run.setup import pinned
from experiments.run.specifications import specification
from experiments.run.train import train as play

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]


@dataclass(repr=False)
class TrainedRun:
    """A finished run: its settings, its solver, and its record as flat rows."""

    settings: Settings
    solver: PolicySolver
    run: Run
    scratch: Any = None
    """The temporary folder of a run without ``out``; it is deleted with this object."""

    def __repr__(self) -> str:
        return f"TrainedRun({self.settings.name}, {len(self.run.rows('rounds'))} rounds)"

    @property
    def rounds(self) -> list[Row]:
        """A row per round: payoffs, rewards, budget, logs."""
        return [flat(row) for row in self.run.rows("rounds")]

    @property
    def prompts(self) -> list[Row]:
        """A row per drawn prompt: text, parent, operator, signal, rewards."""
        return [flat(row) for row in self.run.rows("prompts")]

    @property
    def evaluations(self) -> list[Row]:
        """A row per evaluation and suite: gold reward, pass rate, win rate."""
        return [flat(row) for row in self.run.rows("evaluations")]

    def figure(self, score: str = "win_rate") -> "Figure":
        """Return a matplotlib figure of a score by round, a line for each suite."""
        from experiments.comparison.plots import draw_run

        return draw_run(self.run.rows("evaluations"), score)


@dataclass(repr=False)
class Compared:
    """A finished comparison: its settings, its summary, and flat rows."""

    settings: Comparison
    summary: Row
    run: Run
    scratch: Any = None
    """The temporary folder of a comparison without ``out``."""

    def __repr__(self) -> str:
        return f"Compared({', '.join(self.summary['arms'])}; {self.settings.seeds} seeds)"

    @property
    def arms(self) -> list[Row]:
        """A row per arm: the scores of every suite with their intervals."""
        return [{"arm": name} | flat(arm) for name, arm in self.summary["arms"].items()]

    @property
    def differences(self) -> list[Row]:
        """A row per paired difference, with its corrected interval and p value."""
        return [flat(row) for row in self.summary["comparisons"]]

    @property
    def conclusions(self) -> list[str]:
        """The sentences that ``eva compare`` prints: findings, limits, next steps."""
        return list(self.summary["conclusions"])

    def figure(self) -> "Figure":
        """Return a matplotlib figure of each arm's deciding score against reward calls."""
        from experiments.comparison.plots import curves

        return curves(self.summary)


def train(
    creator: Creator,
    solver: Method,
    task: World | None = None,
    *,
    out: str | Path | None = None,
    progress: bool = True,
    **settings: Any,
) -> TrainedRun:
    """Train one solver against one creator, as ``eva train`` does.

    Args:
        creator: who makes the prompts, such as ``Eva()``.
        solver: the method by which the solver learns, such as ``DPO()``.
        task: the world; None for ``Wordlist()``.
        out: the folder of the record, new or empty; None keeps no record.
        progress: prints a progress table.
        settings: fields of ``experiments.run.settings.Settings``: rounds, prompts, samples,
            reward, seed and others. The world decides those that are left out.

    Raises TypeError, which says what to write, for a part of the wrong kind.
    """
    _require_part("creator", creator, Creator, "Eva()", "agents.creators")
    _require_part("solver", solver, Method, "DPO()", "agents.solvers")
    chosen = Settings.suited(_world(task), creator=creator, solver=solver, **settings)
    match = Match.open(chosen)
    run, scratch = _folder(out, chosen)
    if not progress:
        for _ in play(run, chosen, match):
            pass
    else:
        suite = chosen.task.deciding
        reward = score_name(judged_by(chosen))
        with ProgressTable([chosen.name], chosen.rounds, suite=suite, reward=reward) as table:
            for row in play(run, chosen, match):
                table.update(chosen.name, chosen.seed, row)
    return TrainedRun(chosen, match.solver, run, scratch)


def compare(
    creators: Sequence[Creator],
    solvers: Sequence[Method],
    task: World | None = None,
    *,
    out: str | Path | None = None,
    progress: bool = True,
    workers: int = 2,
    **settings: Any,
) -> Compared:
    """Compare every creator with every solver, as ``eva compare`` does.

    Args:
        creators: who makes the prompts, such as ``[Fresh(), Eva()]``.
        solvers: the methods by which solvers learn, such as ``[DPO()]``.
        task: the world; None for ``Wordlist()``.
        out: the folder of the record, new or empty; None keeps no record.
        progress: prints a line per evaluation; otherwise one per finished cell.
        workers: worker processes. They import the classes, so your own classes must be
            defined in a file, not in a cell of a notebook.
        settings: fields of ``Comparison`` and of its ``Conditions``: seeds, tune, rounds,
            prompts and others. The world decides those that are left out.

    Raises TypeError, which says what to write, for a part of the wrong kind.
    """
    for creator in _sequence("creators", creators, "Eva()"):
        _require_part("creator", creator, Creator, "Eva()", "agents.creators")
    for solver in _sequence("solvers", solvers, "DPO()"):
        _require_part("solver", solver, Method, "DPO()", "agents.solvers")
    chosen = Comparison.suited(
        _world(task),
        creators=tuple(map(specification, creators)),
        solvers=tuple(map(specification, solvers)),
        **settings,
    ).pinned()
    check_fit(chosen)
    run, scratch = _folder(out, chosen)
    stage = Stage(run, chosen, workers)
    names = [arm.name for arm in stage.arms]
    with run.locked():
        with ProgressTable(names, 0, brief=not progress, suite=chosen.deciding) as table:
            stage.play(table)
        return Compared(chosen, stage.conclude(), run, scratch)


def flat(row: Row, prefix: str = "") -> Row:
    """Return a nested row in one level: {"a": {"b": 1}} -> {"a.b": 1}."""
    level: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            level |= flat(value, f"{prefix}{key}.")
        else:
            level[f"{prefix}{key}"] = value
    return level


def _world(task: World | None) -> World:
    if task is None:
        return Wordlist()
    _require_part("task", task, World, "Wordlist()", "eva_env.wordlist")
    world = pinned(task)
    for line in world.remarks():
        say(line, file=sys.stderr)
    return world


def _require_part(role: str, part: Any, base: type, example: str, module: str) -> None:
    if isinstance(part, base):
        return
    if isinstance(part, type):
        kind, shown = "the class", part.__name__
    else:
        kind, shown = type(part).__name__, getattr(part, "__name__", repr(part))
    if isinstance(part, type) and issubclass(part, base):
        remedy = f"write {part.__name__}()"
    else:
        name = example.removesuffix("()")
        remedy = f"write {role}={example}, with from {module} import {name}"
        if role == "solver" and callable(part):
            remedy += "; a loss is one part of a method, not a method"
    raise TypeError(f"{role} must be an object such as {example}, got {kind} {shown}: {remedy}")


def _sequence(name: str, parts: Any, example: str) -> Sequence[Any]:
    if isinstance(parts, str) or not isinstance(parts, Sequence):
        raise TypeError(f"{name} must be a list of objects, got {parts!r}: write [{example}]")
    return parts


def _folder(out: str | Path | None, settings: Any) -> tuple[Run, Any]:
    """The record of a run, and the temporary folder that holds it if ``out`` is None."""
    scratch = None
    if out is None:
        scratch = tempfile.TemporaryDirectory(prefix="eva-")
        out = Path(scratch.name, time.strftime("%Y%m%d-%H%M%S"))
    return Run.create(Path(out), describe(settings, ["notebook"])), scratch
