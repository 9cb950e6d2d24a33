"""Write the files of a comparison: summary.json, three CSV tables and two charts."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.comparison import plots
from experiments.comparison.ranges import REGRET, SHARE, Range, clip, range_of
from experiments.run.disk import on_disk, replace_file

Summary = Mapping[str, Any]

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters of a cell that a spreadsheet takes for a formula: = + - @, their full-width
forms, and characters that some programs skip."""


def write(summary: Summary, folder: Path) -> None:
    """Write all of them; UserError if the disk refuses.

    summary.json holds the intervals as computed. In the CSV tables they are clipped to the
    possible range, and the column ``clipped`` names the ends that were. ``as_text`` quotes text
    that a spreadsheet would run.
    """
    with on_disk(folder):
        replace_file(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
        _csv(folder / "strategies.csv", strategies(summary))
        _csv(folder / "crossplay.csv", pairs(summary["crossplay"], "rows", "columns", REGRET))
        _csv(folder / "wins.csv", pairs(summary["wins"], "players", "players", SHARE))
        plots.draw_matrices(summary, folder)
        plots.draw_curves(summary, folder)


def strategies(summary: Summary) -> list[dict[str, Any]]:
    """Return a row per arm and suite: scores with their intervals, and the arm's budget."""
    rows = []
    for name, arm in summary["arms"].items():
        for suite, scores in arm["suites"].items():
            row = {"arm": name, "creator": arm["creator"], "solver": arm["solver"]}
            row |= {"ceiling": arm["ceiling"], "suite": suite, "seeds": len(arm["seeds"])}
            clipped = []
            for score, estimate in scores.items():
                shown = clip(estimate, range_of(score))
                row |= {score: estimate["mean"]}
                row |= {f"{score}_low": shown.low, f"{score}_high": shown.high}
                clipped += [f"{score}_{end}" for end in shown.mark.split()]
            rows.append(row | arm["budget"] | {"clipped": " ".join(clipped)})
    return rows


def pairs(means: Summary, rows: str, columns: str, possible: Range) -> list[dict[str, Any]]:
    """Return a row per entry of a matrix, which a reader can pivot."""
    table = []
    for i, row in enumerate(means[rows]):
        for j, column in enumerate(means[columns]):
            estimate = {end: means[end][i][j] for end in ("mean", "low", "high")}
            shown = clip(estimate, possible)
            names = {"row": row, "column": column, "mean": estimate["mean"]}
            table.append(names | {"low": shown.low, "high": shown.high, "clipped": shown.mark})
    return table


def _csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        csv.writer(file).writerow(map(as_text, rows[0]))
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writerows({name: as_text(row[name]) for name in row} for row in rows)


def as_text(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers.

    Text that begins with a character of ``FORMULA`` gets an apostrophe in front, as OWASP's
    page "CSV Injection" and ASVS 1.2.10 advise; a spreadsheet shows the rest as text.
    """
    if not isinstance(value, str) or not value.startswith(FORMULA) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
