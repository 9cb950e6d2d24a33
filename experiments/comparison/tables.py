"""The files of a comparison: summary.json, three CSV tables, and the figure of the matrices."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.comparison import curves, heatmap
from experiments.run.records import on_disk

Summary = Mapping[str, Any]


def write(summary: Summary, folder: Path) -> None:
    """Write all of them; UserError if the disk refuses."""
    with on_disk(folder):
        (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
        _csv(folder / "strategies.csv", strategies(summary))
        _csv(folder / "crossplay.csv", cells(summary["crossplay"], "rows", "columns"))
        _csv(folder / "wins.csv", cells(summary["wins"], "players", "players"))
        heatmap.draw(summary, folder)
        curves.draw(summary, folder)


def strategies(summary: Summary) -> list[dict[str, Any]]:
    """A row per arm and suite: scores with their intervals, and what the arm has spent."""
    rows = []
    for name, arm in summary["arms"].items():
        for suite, scores in arm["suites"].items():
            row = {"arm": name, "creator": arm["creator"], "solver": arm["solver"]}
            row |= {"ceiling": arm["ceiling"], "suite": suite, "seeds": len(arm["seeds"])}
            for score, figure in scores.items():
                row |= {score: figure["mean"], f"{score}_low": figure["low"]}
                row |= {f"{score}_high": figure["high"]}
            rows.append(row | arm["budget"])
    return rows


def cells(matrix: Summary, rows: str, columns: str) -> list[dict[str, Any]]:
    """A row per cell of a matrix, which a reader can pivot."""
    return [
        {"row": row, "column": column}
        | {end: matrix[end][i][j] for end in ("mean", "low", "high")}
        for i, row in enumerate(matrix[rows])
        for j, column in enumerate(matrix[columns])
    ]


def _csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
