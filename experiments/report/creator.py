"""Sections on the creator: variety of its prompts, signals, rewards, genealogy."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.report.blocks import Grid, Section, Table
from experiments.report.charts import line_chart
from experiments.report.distributions import fan_chart, ridge_chart
from experiments.report.entries import number_entry, text_entry
from experiments.report.numbers import is_number
from experiments.report.record import Record
from experiments.report.series import Series
from experiments.report.tree import genealogy
from experiments.run.judging import shown


def diversity(record: Record) -> Section | None:
    """Return whether the creator's prompts collapse, and whether they grow harder."""
    drawn = record.by_round("id")
    shares = [
        row["distinct_prompts"] / len(drawn[row["round"]])
        if is_number(row.get("distinct_prompts")) and drawn.get(row["round"])
        else None
        for row in record.rounds
    ]
    distinct = Series("distinct", [row["round"] for row in record.rounds], shares)
    cluster = record.column("cluster_share", "largest cluster of near-duplicates")
    effective = [record.column("effective")]
    charts = [
        line_chart("Entropy of the proposal", [record.column("entropy")], y="nats"),
        line_chart("Effective sample size of the proposal", effective, y="prompts"),
        line_chart("Variety", [distinct, cluster], y="of the drawn prompts", share=True),
        line_chart("Complexity of the drawn prompts", [record.column("complexity")], y="mean"),
    ]
    charts = [chart for chart in charts if chart]
    lead = "A collapsing creator proposes fewer and fewer prompts, or more and more similar "
    lead += "ones. A curriculum shows as a drift of the complexity."
    return Section("Diversity and drift", [Grid(charts)], lead) if charts else None


def signals(record: Record) -> Section | None:
    """Return how much there was to learn from the prompts, by the signal."""
    rounds = [row["round"] for row in record.rounds]
    payoffs = [row.get("payoffs") or {} for row in record.rounds]
    players = dict.fromkeys(player for by_player in payoffs for player in by_player)
    lines = [Series(p, rounds, [by_player.get(p) for by_player in payoffs]) for p in players]
    charts = [
        fan_chart("Signal of the drawn prompts", record.by_round("signal")),
        line_chart("Payoffs", lines),
    ]
    charts = [chart for chart in charts if chart]
    lead = "The signal estimates how much there is to learn from a prompt; the creator is paid "
    lead += "for it."
    return Section("Signals", [Grid(charts)], lead) if charts else None


def rewards(record: Record) -> Section | None:
    """Return the training rewards of the responses in play."""
    unit = f"{shown(record.settings.get('reward', 'training'))} reward"
    if any(row.get("rewards") for row in record.drawn):
        histogram = ridge_chart("Rewards of all responses", record.by_round("rewards"), unit)
    else:
        histogram = ridge_chart("Mean rewards of the prompts", record.by_round("mean"), unit)
    names = {"reward_max": "maximum", "reward_mean": "mean", "reward_min": "minimum"}
    ranges = [record.column(key, name) for key, name in names.items()]
    charts = [
        chart
        for chart in (histogram, line_chart("Range of the rewards", ranges, y=unit))
        if chart
    ]
    lead = "The solver was trained on these rewards. They are not a result: they rise when "
    lead += "prompts get easier."
    return Section("Rewards in play", [Grid(charts)], lead) if charts else None


def descent(record: Record) -> Section | None:
    """Return where the prompts come from."""
    tree = genealogy("run", record.prompts)
    lead = (
        "Every evolved prompt under its parent, with the rewards of its responses. Arrow keys "
    )
    lead += "walk the tree."
    return Section("Genealogy", [operators(record.drawn), tree], lead) if tree else None


def operators(drawn: Sequence[Mapping[str, Any]]) -> Table | None:
    """Return the mean signal and reward of the prompts that each operator made."""
    made: dict[str, list[Mapping[str, Any]]] = {}
    for row in drawn:
        for step in str(row.get("operator") or "not rewritten").split(" > "):
            made.setdefault(step, []).append(row)
    if list(made) in ([], ["not rewritten"]):
        return None
    rows = []
    for operator, prompts in sorted(made.items(), key=lambda item: -len(item[1])):
        columns = ([row.get(key) for row in prompts] for key in ("signal", "mean"))
        means = [number_entry(_mean(column)) for column in columns]
        rows.append([text_entry(operator), number_entry(len(prompts)), *means])
    header = ("operator", "drawn", "mean signal", "mean reward")
    note = "A prompt that was rewritten several times at once counts for each operator."
    return Table("Results by operator", header, rows, note)


def _mean(values: Sequence[Any]) -> float | None:
    numbers = [value for value in values if is_number(value)]
    return sum(numbers) / len(numbers) if numbers else None
