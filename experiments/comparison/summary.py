"""summary.json: everything that the terminal and the report show of a comparison."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eva_env.statistics import bootstrap
from eva_env.statistics.length_controlled import length_controlled, length_controlled_draws
from eva_env.types import Floats
from experiments.comparison import games
from experiments.comparison.arms import Arm
from experiments.comparison.cells import is_finished, place
from experiments.comparison.conclusions import conclusions
from experiments.comparison.contrasts import contrasts
from experiments.comparison.exact import exact
from experiments.comparison.figures import drawn_matrix, figure, matrix
from experiments.comparison.measures import START, Measures, measure
from experiments.comparison.power import estimate
from experiments.comparison.series import curves, spent, trends
from experiments.comparison.settings import Comparison
from experiments.human_play.standings import voted
from experiments.run.config import to_json
from experiments.run.parts import name_of
from experiments.run.records import Run

GAME_DRAWS = 200
"""Bootstrap draws of a matrix whose game is solved in each."""

Summary = dict[str, Any]


def summarise(
    setting: Comparison,
    folder: Path,
    arms: Sequence[Arm],
    tuned: Mapping[str, Any] | None,
    failures: Mapping[str, str],
) -> Summary:
    """Read the finished cells and say what they show; deterministic by the record."""
    seeds = range(setting.seeds)
    names = [arm.name for arm in arms]
    runs = finished(folder, names, seeds)
    known = measure(folder, names, list(seeds))
    scores, regret = scored(known, setting), matrix(known.regret)
    wins = matrix(known.wins[setting.suite])
    alarms = {f"{a}/seed-{s:04d}": run.rows("alarms") for (a, s), run in runs.items()}
    shown = {name for name, _ in runs}
    summary: Summary = {
        "settings": to_json(setting),
        "task": name_of(setting.task),
        "suites": list(known.gold),
        "suite": setting.suite,
        "metric": setting.metric,
        "seeds": list(seeds),
        "tune": setting.tune,
        "cells": len(names) * len(seeds),
        "reward_calls": setting.settings(arms[0], 0).max_reward_calls,
        "arms": {
            arm.name: described(arm, i, known, runs)
            for i, arm in enumerate(arms)
            if arm.name in shown
        },
        "power": estimate(scores, arms, setting),
        "comparisons": contrasts(scores, arms),
        "crossplay": {"rows": names, "columns": known.players, "unit": "regret"} | regret,
        "wins": {"players": known.players} | wins,
        "wins_length_controlled": at_equal_length(known, setting),
        **solved(known, setting, arms),
        "exact": exact(setting, arms, runs),
        "votes": voted(folder),
        "tuning": tuned,
        "alarms": {cell: rows for cell, rows in alarms.items() if rows},
        "failures": dict(failures),
    }
    return summary | {"conclusions": conclusions(summary)}


def finished(
    folder: Path, names: Sequence[str], seeds: Iterable[int]
) -> dict[tuple[str, int], Run]:
    """The runs that have been played to the end, by arm and seed."""
    cells = {(name, seed): place(folder, name, seed) for name in names for seed in seeds}
    return {key: Run(cell) for key, cell in cells.items() if is_finished(cell)}


def scored(known: Measures, setting: Comparison) -> Floats:
    """The deciding scores of all players, (S, L, P)."""
    if setting.metric == "gold":
        return known.gold[setting.suite]
    return known.against_start(setting.suite)


def described(arm: Arm, i: int, known: Measures, runs: Mapping[Any, Run]) -> Summary:
    """One arm: who plays, its scores on every suite, its curves and what it has spent."""
    own = {seed: run for (name, seed), run in runs.items() if name == arm.name}
    rounds = {seed: run.rows("rounds") for seed, run in own.items()}
    ends, by_round = curves({s: run.rows("evaluations") for s, run in own.items()}, rounds)
    suites = {
        suite: {
            "gold": figure(gold[:, i], known.seeds),
            "win_rate": figure(known.against_start(suite)[:, i], known.seeds),
            "pass_rate": figure(known.passes[suite][:, i], known.seeds),
            **ends[suite],
        }
        for suite, gold in known.gold.items()
    }
    return {
        "creator": arm.creator,
        "solver": arm.solver,
        "ceiling": arm.ceiling,
        "seeds": list(own),
        "settings": {"creator": to_json(arm.players[0]), "solver": to_json(arm.players[1])},
        "suites": suites,
        "curves": by_round,
        "rounds": trends(rounds),
        "budget": spent(rounds),
    }


def solved(known: Measures, setting: Comparison, arms: Sequence[Arm]) -> Summary:
    """The games of what competes, and the ratings of all."""
    rng = np.random.default_rng(0)
    names, draws = known.players, min(setting.draws, GAME_DRAWS)
    wins = known.wins[setting.suite]
    rivals = [i for i, arm in enumerate(arms) if not arm.ceiling]
    entered = [*rivals, len(arms)]
    rows, columns = ([names[i] for i in own] for own in (rivals, entered))
    regret = known.regret[:, rivals][:, :, entered]
    among = wins[:, entered][:, :, entered]
    matrices = {
        "crossplay": games.crossplay_game(regret, rows, columns, draws, rng),
        "wins": games.win_rate_game(among, columns, draws, rng),
    }
    rated = games.rate(wins, names, START, setting.draws, rng)
    return {"games": matrices, "ratings": rated, "simplex": games.simplex(among, columns)}


def at_equal_length(known: Measures, setting: Comparison) -> Summary | None:
    """Length-controlled win rates; None where answers have no length."""
    answers = known.answers[setting.suite]
    if any(own is not None and own.lengths is None for row in answers for own in row):
        return None
    size, prompts = len(known.players), known.gold[setting.suite].shape[-1]
    rng = np.random.default_rng(0)
    by_seed, by_prompt = bootstrap.draw_counts(len(answers), prompts, setting.draws, rng)
    once = np.ones_like(by_seed)
    rates = np.full((len(answers), size, size), np.nan)
    drawn = np.full((len(answers), setting.draws, size, size), np.nan)
    for s, row in enumerate(answers):
        played = np.flatnonzero([own is not None for own in row])
        present = [own for own in row if own is not None]
        rates[s][np.ix_(played, played)] = length_controlled(present)
        drawn[s][:, played[:, None], played] = length_controlled_draws(present, by_prompt)
    whole = np.broadcast_to(rates[:, None], drawn.shape)
    spread = bootstrap.over_seeds(whole, by_seed), bootstrap.over_seeds(drawn, once)
    mean = bootstrap.grand_mean(rates[..., None])
    there = np.array([[own is not None for own in row] for row in answers])
    met = (there[:, :, None] & there[:, None, :]).sum(0)
    found = drawn_matrix(mean, spread, (met, prompts))
    return {"players": known.players} | found
