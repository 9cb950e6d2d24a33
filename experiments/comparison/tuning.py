"""Equal tuning: every arm is given as many configurations, each arm from its own grid.

Whoever tunes one side only can produce the sign of a difference at will. So the first
configuration is the arm as given; in the others the learning rate goes through its grid from
the middle outwards, and what else the strategies declare (``Creator.grid``, ``Method.grid``) is
drawn evenly. Trials are played on seeds of their own and judged on validation prompts: new
ones of the deciding suite's distribution. Neither is ever used for the result.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agents.evaluate import evaluate
from experiments.comparison.arms import Arm
from experiments.comparison.settings import Comparison
from experiments.run.evaluation import SEED
from experiments.run.match import Match
from experiments.run.settings import Settings
from experiments.run.train import exhausted

SEEDS = 1_000_000
"""The first seed of the trials; results begin at 0."""

VALIDATION, PROMPTS = 2, 256
"""Stream and number of the validation prompts."""

Row = dict[str, Any]
Knobs = dict[str, float]
"""Factors of settings as given, by name: creator.depth, solver.lr."""


@dataclass(frozen=True)
class Trial:
    """One configuration of an arm with one seed."""

    arm: str
    configuration: int
    knobs: Knobs
    seed: int
    settings: Settings
    suite: str

    def play(self) -> Iterator[Row]:
        """Play it and judge the solver on validation prompts; one row, of tuning.jsonl."""
        match = Match.open(self.settings)
        spent = [0]
        for _ in match.rounds():
            spent.append(match.budget.reward_calls)
            if exhausted(self.settings, spent):
                break
        task, rng = self.settings.task, np.random.default_rng([SEEDS, VALIDATION])
        prompts = task.seed(PROMPTS, rng, self.suite)
        n = self.settings.evaluation_samples
        rewards = evaluate(match.solver, prompts, task.gold_reward(), n, SEED)
        yield self.row | {"gold": float(rewards.mean())}

    @property
    def row(self) -> Row:
        """What names the trial."""
        own = {"arm": self.arm, "configuration": self.configuration}
        return own | {"factors": self.knobs, "seed": self.seed}


def trials(comparison: Comparison, arms: Sequence[Arm]) -> list[Trial]:
    """All trials, seed by seed."""
    seeds = range(SEEDS, SEEDS + comparison.tune_seeds)
    planned = [
        (arm, i, knobs)
        for arm in arms
        for i, knobs in enumerate(configurations(arm, comparison.tune))
    ]
    return [
        Trial(
            arm.name, i, knobs, seed, comparison.settings(configured(arm, knobs), seed),
            comparison.suite,
        )
        for seed in seeds
        for arm, i, knobs in planned
    ]  # fmt: skip


def configurations(arm: Arm, k: int) -> list[Knobs]:
    """At most k configurations of an arm, all different; fewer where its grid has no more."""
    grid = grid_of(arm)
    rates = middle_out(grid.pop("solver.lr", (1.0,)))
    rng = np.random.default_rng([SEEDS, k])
    found: dict[tuple[float, ...], Knobs] = {}
    for attempt in range(100 * k):
        if len(found) == k:
            break
        lr = rates[len(found) % len(rates)]
        others = {
            name: 1.0 if attempt == 0 else float(rng.choice(factors))
            for name, factors in grid.items()
        }
        knobs = {"solver.lr": lr} | others if len(rates) > 1 else others
        if possible(arm, knobs):
            found.setdefault(tuple(knobs.values()), knobs)
    return list(found.values())


def grid_of(arm: Arm) -> dict[str, tuple[float, ...]]:
    """Factors by setting of both players, without settings that are 0, which have none."""
    return {
        f"{role}.{name}": factors
        for role, player in zip(("creator", "solver"), arm.players, strict=True)
        for name, factors in player.grid.items()
        if getattr(player, name)
    }


def configured(arm: Arm, knobs: Knobs) -> Arm:
    """The arm with its settings multiplied; ValueError where a strategy refuses them."""
    creator, solver = (
        replace(
            player,  # type: ignore[type-var] - every strategy is a dataclass
            **{
                name.partition(".")[2]: getattr(player, name.partition(".")[2]) * factor
                for name, factor in knobs.items()
                if name.startswith(role) and factor != 1
            },
        )
        for role, player in zip(("creator.", "solver."), arm.players, strict=True)
    )
    return replace(arm, players=(creator, solver))


def possible(arm: Arm, knobs: Knobs) -> bool:
    """Whether the strategies accept these settings."""
    try:
        configured(arm, knobs)
    except ValueError:
        return False
    return True


def middle_out(factors: Sequence[float]) -> list[float]:
    """The configured value first, then its neighbours, the smaller one before the larger."""
    middle = factors.index(1.0)
    return sorted(factors, key=lambda factor: abs(factors.index(factor) - middle))


def chosen(arm: Arm, rows: Sequence[Mapping[str, Any]]) -> Row:
    """The best of an arm's configurations by mean gold reward over the seeds, and the sweep.

    A configuration that failed with a seed is out; the last row of a trial counts, since one
    that failed is played again when the comparison is resumed. ``edges`` names the settings
    whose best value is the first or last of those that were tried: more may lie beyond.
    """
    sweep = []
    last = {(r["configuration"], r["seed"]): r for r in rows if r["arm"] == arm.name}
    own = list(last.values())
    for i in sorted({row["configuration"] for row in own}):
        tried = [row for row in own if row["configuration"] == i]
        tried.sort(key=lambda row: row["seed"])  # they came as workers had time
        scores = [row["gold"] for row in tried]
        mean = None if None in scores else float(np.mean(scores))
        sweep.append(
            {"configuration": i, "factors": tried[0]["factors"], "gold": scores, "mean": mean}
        )
    scored = [row for row in sweep if row["mean"] is not None]
    if not scored:
        return {"configuration": None, "factors": {}, "edges": [], "sweep": sweep}
    best = max(scored, key=lambda row: row["mean"])
    edges = []
    for name, factor in best["factors"].items():
        tried = sorted({row["factors"][name] for row in scored})
        if len(tried) > 1 and factor in (tried[0], tried[-1]):
            edges.append(name)
    return {k: best[k] for k in ("configuration", "factors")} | {"edges": edges, "sweep": sweep}
