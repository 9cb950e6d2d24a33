"""summary.json: everything that the terminal and the report show of a comparison."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eva_env.statistics import bootstrap
from eva_env.statistics.length_controlled import length_controlled, length_controlled_draws
from experiments.comparison import games
from experiments.comparison.arms import Arm
from experiments.comparison.cells import cell_folder, is_finished
from experiments.comparison.conclusions import conclusions
from experiments.comparison.contrasts import (
    bootstrap_matrix,
    contrasts,
    mean_estimate,
    mean_matrix,
)
from experiments.comparison.power import estimate_power
from experiments.comparison.scores import START, Scores, read_scores
from experiments.comparison.series import learning_curves, spent, trends
from experiments.comparison.settings import Comparison
from experiments.comparison.true_game import distances
from experiments.human_play.standings import vote_summary
from experiments.run.config import to_json
from experiments.run.judging import judge_knows_best, judged_by
from experiments.run.parts import name_of
from experiments.run.records import Run

GAME_DRAWS = 200
"""Most bootstrap draws of a matrix whose game is solved in each."""

Summary = dict[str, Any]


def summarise(
    setting: Comparison,
    folder: Path,
    arms: Sequence[Arm],
    tuned: Mapping[str, Any] | None,
    failures: Mapping[str, str],
) -> Summary:
    """Return everything that the finished cells show; a function of the record alone.

    ``tuned`` is the chosen configuration and the sweep by arm, None without tuning.
    ``failures`` are tracebacks by cell.
    """
    # 1. Take from the settings what the analysis needs.
    suite, metric, draws = setting.deciding, setting.metric, setting.draws
    seeds = list(range(setting.seeds))
    worlds = {seed: setting.world(seed) for seed in seeds}
    names = [arm.name for arm in arms]
    conditions = {
        "settings": to_json(setting),
        "task": name_of(setting.task),
        "suite": suite,
        "metric": metric,
        "seeds": seeds,
        "tune": setting.tune,
        "cells": len(names) * len(seeds),
        "reward_calls": setting.settings(arms[0], 0).max_reward_calls,
    }
    # 2. Read the record.
    runs = finished(folder, names, seeds)
    scores = read_scores(folder, names, seeds)
    # 3. Estimate and compare.
    deciding = scores.deciding(suite, metric)
    unit = "regret" if judge_knows_best(setting.conditions) else "estimated regret"
    crossplay = {"rows": names, "columns": scores.players, "unit": unit}
    wins = scores.wins[suite]
    summary: Summary = conditions | {
        "suites": list(scores.gold),
        "arms": described(arms, scores, runs),
        "power": estimate_power(deciding, arms, len(seeds), metric),
        "comparisons": contrasts(deciding, arms),
        "crossplay": crossplay | mean_matrix(scores.regret),
        "wins": {"players": scores.players} | mean_matrix(wins),
        "wins_length_controlled": at_equal_length(scores, suite, draws),
        **solved_games(scores, suite, arms, draws),
        "exact": distances(worlds, arms, runs),
        "judged_by": judged_by(setting.conditions),
        "left_out": scores.left_out,
        "votes": vote_summary(folder),
        "tuning": tuned,
        "alarms": alarms(runs),
        "failures": dict(failures),
    }
    # 4. Say what follows.
    return summary | {"conclusions": conclusions(summary)}


def finished(
    folder: Path, names: Sequence[str], seeds: Iterable[int]
) -> dict[tuple[str, int], Run]:
    """Return the finished runs by arm and seed."""
    cells = {(name, seed): cell_folder(folder, name, seed) for name in names for seed in seeds}
    return {key: Run(cell) for key, cell in cells.items() if is_finished(cell)}


def alarms(runs: Mapping[tuple[str, int], Run]) -> dict[str, Any]:
    """Return the alarms that were raised, by cell."""
    raised = {f"{arm}/seed-{seed:04d}": run.rows("alarms") for (arm, seed), run in runs.items()}
    return {cell: rows for cell, rows in raised.items() if rows}


def described(
    arms: Sequence[Arm], scores: Scores, runs: Mapping[tuple[str, int], Run]
) -> dict[str, Summary]:
    """Return the description of every arm that has a finished cell."""
    by_arm = {
        arm.name: {seed: run for (name, seed), run in runs.items() if name == arm.name}
        for arm in arms
    }
    return {
        arm.name: describe_arm(arm, i, scores, by_arm[arm.name])
        for i, arm in enumerate(arms)
        if by_arm[arm.name]
    }


def describe_arm(arm: Arm, i: int, scores: Scores, runs: Mapping[int, Run]) -> Summary:
    """Return the i-th arm's players, scores on every suite, curves and budget."""
    rounds = {
        seed: run.rows("rounds", keys=("budget", "seconds")) for seed, run in runs.items()
    }
    evaluations = {
        seed: run.rows("evaluations", keys=("gold", "win_rate", "budget"))
        for seed, run in runs.items()
    }
    areas, curves = learning_curves(evaluations, rounds)
    suites = {
        suite: {
            "gold": mean_estimate(gold[:, i], scores.seeds),
            "win_rate": mean_estimate(scores.against_start(suite)[:, i], scores.seeds),
            "pass_rate": mean_estimate(scores.passes[suite][:, i], scores.seeds),
            **areas[suite],
        }
        for suite, gold in scores.gold.items()
    }
    return {
        "creator": arm.creator,
        "solver": arm.solver,
        "ceiling": arm.ceiling,
        "seeds": list(runs),
        "settings": {
            "creator": to_json(arm.players[0], "creator"),
            "solver": to_json(arm.players[1], "solver"),
        },
        "suites": suites,
        "curves": curves,
        "rounds": trends(rounds),
        "budget": spent(rounds),
    }


