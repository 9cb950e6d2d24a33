"""Equal tuning: every arm gets the same number of configurations, each from its own grid.

Tuning only one side of a comparison can produce either sign of a difference. So the first
configuration is the arm as given. In the others the learning rate takes the values of its grid
from the middle outwards, and the other settings that strategies declare (``Creator.grid``,
``Method.grid``) are drawn uniformly. Trials have their own seeds and are scored on validation
prompts, new draws from the deciding suite's distribution. The result uses neither.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agents.evaluate import evaluate
from eva_env.missing import mean_reward
from experiments.comparison.arms import Arm
from experiments.comparison.settings import Comparison
from experiments.run.evaluation import SEED
from experiments.run.match import Match
from experiments.run.settings import Settings
from experiments.run.train import exhausted, judging

SEEDS = 1_000_000
"""The first seed of the trials; those of the result begin at 0."""

VALIDATION, PROMPTS = 2, 256
"""Stream and number of the validation prompts."""

Row = dict[str, Any]
Factors = dict[str, float]
"""Factors by which settings are multiplied, by name: creator.depth, solver.lr."""


@dataclass(frozen=True)
class Trial:
    """One configuration of an arm with one seed."""

    arm: str
    configuration: int
    factors: Factors
    seed: int
    settings: Settings
    suite: str

    def play(self) -> Iterator[Row]:
        """Play it, score the solver on validation prompts, and yield a row of tuning.jsonl."""
        match = Match.open(self.settings)
        judge = judging(self.settings, match)
        spent = [0]
        for _ in match.rounds():
            spent.append(match.budget.reward_calls)
            if exhausted(self.settings, spent):
                break
        task, rng = self.settings.task, np.random.default_rng([SEEDS, VALIDATION])
        prompts = task.seed(PROMPTS, rng, self.suite)
        n, limits = self.settings.evaluation_samples, self.settings.limits
        rewards = evaluate(match.solver, prompts, judge, n, SEED, limits)
        yield self.row | {"gold": mean_reward(rewards)}

    @property
    def row(self) -> Row:
        """The part of its row that identifies the trial."""
        return {
            "arm": self.arm,
            "configuration": self.configuration,
            "factors": self.factors,
            "seed": self.seed,
        }


def trials(comparison: Comparison, arms: Sequence[Arm]) -> list[Trial]:
    """Return all trials, seed by seed."""
    planned = [
        (arm, i, factors)
        for arm in arms
        for i, factors in enumerate(configurations(arm, comparison.tune))
    ]
    return [
        Trial(
            arm.name, i, factors, seed, comparison.settings(configured(arm, factors), seed),
            comparison.deciding,
        )
        for seed in range(SEEDS, SEEDS + comparison.tune_seeds)
        for arm, i, factors in planned
    ]  # fmt: skip


def configurations(arm: Arm, k: int) -> list[Factors]:
    """Return at most k different configurations of an arm; fewer if its grid has fewer."""
    grid = grid_of(arm)
    rates = middle_out(grid.pop("solver.lr", (1.0,)))
    rng = np.random.default_rng([SEEDS, k])
    distinct: dict[tuple[float, ...], Factors] = {}
    for attempt in range(100 * k):
        if len(distinct) == k:
            break
        # 1. The learning rates in turn; of the other settings a draw, the first time as given.
        lr = rates[len(distinct) % len(rates)]
        others = {
            name: 1.0 if attempt == 0 else float(rng.choice(factors))
            for name, factors in grid.items()
        }
        factors = {"solver.lr": lr} | others if len(rates) > 1 else others
        # 2. Keep it if it is new, and if the strategies accept it.
        if possible(arm, factors):
            distinct.setdefault(tuple(factors.values()), factors)
    return list(distinct.values())


def grid_of(arm: Arm) -> dict[str, tuple[float, ...]]:
    """Return the factors to try by setting of both players.

    A setting of 0 is left out, since no factor changes it.
    """
    return {
        f"{role}.{name}": factors
        for role, player in zip(("creator", "solver"), arm.players, strict=True)
        for name, factors in player.grid.items()
        if getattr(player, name)
    }


def configured(arm: Arm, factors: Factors) -> Arm:
    """Return the arm with its settings multiplied; ValueError where a strategy refuses them."""
    creator, solver = (
        replace(
            player,  # type: ignore[type-var] - every strategy is a dataclass
            **{
                name.removeprefix(f"{role}."): getattr(player, name.removeprefix(f"{role}."))
                * factor
                for name, factor in factors.items()
                if name.startswith(f"{role}.") and factor != 1
            },
        )
        for role, player in zip(("creator", "solver"), arm.players, strict=True)
    )
    return replace(arm, players=(creator, solver))


def possible(arm: Arm, factors: Factors) -> bool:
    """Whether the strategies accept these settings."""
    try:
        configured(arm, factors)
    except ValueError:
        return False
    return True


def middle_out(factors: Sequence[float]) -> list[float]:
    """Return factors from 1 outwards; of two at the same distance the smaller comes first."""
    middle = factors.index(1.0)
    return sorted(factors, key=lambda factor: abs(factors.index(factor) - middle))


def chosen(arm: Arm, rows: Sequence[Mapping[str, Any]]) -> Row:
    """Return an arm's best configuration by mean gold reward over the seeds, and the sweep.

    A configuration that failed with any seed is out. The last row of a trial counts, since
    resuming plays failed trials again. ``edges`` names the settings whose best value is the
    first or last of those tried, so that values beyond may be better.
    """
    # 1. The last row of every trial.
    last = {(r["configuration"], r["seed"]): r for r in rows if r["arm"] == arm.name}
    # 2. Scores of every configuration, sorted by seed: workers finish in any order.
    sweep = []
    for i in sorted({configuration for configuration, _ in last}):
        tried = [row for (configuration, _), row in sorted_by_seed(last) if configuration == i]
        gold = [row["gold"] for row in tried]
        mean = None if None in gold else float(np.mean(gold))
        sweep.append(
            {"configuration": i, "factors": tried[0]["factors"], "gold": gold, "mean": mean}
        )
    scored = [row for row in sweep if row["mean"] is not None]
    if not scored:
        return {"configuration": None, "factors": {}, "edges": [], "sweep": sweep}
    # 3. The best, and the settings in which it is extreme.
    best = max(scored, key=lambda row: row["mean"])
    edges = []
    for name, factor in best["factors"].items():
        values = sorted({row["factors"][name] for row in scored})
        if len(values) > 1 and factor in (values[0], values[-1]):
            edges.append(name)
    return {
        "configuration": best["configuration"],
        "factors": best["factors"],
        "edges": edges,
        "sweep": sweep,
    }


def sorted_by_seed(trials: Mapping[tuple[int, int], Any]) -> list[tuple[tuple[int, int], Any]]:
    """Return the items of trials by (configuration, seed), sorted by both."""
    return sorted(trials.items(), key=lambda item: item[0])
