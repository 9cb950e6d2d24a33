"""Single cells of a comparison: tuning, alarms, failures, genealogies, responses."""

from collections.abc import Mapping
from typing import Any

from experiments.report.blocks import Code, Fold, Section, Switch, Table, Text
from experiments.report.creator import operators
from experiments.report.entries import number_entry, text_entry
from experiments.report.solver import transcripts
from experiments.report.summary import Summary
from experiments.report.tree import genealogy
from experiments.run.judging import score_name

LIMIT = 400_000
"""Most characters of an arm's genealogy."""


def tuning(summary: Summary) -> Section | None:
    """Return the chosen configuration of each arm, and all that were tried."""
    best, sweep = [], []
    for arm, tuned in (summary.data.get("tuning") or {}).items():
        for tried in tuned.get("sweep", []) if isinstance(tuned, Mapping) else []:
            factors = (f"{name} x {by:.3g}" for name, by in tried.get("factors", {}).items())
            configuration = text_entry(", ".join(factors) or "as given")
            row = [text_entry(arm), configuration, number_entry(tried.get("mean"))]
            sweep.append(row)
            if tried.get("configuration") == tuned.get("configuration"):
                edges = text_entry(", ".join(tuned.get("edges") or []))
                best.append([*row[:2], edges, row[2]])
    if not sweep:
        return None
    header = ("arm", "configuration", "at the edge", f"validation {score_name(summary.judge)}")
    chosen = Table("The chosen configurations", header, best, texts=3)
    tried = Table("The sweep", (*header[:2], header[3]), sweep, texts=2)
    lead = "Every arm tries the same number of configurations, on seeds and prompts that the "
    lead += "result never uses. If the best lies at the edge of its grid, a better one may lie "
    lead += "beyond."
    return Section("Tuning", [chosen, Fold("All configurations", [tried])], lead)


def warnings(summary: Summary) -> Section:
    """Return alarms by arm and by cell, and failures."""
    failures = summary.data.get("failures") or {}
    began = [
        (cell, row)
        for cell, rows in (summary.data.get("alarms") or {}).items()
        for row in rows
        if row.get("begins", True)
    ]
    blocks: list[Any] = [Fold(f"{cell} failed", [Code(why)]) for cell, why in failures.items()]
    if not began:
        return Section("Alarms and failures", [*blocks, Text(["No alarm was raised."])])
    by_arm: dict[tuple[str, Any], list[tuple[str, Mapping[str, Any]]]] = {}
    for cell, row in began:
        by_arm.setdefault((cell.partition("/")[0], row.get("alarm")), []).append((cell, row))
    rows = []
    for (arm, alarm), raised in by_arm.items():
        example, cells = raised[0][1].get("text"), {cell for cell, _ in raised}
        rows.append([*map(text_entry, (arm, alarm, example)), number_entry(len(cells))])
    table = Table("Alarms", ("arm", "alarm", "for example", "cells"), rows, texts=3)
    each = [
        [
            *map(text_entry, (cell, row.get("alarm"), row.get("text"))),
            number_entry(row["round"]),
        ]
        for cell, row in began
    ]
    header = ("cell", "alarm", "text", "from round")
    fold = Fold("Every alarm by cell", [Table("By cell", header, each, texts=3)])
    return Section("Alarms and failures", [*blocks, table, fold])


def descent(summary: Summary) -> Section | None:
    """Return where the prompts of every arm's first seed come from."""
    options = {}
    for arm, record in summary.records.items():
        tree = genealogy(arm, record.prompts, LIMIT)
        if tree:
            table = operators(record.drawn)
            by_operator = [Fold("Results by operator", [table])] if table else []
            options[arm] = [*by_operator, tree]
    lead = "Every evolved prompt under its parent, with the rewards of its responses, in the "
    lead += "first seed of every arm. Arrow keys walk the tree."
    return Section("Genealogy", [Switch("Of", options)], lead) if options else None


def responses(summary: Summary) -> Section | None:
    """Return responses before and after training."""
    shown = {arm: transcripts(run.transcripts, False) for arm, run in summary.records.items()}
    options = {arm: [block] for arm, block in shown.items() if block}
    lead = "In the first seed of every arm. The number before each response is its "
    lead += f"{score_name(summary.judge)}."
    return Section("Before and after", [Switch("Of", options)], lead) if options else None
