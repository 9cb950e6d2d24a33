"""Strategies as players: matrices, solutions, ratings, the exact game."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments.human_play.standings import agreement_sentence
from experiments.report.blocks import (
    Cell,
    Facts,
    Heat,
    Section,
    Switch,
    Table,
    Text,
    spread,
    word,
)
from experiments.report.numbers import decimal, known, percent, title
from experiments.report.summary import Mapped, Summary

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

TOLD = {
    "nash_conv": ("NashConv of each arm's own pair: a lower bound", "at least"),
    "replicator": ("Replicator dynamics, from an even start to their end", "share"),
    "nash_skill": ("Skill against the Nash average, in nats", "skill"),
}
"""Captions of solutions that have one number a player, and what that is called."""

SHARES = ("probability", "mass", "support", "first", "share")
"""Measures in [0, 1], which are shown with a bar."""


def wins(summary: Summary) -> Section | None:
    """Solver against solver."""
    names = {"raw": "wins", "length-controlled": "wins_length_controlled"}
    options = {}
    for label, name in names.items():
        own = summary.own.get(name)
        if own:
            players = [*map(summary.label, own.get("players", []))]
            caption = f"Win rate of the row against the column, {label}"
            options[label] = [matrix(own, players, players, caption, "solver", percent, 0.5)]
    lead = (
        "How often an answer of the row's solver is better than one of the column's, by gold "
    )
    lead += f"reward, on the {summary.own.get('suite', 'deciding')} suite. Blue: it wins; "
    lead += "orange: it loses."
    return (
        Section("Solver against solver", [Switch("Show", options)], lead) if options else None
    )


def crossplay(summary: Summary) -> Section | None:
    """Trained solvers on the final prompts of each creator."""
    own = summary.own.get("crossplay")
    if not own:
        return None
    unit = own.get("unit", "regret")
    caption = f"Mean {unit} of the column's solver on the row's prompts"
    rows, columns = ([*map(summary.label, own.get(key, []))] for key in ("rows", "columns"))
    lead = f"Every trained solver on the final prompts of every creator; the more {unit}, the "
    lead += "more orange. A pale column is a robust solver, an orange row a hard creator."
    table = matrix(own, rows, columns, caption, "prompts of", decimal)
    return Section("Cross-play", [table], lead)


def matrix(
    own: Mapped,
    rows: Sequence[str],
    columns: Sequence[str],
    caption: str,
    corner: str,
    show: Callable[[Any], str],
    middle: float | None = None,
) -> Heat:
    """A payoff matrix with its intervals; above ``middle``, if there is one, it turns blue."""
    mean, low, high = (own.get(key) or [] for key in ("mean", "low", "high"))
    values = [value for row in mean for value in row if known(value)]
    least, most = min(values, default=0.0), max(values, default=0.0)
    origin, reach = least, most - least
    if middle is not None:
        origin, reach = middle, -max(most - middle, middle - least)
    table: list[tuple[str, list[Cell | None]]] = []
    for i, name in enumerate(rows):
        line: list[Cell | None] = []
        for j in range(len(columns)):
            told = {"mean": at(mean, i, j), "low": at(low, i, j), "high": at(high, i, j)}
            cell = spread(told, show)
            share = (told["mean"] - origin) / reach if reach and known(told["mean"]) else 0.0
            shaded = Cell(cell.text, cell.value, cell.detail, share)
            line.append(shaded if known(told["mean"]) else None)
        table.append((name, line))
    return Heat(caption, corner, columns, table, "In small print: 95 % intervals.")


def at(matrix: Sequence[Sequence[Any]], i: int, j: int) -> Any:
    """A cell of a matrix, None if it has no such cell."""
    return matrix[i][j] if i < len(matrix) and j < len(matrix[i]) else None


def solutions(summary: Summary) -> Section | None:
    """Nash, alpha-Rank and the like; every share stands beside the frequency of its support."""
    options: dict[str, list[Any]] = {}
    for game, told in (summary.own.get("games") or {}).items():
        blocks: list[Any] = []
        for name, own in (told or {}).items():
            caption = NAMES.get(name) or title(name)
            if isinstance(own, Mapping) and "mean" not in own:
                blocks.append(
                    measures(*TOLD.get(name, (caption, "value")), summary.labelled(own))
                )
            elif own is not None:
                cell = spread(own) if not isinstance(own, str) else word(own)
                between = f" ({cell.detail})" if cell.detail else ""
                blocks.append(Facts([(caption, cell.text + between)]))
        options[NAMES.get(game) or game] = blocks
    note = (
        "Support: how often a strategy is part of the solution, and first: how often it is on "
    )
    note += "top, when seeds and prompts are drawn again. Where these vary it is mostly luck."
    blocks = [Text([note]), Switch("Game of", options)]
    return Section("Solutions of the games", blocks) if options else None


def measures(caption: str, single: str, own: Mapped, bounds: Sequence[str] = ()) -> Table:
    """A row for each name, a column for each of its measures, or one that is named ``single``.

    What is named in ``bounds`` is a lower bound where the row says so.
    """
    told = {
        name: {single: values}
        if not isinstance(values, Mapping) or "mean" in values
        else values
        for name, values in own.items()
    }
    columns = dict.fromkeys(key for values in told.values() for key in values)
    columns.pop("lower_bound", None)
    rows = []
    for name, values in told.items():
        cells = []
        for key in columns:
            cell = spread(values.get(key))
            if key in bounds and values.get("lower_bound"):
                detail = ", ".join(filter(None, ("lower bound", cell.detail)))
                cell = Cell(f"≥ {cell.text}", cell.value, detail)
            if key in SHARES and known(cell.value):
                cell = spread(values[key], percent)
                cell = Cell(cell.text, cell.value, cell.detail, float(cell.value or 0.0))
            cells.append(cell)
        rows.append([word(name), *cells])
    header = (NAMES.get(key) or key.replace("_", " ") for key in columns)
    return Table(caption, ("strategy", *header), rows)


def ratings(summary: Summary) -> Section | None:
    """Bradley-Terry and Elo, and what people voted."""
    own, votes = summary.own.get("ratings"), summary.own.get("votes")
    blocks: list[Any] = [measures("Ratings", "rating", summary.labelled(own))] if own else []
    lead = "Bradley-Terry strengths are in nats; Elo is the same on its usual scale."
    if votes:
        blocks.append(measures("By votes of people", "rating", votes["players"]))
        lead += f" {agreement_sentence(votes)}"
    return Section("Ratings", blocks, lead) if blocks else None


def exact(summary: Summary) -> Section | None:
    """On the tabular rung: true regret and the distance to equilibrium."""
    own = summary.own.get("exact")
    if not own:
        return None
    value, upper = spread(own.get("value")), spread(own.get("upper"))
    apart = known(upper.value) and upper.text != value.text
    between = f"between {value.text} and {upper.text}" if apart else value.text
    lead = "The worlds are known, so these are true values. The minimax regret of the game is "
    lead += (
        f"{between}. A lower bound stands where best responses were searched for, not solved."
    )
    caption = "True regret and distance to the value"
    arms = summary.labelled(own.get("arms") or {})
    table = measures(caption, "value", arms, ("nash_conv", "distance"))
    return Section("Exact results", [table], lead)
