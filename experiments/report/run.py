"""The page of a training run: who played, how it went, what the solver learned."""

from collections.abc import Sequence
from pathlib import Path

from experiments.report.blocks import (
    Fold,
    Grid,
    Page,
    Section,
    Switch,
    Table,
    Text,
    Tiles,
    figure,
    word,
)
from experiments.report.creator import descent, diversity, rewards, signals
from experiments.report.figures import lines
from experiments.report.numbers import number, percent
from experiments.report.record import Record, Row, kind
from experiments.report.settings import settings
from experiments.report.solver import answers, health, logs, over_optimisation

UNITS = {"round": "rounds", "responses": "responses spent"}
WINS = "Win rate against the start"

SCORES = ("gold", "win_rate", "pass_rate", "proxy", "kl", "length")
COLUMNS = (
    "reward_mean",
    "signal_mean",
    "distinct_prompts",
    "entropy",
    "effective",
    "cluster_share",
    "no_gradient",
    "complexity",
    "response_length",
    "seconds",
)


def page(folder: Path) -> Page:
    """What is shown of a run folder."""
    record = Record.read(folder)
    sections = (section(record) for section in SECTIONS)
    players = (kind(record.settings.get(name)) for name in ("creator", "solver", "task"))
    creator, solver, task = players
    return Page(
        f"{creator} against {solver}", subtitle(record, task), [s for s in sections if s]
    )


def subtitle(record: Record, task: str) -> str:
    """The conditions in a line."""
    own = record.settings
    played, planned = len(record.rounds), own.get("rounds", len(record.rounds))
    rounds = f"{played} rounds" if played == planned else f"{played} of {planned} rounds"
    trains = f"trained on the {own.get('reward', '?')} reward, judged by gold"
    return f"{task}, seed {record.config.get('seed', '?')}, {rounds}, {trains}."


def headline(record: Record) -> Section:
    """Where the run ended."""
    if not record.evaluations:
        return Section("Result", [Text(["Nothing has been judged yet."], "note")])
    tiles = []
    for suite, rows in record.suites.items():
        first, last = rows[0], rows[-1]
        detail = f"gold {number(first.get('gold'))} → {number(last.get('gold'))}"
        tiles.append((f"win rate, {suite}", percent(last.get("win_rate")), detail))
    spent = record.rounds[-1].get("budget", {}) if record.rounds else {}
    if spent:
        budget = (f"{spent[name]:,} {name}" for name in ("prompts", "tokens") if name in spent)
        tiles.append(("responses", number(spent.get("responses")), ", ".join(budget)))
    seconds = [row["seconds"] for row in record.rounds if "seconds" in row]
    if seconds:
        tiles.append(("seconds", number(sum(seconds), 1), "without evaluations"))
    lead = (
        "The solver after the last round judged, on fixed prompts that no creator ever sees; "
    )
    lead += "its wins are against the model it started from, whose win rate is 50 %."
    return Section("Result", [Tiles(tiles)], lead)


def alarms(record: Record) -> Section | None:
    """What rang, and when it began."""
    if not record.alarms:
        watched = "alarms" in record.settings
        return Section("Alarms", [Text(["No alarm rang."])]) if watched else None
    first: dict[str, list[Row]] = {}
    for row in record.alarms:
        first.setdefault(row["alarm"], []).append(row)
    told = []
    for rows in first.values():
        rang = "rang once" if len(rows) == 1 else f"rang in {len(rows)} rounds"
        told.append(f"Round {rows[0]['round']}: {rows[0].get('text', '')}. It {rang}.")
    header = ("alarm", "what it says", "round", "value", "threshold")
    table = [
        [word(row["alarm"]), word(row.get("text"))]
        + [figure(row.get(key)) for key in ("round", "value", "threshold")]
        for row in record.alarms
    ]
    every = Fold("All alarms", [Table("Alarms", header, table, texts=2)])
    return Section("Alarms", [Text(told, "list"), every])


def learning(record: Record) -> Section | None:
    """Scores on the fixed suites, by rounds and by what was spent."""
    if not record.evaluations:
        return None
    options = {}
    for x, unit in UNITS.items():
        plots = [
            lines(WINS, record.judged("win_rate", x), unit, share=True, level=0.5),
            lines("Gold reward", record.judged("gold", x), unit),
            lines("Pass rate", record.judged("pass_rate", x), unit, share=True),
        ]
        options[unit] = [Grid([plot for plot in plots if plot])]
    header = ["suite", "round", *present(record.evaluations, SCORES)]
    rows = [
        [word(row["suite"]), *(figure(row.get(name)) for name in header[1:])]
        for row in record.evaluations
    ]
    every = Fold("All evaluations", [Table("Evaluations", spaced(header), rows)])
    lead = "Is the solver getting better, on what, and at what price?"
    return Section("Learning curves", [Switch("By", options), every], lead)


def rounds(record: Record) -> Section | None:
    """Every round as a row."""
    header = ["round", *present(record.rounds, COLUMNS)]
    rows = [[figure(row.get(name)) for name in header] for row in record.rounds]
    table = Table("Every round", spaced(header), rows, texts=0)
    return Section("Rounds", [table]) if rows else None


def present(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """The columns that any row has."""
    return [name for name in names if any(row.get(name) is not None for row in rows)]


def spaced(names: Sequence[str]) -> list[str]:
    """Keys of the record as words."""
    return [name.replace("_", " ") for name in names]


SECTIONS = (
    headline,
    alarms,
    learning,
    diversity,
    signals,
    rewards,
    over_optimisation,
    health,
    logs,
    descent,
    answers,
    rounds,
    settings,
)
"""In the order of the page; each is a function of the record, None where it has nothing."""