def solved_games(scores: Scores, suite: str, arms: Sequence[Arm], draws: int) -> Summary:
    """Return the games among competitors and the starting policy, and the ratings of all."""
    rng = np.random.default_rng(0)
    competitors = [i for i, arm in enumerate(arms) if not arm.ceiling]
    entered = [*competitors, len(arms)]
    rows, columns = ([scores.players[i] for i in some] for some in (competitors, entered))
    wins = scores.wins[suite]
    regret = scores.regret[:, competitors][:, :, entered]
    among = wins[:, entered][:, :, entered]
    game_draws = min(draws, GAME_DRAWS)
    matrices = {
        "crossplay": games.crossplay_game(regret, rows, columns, game_draws, rng),
        "wins": games.win_rate_game(among, columns, game_draws, rng),
    }
    rated = games.rate(wins, scores.players, START, draws, rng)
    return {"games": matrices, "ratings": rated, "simplex": games.simplex(among, columns)}


def at_equal_length(scores: Scores, suite: str, draws: int) -> Summary | None:
    """Return length-controlled win rates; None where responses have no length."""
    responses = scores.responses[suite]
    present = np.array([[player is not None for player in row] for row in responses])
    played = [player for row in responses for player in row if player is not None]
    if any(player.lengths is None for player in played):
        return None
    seeds, size, prompts = len(responses), len(scores.players), scores.gold[suite].shape[-1]
    by_seed, by_prompt = bootstrap.draw_counts(seeds, prompts, draws, np.random.default_rng(0))
    # 1. Rates of each seed: of all prompts, and of each draw of the prompts.
    rates = np.full((seeds, size, size), np.nan)
    drawn = np.full((seeds, draws, size, size), np.nan)
    for seed, row in enumerate(responses):
        at = np.flatnonzero(present[seed])
        players = [player for player in row if player is not None]
        rates[seed][np.ix_(at, at)] = length_controlled(players)
        drawn[seed][:, at[:, None], at] = length_controlled_draws(players, by_prompt)
    # 2. The mean over seeds, with only the seeds redrawn, and with only the prompts redrawn.
    repeated = np.broadcast_to(rates[:, None], drawn.shape)
    seeds_redrawn = bootstrap.over_seeds(repeated, by_seed)
    prompts_redrawn = bootstrap.over_seeds(drawn, np.ones_like(by_seed))
    # 3. Seeds in which both players of a pair have a cell.
    met = (present[:, :, None] & present[:, None, :]).sum(0)
    mean = bootstrap.grand_mean(rates[..., None])
    estimates = bootstrap_matrix(mean, (seeds_redrawn, prompts_redrawn), (met, prompts))
    return {"players": scores.players} | estimates
