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
    """Every configuration that was tried, and which one was chosen."""
    rows = []
    for arm, own in (summary.own.get("tuning") or {}).items():
        for tried in own.get("sweep", []) if isinstance(own, Mapping) else []:
            best = tried.get("configuration") == own.get("configuration")
            edges = ", ".join(own.get("edges") or [])
            verdict = f"chosen, at the edge of {edges}" if edges else "chosen"
            factors = (f"{name} x {by:.3g}" for name, by in tried.get("factors", {}).items())
            names = [word(arm), word(", ".join(factors) or "as given")]
            rows.append([*names, word(verdict if best else None), figure(tried.get("mean"))])
    header = ("strategy", "configuration", "verdict", "validation gold reward")
    lead = "Every strategy was given as many configurations, on seeds and prompts that the "
    lead += "result never uses. A winner at the edge of its grid may have a better one beyond."
    return (
        Section("Tuning", [Table("The sweep", header, rows, texts=3)], lead) if rows else None
    )


def warnings(summary: Summary) -> Section:
    """Alarms and failures by cell."""
    failures = summary.own.get("failures") or {}
    rows = [
        [
            word(cell),
            *(word(row.get(key)) for key in ("alarm", "text")),
            figure(row.get("round")),
        ]
        for cell, own in (summary.own.get("alarms") or {}).items()
        for row in own
    ]
    header = ("cell", "alarm", "what it says", "round")
    alarms = Table("Alarms", header, rows, texts=3) if rows else Text(["No alarm rang."])
    blocks: list[Any] = [Fold(f"{cell} failed", [Code(why)]) for cell, why in failures.items()]
    return Section("Alarms and failures", [*blocks, alarms])


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
