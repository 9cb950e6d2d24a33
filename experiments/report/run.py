"""The page of a training run: its result, how it went, what the solver learned."""

from collections.abc import Sequence
from pathlib import Path

from experiments.report.blocks import Fold, Grid, Page, Section, Switch, Table, Text
from experiments.report.charts import line_chart
from experiments.report.creator import descent, diversity, rewards, signals
from experiments.report.damage import damage
from experiments.report.entries import number_entry, text_entry
from experiments.report.record import Record, Row, part_name
from experiments.report.result import PLAYERS, result
from experiments.report.settings import settings
from experiments.report.solver import health, logs, over_optimisation, responses
from experiments.run.judging import SAME, score_name, shown

UNITS = {"round": "rounds", "responses": "responses spent"}
WINS = "Win rate against the starting policy"

SCORES = ("gold", "win_rate", "pass_rate", "rewards_missing", "proxy", "kl", "length")
COLUMNS = (
    "reward_mean",
    "signal_mean",
    "distinct_prompts",
    "entropy",
    "effective",
    "cluster_share",
    "no_gradient",
    "rewards_missing",
    "complexity",
    "response_length",
    "seconds",
)


def page(folder: Path) -> Page:
    """Return the page of a run's folder."""
    record = Record.read(folder)
    sections = (damage(folder), *(section(record) for section in SECTIONS))
    creator, solver, task = (part_name(record.settings.get(name)) for name in PLAYERS)
    kept = [section for section in sections if section]
    return Page(f"{creator} against {solver}", subtitle(record, task), kept)


def subtitle(record: Record, task: str) -> str:
    """Return the conditions in a line."""
    given = record.settings
    played, planned = len(record.rounds), given.get("rounds", len(record.rounds))
    rounds = f"{played} rounds" if played == planned else f"{played} of {planned} rounds"
    judged = SAME if record.judge == SAME else f"judged by {shown(record.judge)}"
    trains = f"trained on the {shown(given.get('reward', '?'))} reward, {judged}"
    if given.get("creator_reward"):
        trains = f"the creator paid by {shown(given['creator_reward'])}, {trains}"
    return f"{task}, seed {record.config.get('seed', '?')}, {rounds}, {trains}."


def alarms(record: Record) -> Section | None:
    """Return the alarms that were raised, and since when."""
    if not record.alarms:
        watched = "alarms" in record.settings
        return Section("Alarms", [Text(["No alarm was raised."])]) if watched else None
    by_alarm: dict[str, list[Row]] = {}
    for row in record.alarms:
        by_alarm.setdefault(row["alarm"], []).append(row)
    sentences = []
    for rows in by_alarm.values():
        times = "once" if len(rows) == 1 else f"in {len(rows)} rounds"
        text = f"Round {rows[0]['round']}: {rows[0].get('text', '')}. Raised {times}."
        sentences.append(text)
    header = ("alarm", "text", "round", "value", "threshold")
    table = [
        [text_entry(row["alarm"]), text_entry(row.get("text"))]
        + [number_entry(row.get(key)) for key in ("round", "value", "threshold")]
        for row in record.alarms
    ]
    every = Fold("All alarms", [Table("Alarms", header, table, texts=2)])
    return Section("Alarms", [Text(sentences, "list"), every])


def learning(record: Record) -> Section | None:
    """Return the scores on the suites, by rounds and by what was spent."""
    if not record.evaluations:
        return None
    score = score_name(record.judge)
    options = {}
    for x, unit in UNITS.items():
        charts = [
            line_chart(WINS, record.judged("win_rate", x), unit, share=True, level=0.5),
            line_chart(f"{score[0].upper()}{score[1:]}", record.judged("gold", x), unit),
            line_chart("Pass rate", record.judged("pass_rate", x), unit, share=True),
        ]
        options[unit] = [Grid([chart for chart in charts if chart])]
    header = ["suite", "round", *present(record.evaluations, SCORES)]
    rows = [
        [text_entry(row["suite"]), *(number_entry(row.get(name)) for name in header[1:])]
        for row in record.evaluations
    ]
    every = Fold("All evaluations", [Table("Evaluations", spaced(header), rows)])
    lead = "The scores of the solver on each suite. No creator ever sees these prompts."
    return Section("Learning curves", [Switch("By", options), every], lead)


def rounds(record: Record) -> Section | None:
    """Return every round as a row."""
    header = ["round", *present(record.rounds, COLUMNS)]
    rows = [[number_entry(row.get(name)) for name in header] for row in record.rounds]
    table = Table("Every round", spaced(header), rows, texts=0)
    return Section("Rounds", [table]) if rows else None


def present(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Return the columns that any row has."""
    return [name for name in names if any(row.get(name) is not None for row in rows)]


def spaced(names: Sequence[str]) -> list[str]:
    """Return keys of the record as words."""
    return [name.replace("_", " ") for name in names]


SECTIONS = (
    result,
    alarms,
    learning,
    diversity,
    signals,
    rewards,
    over_optimisation,
    health,
    logs,
    descent,
    responses,
    rounds,
    settings,
)
"""In the order of the page; each is a function of the record, None where it has no data."""
