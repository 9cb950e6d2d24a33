"""What is known exactly on the tabular rung: true regret, and the distance to its minimax."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agents.policies.table import TablePolicy
from agents.solvers import Method
from eva_env.tabular.equilibrium import minimax_regret, nash_conv
from eva_env.tabular.regret_game import RegretGame
from eva_env.tabular.world import TabularWorld
from eva_env.types import Floats
from experiments.comparison.arms import Arm
from experiments.comparison.figures import figure
from experiments.comparison.measures import START
from experiments.comparison.settings import Comparison
from experiments.run.records import Run

Named = dict[str, Any]


def exact(
    setting: Comparison, arms: Sequence[Arm], runs: Mapping[tuple[str, int], Run]
) -> Named | None:
    """The value of the true regret game by world, and every arm's place in it; None elsewhere.

    ``worst_regret`` is the highest true regret of the trained policy on a prompt that may be
    published, ``distance`` how far that is above the value, ``nash_conv`` that of the creator's
    last proposal and the policy. Of a low-rank solver the value lies between ``value`` and
    ``upper``, ``distance`` is at least that, and ``nash_conv`` a lower bound. Left out: solvers
    that answer otherwise than by their policy.
    """
    if not isinstance(setting.task, TabularWorld):
        return None
    seeds = sorted({seed for _, seed in runs})
    games = {seed: RegretGame.of_world(setting.world(seed)) for seed in seeds}  # type: ignore[arg-type]
    solved = {seed: minimax_regret(game) for seed, game in games.items()}
    rows: dict[str, dict[int, Named]] = {}
    for arm in arms:
        if type(arm.players[1]).respond_for_evaluation is not Method.respond_for_evaluation:
            continue
        for seed in seeds:
            if (arm.name, seed) in runs:
                creator, policy = _players(runs[arm.name, seed], games[seed])
                found = nash_conv(games[seed], creator, policy)
                row = _row(games[seed], policy, solved[seed].distance)
                row |= {"nash_conv": found.value}
                rows.setdefault(arm.name, {})[seed] = row
    rows[START] = {
        seed: _row(game, game.reference, solved[seed].distance) for seed, game in games.items()
    }
    bounded = any(game.features is not None for game in games.values())
    return {
        "value": figure([solved[seed].lower for seed in seeds], seeds),
        "upper": figure([solved[seed].upper for seed in seeds], seeds),
        "arms": {arm: _figures(own) | {"lower_bound": bounded} for arm, own in rows.items()},
    }


def _row(game: RegretGame, policy: Floats, distance: Any) -> Named:
    worst = game.worst_case(policy)
    return {"worst_regret": worst, "distance": distance(worst)}


def _players(run: Run, game: RegretGame) -> tuple[Floats, Floats]:
    """The creator's last proposal (K,), and the trained policy (K, M)."""
    creator = np.zeros(len(game.rewards))
    for row in run.rows("final"):
        creator[row["prompt"]] = row["probability"]
    return creator, TablePolicy.load(run.checkpoint(run.checkpoints[-1])).probabilities()


def _figures(rows: Mapping[int, Named]) -> Named:
    first = next(iter(rows.values()))
    return {name: figure([row[name] for row in rows.values()], list(rows)) for name in first}
