"""What single cells of a comparison tell: tuning, alarms, failures, genealogies, answers."""

from collections.abc import Mapping
from typing import Any

from experiments.report.blocks import Code, Fold, Section, Switch, Table, Text, figure, word
from experiments.report.creator import operators
from experiments.report.solver import transcripts
from experiments.report.summary import Summary
from experiments.report.tree import genealogy

LIMIT = 400_000
"""Most characters of an arm's genealogy."""


def tuning(summary: Summary) -> Section | None:
    """Which configuration was chosen of those that were tried, and all of them."""
    best, sweep = [], []
    for arm, own in (summary.own.get("tuning") or {}).items():
        for tried in own.get("sweep", []) if isinstance(own, Mapping) else []:
            factors = (f"{name} x {by:.3g}" for name, by in tried.get("factors", {}).items())
            row = [word(arm), word(", ".join(factors) or "as given"), figure(tried.get("mean"))]
            sweep.append(row)
            if tried.get("configuration") == own.get("configuration"):
                best.append([*row[:2], word(", ".join(own.get("edges") or [])), row[2]])
    if not sweep:
        return None
    header = ("strategy", "configuration", "at the edge", "validation gold reward")
    chosen = Table("What was chosen", header, best, texts=3)
    tried = Table("The sweep", (*header[:2], header[3]), sweep, texts=2)
    lead = "Every strategy was given as many configurations, on seeds and prompts that the "
    lead += "result never uses. A winner at the edge of its grid may have a better one beyond."
    return Section("Tuning", [chosen, Fold("All that was tried", [tried])], lead)


def warnings(summary: Summary) -> Section:
    """Alarms by strategy, where they begin to ring by cell, and failures."""
    failures = summary.own.get("failures") or {}
    began = [
        (cell, row)
        for cell, own in (summary.own.get("alarms") or {}).items()
        for row in own
        if row.get("begins", True)
    ]
    blocks: list[Any] = [Fold(f"{cell} failed", [Code(why)]) for cell, why in failures.items()]
    if not began:
        return Section("Alarms and failures", [*blocks, Text(["No alarm rang."])])
    by_arm: dict[tuple[str, Any], list[tuple[str, Mapping[str, Any]]]] = {}
    for cell, row in began:
        by_arm.setdefault((cell.partition("/")[0], row.get("alarm")), []).append((cell, row))
    rows = [
        [word(arm), word(alarm), word(own[0][1].get("text")), figure(len({c for c, _ in own}))]
        for (arm, alarm), own in by_arm.items()
    ]
    alarms = Table("Alarms", ("strategy", "alarm", "one of them says", "cells"), rows, texts=3)
    each = [
        [word(cell), *(word(row.get(key)) for key in ("alarm", "text")), figure(row["round"])]
        for cell, row in began
    ]
    cells = Table("By cell", ("cell", "alarm", "what it says", "from round"), each, texts=3)
    return Section("Alarms and failures", [*blocks, alarms, Fold("Where they began", [cells])])


def descent(summary: Summary) -> Section | None:
    """Where the prompts of every arm's first seed come from."""
    options = {}
    for arm, record in summary.records.items():
        tree = genealogy(arm, record.prompts, LIMIT)
        if tree:
            table = operators(record.drawn)
            operated = [Fold("What each operator brought", [table])] if table else []
            options[arm] = [*operated, tree]
    lead = "Every prompt below the one that it was rewritten from, with what its answers were "
    lead += "worth, in the first seed of every strategy. Arrow keys walk the tree."
    return Section("Genealogy", [Switch("Of", options)], lead) if options else None


def answers(summary: Summary) -> Section | None:
    """Answers before and after training."""
    found = {arm: transcripts(own.transcripts, False) for arm, own in summary.records.items()}
    options = {arm: [block] for arm, block in found.items() if block}
    lead = "In the first seed of every strategy. The gold reward stands before each answer."
    return Section("Before and after", [Switch("Of", options)], lead) if options else None
