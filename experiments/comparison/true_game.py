"""The true regret game of a task that can be enumerated: its value, each arm's distance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agents.policies.table import TablePolicy
from agents.solvers import Method
from eva_env.tabular.equilibrium import Minimax, minimax_regret, nash_conv
from eva_env.tabular.regret_game import RegretGame
from eva_env.types import Floats
from eva_env.world import World
from experiments.comparison.arms import Arm
from experiments.comparison.contrasts import mean_estimate
from experiments.comparison.scores import START
from experiments.run.records import Run

Named = dict[str, Any]


def distances(
    worlds: Mapping[int, World], arms: Sequence[Arm], runs: Mapping[tuple[str, int], Run]
) -> Named | None:
    """Return the value of the true regret game, and each arm's distance; None without a game.

    ``worlds`` are the tasks by seed, ``runs`` the finished cells by arm and seed.
    ``worst_regret`` is the highest true regret of the trained policy on any prompt that may be
    published, ``distance`` is that minus the value, and ``nash_conv`` is the NashConv of the
    creator's last proposal and the policy. For a low-rank solver the value lies between
    ``value`` and ``upper``, and ``distance`` and ``nash_conv`` are lower bounds. Solvers that
    do not sample their responses from their policy are left out.
    """
    seeds = sorted({seed for _, seed in runs})
    by_seed = {seed: worlds[seed].regret_game() for seed in seeds}
    games = {seed: game for seed, game in by_seed.items() if game is not None}
    if not games:
        return None
    solutions = {seed: minimax_regret(game) for seed, game in games.items()}
    rows: dict[str, dict[int, Named]] = {}
    for arm in arms:
        if type(arm.players[1]).respond_for_evaluation is not Method.respond_for_evaluation:
            continue
        for seed, game in games.items():
            if (arm.name, seed) in runs:
                proposal, policy = _players(runs[arm.name, seed], game)
                row = _row(game, policy, solutions[seed])
                row["nash_conv"] = nash_conv(game, proposal, policy).value
                rows.setdefault(arm.name, {})[seed] = row
    rows[START] = {
        seed: _row(game, game.reference, solutions[seed]) for seed, game in games.items()
    }
    bounded = any(game.features is not None for game in games.values())
    return {
        "value": mean_estimate([solutions[seed].lower for seed in games], list(games)),
        "upper": mean_estimate([solutions[seed].upper for seed in games], list(games)),
        "arms": {
            player: _estimates(by_world) | {"lower_bound": bounded}
            for player, by_world in rows.items()
        },
    }


def _row(game: RegretGame, policy: Floats, solution: Minimax) -> Named:
    worst = game.worst_case(policy)
    return {"worst_regret": worst, "distance": solution.distance(worst)}


def _players(run: Run, game: RegretGame) -> tuple[Floats, Floats]:
    """Return the creator's last proposal (K,) and the trained policy (K, M)."""
    proposal = np.zeros(len(game.rewards))
    for row in run.rows("final"):
        proposal[row["prompt"]] = row["probability"]
    return proposal, TablePolicy.load(run.checkpoint(run.checkpoints[-1])).probabilities()


def _estimates(rows: Mapping[int, Named]) -> Named:
    """Return each number of the rows as an estimate over the worlds."""
    names = next(iter(rows.values()))
    return {
        name: mean_estimate([row[name] for row in rows.values()], list(rows)) for name in names
    }
