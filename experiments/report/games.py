"""Arms as players of a game: solutions, ratings, exact regret."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiments.human_play.standings import agreement_sentence
from experiments.report.blocks import (
    Columns,
    Entry,
    Facts,
    Grid,
    Section,
    Switch,
    Table,
    Text,
)
from experiments.report.charts import interval_chart
from experiments.report.entries import estimate_entry, text_entry
from experiments.report.numbers import (
    ANYWHERE,
    NOT_NEGATIVE,
    SHARE,
    decimal,
    is_number,
    percent,
    title,
)
from experiments.report.summary import Data, Summary

NAMES = {
    "nash_conv": "NashConv",
    "alpha_rank": "Alpha-Rank",
    "bradley_terry": "Bradley-Terry",
    "elo": "Elo",
    "row": "Creators' mixture",
    "column": "Solvers' mixture",
    "crossplay": "cross-play",
}
"""Keys of the summary that are more than words with underscores."""

SINGLE = {
    "nash_conv": ("NashConv of each arm's own pair: a lower bound", "at least"),
    "replicator": ("Replicator dynamics: the shares they reach from equal ones", "share"),
    "nash_skill": ("Skill against the Nash average, in nats", "skill"),
}
"""Captions of solutions with one number for each player, and the name of that number."""

SHARES = ("probability", "mass", "support", "first", "share")
"""Columns in [0, 1], which are shown with a bar."""

BOUNDS = {
    "nash_conv": NOT_NEGATIVE,
    "at least": NOT_NEGATIVE,
    # Of the tabular world, whose gold rewards lie in [0, 1].
    "distance": SHARE,
    "worst_regret": SHARE,
}
"""Where the values of a column lie."""


def solutions(summary: Summary) -> Section | None:
    """Return Nash equilibria, alpha-Rank and the like, with the frequency of each support."""
    options: dict[str, list[Any]] = {}
    for game, solved in (summary.data.get("games") or {}).items():
        blocks: list[Any] = []
        for name, solution in (solved or {}).items():
            caption = NAMES.get(name) or title(name)
            if isinstance(solution, Mapping) and "mean" not in solution:
                single = SINGLE.get(name, (caption, "value"))
                blocks.append(solution_table(*single, summary.labelled(solution)))
            elif isinstance(solution, str):
                blocks.append(Facts([(caption, solution)]))
            elif solution is not None:
                entry = estimate_entry(solution, decimal, NOT_NEGATIVE)
                interval = f" ({entry.detail})" if entry.detail else ""
                blocks.append(Facts([(caption, entry.text + interval)]))
        facts = [block for block in blocks if isinstance(block, Facts)]
        tables = [block for block in blocks if not isinstance(block, Facts)]
        options[NAMES.get(game) or game] = [*facts, Columns(tables)]
    note = "Support: how often an arm is part of the solution, and first: how often it is on "
    note += "top, when seeds and prompts are drawn again. Where these vary the solution is not "
    note += "settled."
    blocks = [Text([note]), Switch("Game of", options)]
    return Section("Solutions of the games", blocks) if options else None


def solution_table(
    caption: str, single: str, by_name: Data, lower_bounds: Sequence[str] = ()
) -> Table:
    """Return a row for each name, with a column for each value.

    A name with one value has it in the column ``single``. Columns in ``lower_bounds`` are lower
    bounds where the row says so.
    """
    rows_by_name = {
        name: {single: values}
        if not isinstance(values, Mapping) or "mean" in values
        else values
        for name, values in by_name.items()
    }
    columns = dict.fromkeys(key for values in rows_by_name.values() for key in values)
    columns.pop("lower_bound", None)
    rows = []
    for name, values in rows_by_name.items():
        bounded = lower_bounds if values.get("lower_bound") else ()
        entries = [solution_entry(key, values.get(key), key in bounded) for key in columns]
        rows.append([text_entry(name), *entries])
    header = (NAMES.get(key) or key.replace("_", " ") for key in columns)
    return Table(caption, ("arm", *header), rows)


def solution_entry(column: str, value: Any, lower_bound: bool) -> Entry:
    """Return an entry in the form that suits its column."""
    if column in SHARES:
        entry = estimate_entry(value, percent, SHARE)
        if not is_number(entry.value):
            return entry
        return replace(entry, share=min(1.0, max(0.0, float(entry.value or 0.0))))
    entry = estimate_entry(value, decimal, BOUNDS.get(column, ANYWHERE))
    if not lower_bound:
        return entry
    detail = ", ".join(filter(None, ("lower bound", entry.detail)))
    return replace(entry, text=f"≥ {entry.text}", detail=detail)


def ratings(summary: Summary) -> Section | None:
    """Return Bradley-Terry and Elo ratings, and people's votes."""
    rated, votes = summary.data.get("ratings"), summary.data.get("votes")
    blocks: list[Any] = []
    if rated:
        blocks.append(solution_table("Ratings", "rating", summary.labelled(rated)))
    lead = "Bradley-Terry strengths are in nats; Elo is the same on its usual scale."
    if votes:
        blocks.append(solution_table("By votes of people", "rating", votes["players"]))
        lead += f" {agreement_sentence(votes)}"
    return Section("Ratings", [Columns(blocks)], lead) if blocks else None


def exact(summary: Summary) -> Section | None:
    """Return true regret and the distance to equilibrium, in the tabular world."""
    known = summary.data.get("exact")
    if not known:
        return None
    value, upper = (estimate_entry(known.get(key)) for key in ("value", "upper"))
    apart = is_number(upper.value) and upper.text != value.text
    between = f"between {value.text} and {upper.text}" if apart else value.text
    lead = "The world is known, so these are true values. The minimax regret of the game is "
    lead += f"{between}: no solver of this class can guarantee less. A lower bound is given "
    lead += "where best responses were searched for, not solved."
    arms = known.get("arms") or {}
    table = solution_table(
        "True regret and distance to the value",
        "value",
        summary.labelled(arms),
        ("nash_conv", "distance"),
    )
    worst = {
        summary.label(name): (values.get("worst_regret"), summary.style(name))
        for name, values in arms.items()
    }
    chart = interval_chart("Worst-case true regret", worst, bounds=BOUNDS["worst_regret"])
    blocks = [Columns([*([Grid([chart])] if chart else []), table])]
    return Section("Exact regret", blocks, lead)
