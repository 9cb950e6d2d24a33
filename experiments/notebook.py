"""The laboratory from Python: ``train`` and ``compare`` as functions that take objects.

They play the same rounds and write the same record as the commands. Rows are flat, so that
``pandas.DataFrame(run.rounds)`` takes them as they are, and ``run.figure()`` draws.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.base import Creator
from agents.solvers import Method, PolicySolver
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.comparison.settings import Comparison, check_fit
from experiments.comparison.stages import Stage
from experiments.run.config import describe, to_json
from experiments.run.match import Match
from experiments.run.parts import name_of
from experiments.run.progress import ProgressTable
from experiments.run.records import Run
from experiments.run.settings import Settings
from experiments.run.train import train as play

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]


@dataclass
class TrainedRun:
    """A run that has been played: its settings, its solver, and its record as flat rows."""

    settings: Settings
    solver: PolicySolver
    run: Run
    scratch: Any = field(default=None, repr=False)
    """Keeps the folder of an unrecorded run until the object goes."""

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
        """A matplotlib figure of an evaluation's score by round, a line for each suite."""
        from experiments.comparison.plots import draw_run

        return draw_run(self.run.rows("evaluations"), score)


@dataclass
class Compared:
    """A comparison that has been played: its settings, its summary, and flat rows."""

    settings: Comparison
    summary: Row
    run: Run
    scratch: Any = field(default=None, repr=False)

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
        """The findings, how sure they are, and what to do next, as the command prints them."""
        return list(self.summary["conclusions"])

    def figure(self) -> "Figure":
        """A matplotlib figure of the deciding score of each arm against reward calls."""
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

    ``settings`` are those of ``experiments.run.settings.Settings``: rounds, prompts, samples,
    reward, seed and so on; the world decides what is left out. ``out`` is the folder of the
    record, new or empty; None keeps no record. Raises TypeError for a part of the wrong kind.
    """
    _require_part("creator", creator, Creator, "Eva()", "agents.creators")
    _require_part("solver", solver, Method, "DPO()", "agents.solvers")
    task = _world(task)
    chosen = Settings.suited(task, creator=creator, solver=solver, **settings)
    match = Match.open(chosen)
    run, scratch = _folder(out, chosen)
    if not progress:
        for _ in play(run, chosen, match):
            pass
    else:
        with ProgressTable([chosen.name], chosen.rounds) as table:
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

    ``settings`` are those of ``Comparison`` and of its ``Conditions``: seeds, tune, rounds,
    prompts and so on. Worker processes import the classes, so a class of your own must be
    defined in a file, not in a notebook's cell.
    """
    for creator in _sequence("creators", creators):
        _require_part("creator", creator, Creator, "Eva()", "agents.creators")
    for solver in _sequence("solvers", solvers):
        _require_part("solver", solver, Method, "DPO()", "agents.solvers")
    chosen = Comparison.suited(
        _world(task),
        creators=tuple(map(specification, creators)),
        solvers=tuple(map(specification, solvers)),
        **settings,
    )
    check_fit(chosen)
    run, scratch = _folder(out, chosen)
    stage = Stage(run, chosen, workers)
    with ProgressTable([arm.name for arm in stage.arms], 0, brief=not progress) as table:
        stage.play(table)
    return Compared(chosen, stage.conclude(), run, scratch)


def specification(part: Any) -> str:
    """The text that names a part with all settings that differ from its class's defaults."""
    default = to_json(type(part)())
    changed = {
        name: getattr(part, name)
        for name, value in to_json(part).items()
        if name != "type" and value != default.get(name)
    }
    if type(part).__module__ == "__main__":
        raise TypeError(
            f"{type(part).__name__} is defined in the notebook, where worker processes cannot "
            f"find it; move it to a file and import it"
        )
    text = ",".join(f"{name}={value!r}" for name, value in changed.items())
    return f"{name_of(part)}:{text}" if text else name_of(part)


def flat(row: Row, prefix: str = "") -> Row:
    """A nested row as one level: {"a": {"b": 1}} -> {"a.b": 1}."""
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
    return task


def _require_part(role: str, part: Any, base: type, example: str, module: str) -> None:
    if isinstance(part, base):
        return
    name = example.removesuffix("()")
    shown = part.__name__ if hasattr(part, "__name__") else repr(part)
    kind = "the class" if isinstance(part, type) else type(part).__name__
    remedy = f"write {role}={example}, with from {module} import {name}"
    if isinstance(part, type) and issubclass(part, base):
        remedy = f"write {part.__name__}()"
    elif role == "solver" and callable(part):
        remedy += "; a loss is one part of a method, not a method"
    raise TypeError(f"{role} must be an object such as {example}, got {kind} {shown}: {remedy}")


def _sequence(name: str, parts: Any) -> Sequence[Any]:
    if isinstance(parts, str) or not isinstance(parts, Sequence):
        raise TypeError(f"{name} must be a list of objects, got {parts!r}: write [{parts!r}]")
    return parts


def _folder(out: str | Path | None, settings: Any) -> tuple[Run, Any]:
    """The record of a run, in a folder that goes with the object where none is asked for."""
    scratch = None
    if out is None:
        scratch = tempfile.TemporaryDirectory(prefix="eva-")
        out = Path(scratch.name, time.strftime("%Y%m%d-%H%M%S"))
    return Run.create(Path(out), describe(settings, ["notebook"])), scratch
