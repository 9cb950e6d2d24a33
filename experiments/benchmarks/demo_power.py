"""Estimate how often a comparison with few seeds decides, from a record with many.

``python -m experiments.benchmarks.demo_power FOLDER``. FOLDER is a comparison of creators with
one solver. Its seeds are sub-sampled without replacement, and each sub-sample is analysed as a
comparison of its own. Sub-samples of a record overlap, so the shares look more certain than
they are, the more so the larger the sub-sample. The predicted power is that of
``eva_env.statistics.power``, with the difference and its variation taken from all seeds.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console

from eva_env.statistics.power import power
from eva_env.types import Floats
from experiments.benchmarks.env import show
from experiments.comparison.arms import Arm
from experiments.comparison.cells import cell_folder
from experiments.comparison.contrasts import contrasts, decided, differences, variation
from experiments.comparison.scores import read_scores
from experiments.comparison.settings import Comparison
from experiments.comparison.summary import finished
from experiments.run.records import Run

Row = tuple[str, ...]


def main(
    folder: tyro.conf.Positional[Path],
    sizes: tuple[int, ...] = (4, 5, 6, 7, 8),
    draws: int = 2000,
) -> None:
    """Print, for each comparison of two creators, how often it is decided by few seeds.

    Args:
        folder: A comparison with many seeds; unfinished seeds are left out.
        sizes: Numbers of seeds of a sub-sample.
        draws: Most sub-samples of a size; all of them where there are fewer.
    """
    setting = Run.open(folder).settings(Comparison)
    arms = [arm for arm in setting.arms if not arm.ceiling]
    seeds = complete_seeds(folder, arms, setting.seeds)
    names = [arm.name for arm in arms]
    scores = read_scores(folder, names, seeds).deciding(setting.deciding, setting.metric)
    values = scores[:, : len(arms)]
    console = Console()
    header = ("", "mean", "sd", *(f"{size} seeds" for size in sizes if size <= len(seeds)))
    show(console, f"Share of sub-samples of {len(seeds)} seeds that decide (predicted power)",
         header, share_rows(values, arms, sizes, draws))  # fmt: skip
    header = ("", *(f"round {r}" for r, _ in by_round(folder, arms[0], seeds, setting)))
    show(console, "Differences of scores by round, means over seeds (and sd)",
         header, round_rows(folder, arms, seeds, setting))  # fmt: skip
    header = ("", "seconds of play per cell, mean", "most")
    show(console, "Time", header, time_rows(folder, arms, seeds))


def complete_seeds(folder: Path, arms: Sequence[Arm], seeds: int) -> list[int]:
    """Return the seeds with which every arm has finished; ValueError for fewer than two."""
    runs = finished(folder, [arm.name for arm in arms], range(seeds))
    complete = [s for s in range(seeds) if all((arm.name, s) in runs for arm in arms)]
    if len(complete) < 2:
        raise ValueError(
            f"{folder} has {len(complete)} complete seeds; give one with 2 or more"
        )
    return complete


def share_rows(
    values: Floats, arms: Sequence[Arm], sizes: Sequence[int], draws: int
) -> list[Row]:
    """Return, by comparison, its difference and the shares that decide, of scores (S, A, P)."""
    shares = {size: decided_shares(values, arms, size, draws) for size in sizes}
    main_pairs = [pair for pair in differences(values, arms) if pair[0]["family"] == "main"]
    rows = []
    for k, (names, gaps) in enumerate(main_pairs):
        mean = float(gaps.mean())
        sd, floor, _ = variation(gaps)
        predicted = {s: power(mean, sd, s, len(main_pairs), floor) for s in sizes}
        cells = (
            f"{share[k]:.0%} ({predicted[size]:.0%})"
            for size, share in shares.items()
            if share is not None
        )
        rows.append((f"{names['a']} - {names['b']}", f"{mean:+.4f}", f"{sd:.4f}", *cells))
    return rows


def decided_shares(values: Floats, arms: Sequence[Arm], size: int, draws: int) -> Floats | None:
    """Return the share of sub-samples that decide each main comparison as all seeds suggest.

    A decision counts if its winner is the one with the higher mean over all seeds. None if
    there are fewer seeds than ``size``.
    """
    if size > len(values):
        return None
    leaders = [row["a"] if row["mean"] > 0 else row["b"] for row in main_rows(values, arms)]
    decisions = []
    for sample in subsamples(len(values), size, draws):
        winners = [decided(row)[0] for row in main_rows(values[sample], arms)]
        decisions.append([won == leads for won, leads in zip(winners, leaders, strict=True)])
    return np.mean(decisions, axis=0)


def main_rows(values: Floats, arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """Return the main family of contrasts of scores (S, A, P)."""
    return [row for row in contrasts(values, arms) if row["family"] == "main"]


def subsamples(seeds: int, size: int, draws: int) -> Iterator[list[int]]:
    """Yield all sub-samples of the seeds, or ``draws`` random ones if there are more."""
    if comb(seeds, size) <= draws:
        yield from map(list, combinations(range(seeds), size))
        return
    rng = np.random.default_rng(0)
    for _ in range(draws):
        yield sorted(rng.choice(seeds, size, replace=False).tolist())


def by_round(
    folder: Path, arm: Arm, seeds: Sequence[int], setting: Comparison
) -> list[tuple[int, Floats]]:
    """Return the evaluated rounds and an arm's deciding scores (S,) there."""
    tables = []
    for seed in seeds:
        rows = Run(cell_folder(folder, arm.name, seed)).rows("evaluations")
        suite = [row for row in rows if row["suite"] == setting.deciding]
        tables.append({row["round"]: row[setting.metric] for row in suite})
    shared = sorted(set.intersection(*map(set, tables)))
    return [(r, np.array([table[r] for table in tables])) for r in shared]


def round_rows(
    folder: Path, arms: Sequence[Arm], seeds: Sequence[int], setting: Comparison
) -> list[Row]:
    """Return, by pair of arms, the mean difference and its sd at each evaluated round."""
    scores = {arm.name: [s for _, s in by_round(folder, arm, seeds, setting)] for arm in arms}
    rows = []
    for first, second in combinations(arms, 2):
        gaps = [b - a for a, b in zip(scores[first.name], scores[second.name], strict=True)]
        cells = (f"{gap.mean():+.4f} ({gap.std(ddof=1):.4f})" for gap in gaps)
        rows.append((f"{second.name} - {first.name}", *cells))
    return rows


def time_rows(folder: Path, arms: Sequence[Arm], seeds: Sequence[int]) -> list[Row]:
    """Return, by arm, the mean and the most seconds that a cell has played."""
    rows = []
    for arm in arms:
        cells = [Run(cell_folder(folder, arm.name, seed)).rows("rounds") for seed in seeds]
        seconds = [sum(row["seconds"] for row in cell) for cell in cells]
        rows.append((arm.name, f"{np.mean(seconds):.1f}", f"{max(seconds):.1f}"))
    return rows


if __name__ == "__main__":
    tyro.cli(main)
