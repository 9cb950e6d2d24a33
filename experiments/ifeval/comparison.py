"""Evaluate the arms of a comparison by IFEval: the last checkpoint of every cell.

Shape letters: S seeds, A arms, P prompts.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eva_env.statistics.intervals import mean_interval
from eva_env.types import Floats
from experiments.comparison.arms import Arm
from experiments.comparison.contrasts import contrasts, differences, mean_estimate, or_none
from experiments.comparison.settings import Comparison
from experiments.comparison.summary import finished
from experiments.ifeval import scores
from experiments.ifeval.arm_tables import conclusion
from experiments.ifeval.collapse import signs
from experiments.ifeval.conclusion import DECIDING
from experiments.ifeval.evaluation import (
    Plan,
    Responses,
    constant_of,
    described,
    responses_of,
    with_logprob,
)
from experiments.ifeval.responses import Advance
from experiments.run.errors import UserError
from experiments.run.named_code import NO_CODE, NamedCode
from experiments.run.records import Run
from experiments.run.settings import Settings
from experiments.run.setup import load_checkpoint, load_policy

Cells = Mapping[tuple[str, int], Run]

Row = dict[str, Any]


def is_comparison(folder: Path) -> bool:
    """Return True for the folder of a comparison."""
    return (folder / "cells").is_dir()


def settings_of(folder: Path, code: NamedCode = NO_CODE) -> Comparison:
    """Return the settings of a comparison."""
    setting = Run.open(folder).settings(Comparison, code)
    if not isinstance(setting, Comparison):
        raise UserError(f"{folder} is not a comparison; give the folder of eva compare")
    return setting


def cells_of(folder: Path, setting: Comparison) -> Cells:
    """Return the runs of the finished cells by arm and seed; UserError without any."""
    names = [arm.name for arm in setting.arms]
    cells = finished(folder, names, range(setting.seeds))
    if not cells:
        raise UserError(f"no cell of {folder} has finished; give eva compare --resume {folder}")
    return cells


def evaluate(
    plan: Plan,
    setting: Comparison,
    cells: Cells,
    device: str,
    advance: Advance,
    code: NamedCode = NO_CODE,
) -> Row:
    """Return a row per arm, the starting policy, the constant, and the paired differences."""
    # 1. Respond, judge and read.
    players, rows = played_cells(plan, setting, cells, device, advance, code)
    # 2. Arms: means over seeds, and differences paired over prompts and seeds.
    arms, played = setting.arms, {name for name, _ in cells}
    seeds = list(range(setting.seeds))
    values = prompt_scores(players, [arm.name for arm in arms], seeds)
    before, _ = players["start"].verdicts.sums(DECIDING)
    result = plan.conditions() | {
        "policies": {name: rows[name] for name in ("start", "constant")},
        "arms": {
            arm.name: arm_row(values[:, i], before, seeds, len(played), plan.draw.seed)
            | {"text": mean_text([rows[key] for key in cells if key[0] == arm.name])}
            for i, arm in enumerate(arms)
            if arm.name in played
        },
        "cells": {f"{name}/seed-{seed:04d}": rows[name, seed] for name, seed in cells},
        "differences": between(values, arms, plan.draw.seed),
    }
    for row in result["arms"].values():
        row["collapse"] = signs(row["text"], rows["start"]["text"])
    return result | {"conclusion": conclusion(result)}


def played_cells(
    plan: Plan,
    setting: Comparison,
    cells: Cells,
    device: str,
    advance: Advance,
    code: NamedCode,
) -> tuple[dict[Any, Responses], dict[Any, Row]]:
    """Return responses and rows of the cells, the starting policy and the constant."""
    # 1. Respond with every cell, one policy in memory at a time; then with the starting policy.
    players: dict[Any, Responses] = {}
    for key, run in cells.items():
        policy = last_policy(run, plan, device, code)
        players[key] = responses_of(policy, plan, advance)
        policy = None
    conditions, sampling = setting.conditions, plan.draw.sampling
    given = copy.deepcopy(conditions.policy)
    start = load_policy(setting.world(0), given, sampling, device)
    players["start"] = responses_of(start, plan, advance)
    identity = players["start"].identity
    players["constant"] = constant_of(start, plan)
    # 2. Judge each of them, and read it under the starting policy.
    rows = {
        name: described(
            plan, responses, with_logprob(start, identity, plan, responses, advance)
        )
        for name, responses in players.items()
    }
    return players, rows


def last_policy(run: Run, plan: Plan, device: str, code: NamedCode) -> Any:
    """Return the policy of a run's last checkpoint."""
    settings = run.settings(Settings, code)
    folder, start = run.checkpoint(run.checkpoints[-1]), copy.deepcopy(settings.policy)
    return load_checkpoint(settings.task, folder, start, plan.draw.sampling, device)


def prompt_scores(
    players: Mapping[Any, Responses], arms: Sequence[str], seeds: Sequence[int]
) -> Floats:
    """Return the shares of responses (S, A, P) that follow all instructions; NaN: no cell."""
    prompts = len(players["start"].texts)
    values = np.full((len(seeds), len(arms), prompts), np.nan)
    for i, arm in enumerate(arms):
        for seed in seeds:
            if (arm, seed) in players:
                values[seed, i] = players[arm, seed].verdicts.sums(DECIDING)[0]
    return values


def arm_row(values: Floats, before: Floats, seeds: Sequence[int], arms: int, seed: int) -> Row:
    """Return an arm's accuracy and its difference from the starting policy, from (S, P).

    Seeds and prompts are samples (Student's t for each); with one seed the interval is a
    bootstrap over prompts, and holds for that run alone. The differences of all arms are
    corrected together.
    """
    played = np.flatnonzero(~np.isnan(values).any(-1))
    row: Row = {"seeds": played.tolist()}
    if len(played) == 1:
        only, ones = values[played[0]], np.ones(values.shape[-1])
        row[DECIDING] = scores.estimate(only, ones, seed)
        row["difference"] = scores.estimate(only - before, ones, seed, arms)
        return row
    gap = mean_interval(values - before, arms)
    row[DECIDING] = mean_estimate(values, seeds)
    row["difference"] = {name: or_none(float(value)) for name, value in gap._asdict().items()}
    return row


def between(values: Floats, arms: Sequence[Arm], seed: int) -> list[Row]:
    """Return the paired differences of every two creators and every two solvers.

    Their intervals cover jointly. With one seed they are bootstraps over prompts.
    """
    if len(values) > 1:
        rows = [row for row in contrasts(values, arms) if row["family"] == "main"]
        return [row for row in rows if row["mean"] is not None]
    gaps = [pair for pair in differences(values, arms) if pair[0]["family"] == "main"]
    return [
        names | scores.estimate(gap[0], np.ones(gap.shape[-1]), seed, len(gaps))
        for names, gap in gaps
        if not np.isnan(gap).any()
    ]


def mean_text(rows: Sequence[Row]) -> dict[str, float | None]:
    """Return the means over an arm's cells of how responses read."""
    values = {name: [row["text"][name] for row in rows] for name in rows[0]["text"]}
    return {
        name: None if None in column else float(np.mean(column))
        for name, column in values.items()
    }
