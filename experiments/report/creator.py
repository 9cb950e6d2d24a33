"""What the creator did: diversity and complexity of its prompts, signals, rewards, descent."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.report.blocks import Grid, Section, Table, figure, word
from experiments.report.distributions import fan, ridges
from experiments.report.figures import Series, lines
from experiments.report.numbers import known
from experiments.report.record import Record
from experiments.report.tree import genealogy


def diversity(record: Record) -> Section | None:
    """Whether the creator's prompts collapse, and whether they grow harder."""
    drawn = record.by_round("id")
    shares = [
        row["distinct_prompts"] / len(drawn[row["round"]])
        if known(row.get("distinct_prompts")) and drawn.get(row["round"])
        else None
        for row in record.rounds
    ]
    distinct = Series("distinct", [row["round"] for row in record.rounds], shares)
    twins = record.column("cluster_share", "largest cluster of near twins")
    effective = [record.column("effective")]
    plots = [
        lines("Entropy of the proposal", [record.column("entropy")], y="nats"),
        lines("Effective sample size of the proposal", effective, y="prompts"),
        lines("Variety", [distinct, twins], y="of the drawn prompts", share=True),
        lines("Complexity of the drawn prompts", [record.column("complexity")], y="mean"),
    ]
    plots = [plot for plot in plots if plot]
    lead = "A creator that collapses proposes ever fewer prompts, or ever more alike ones; a "
    lead += "curriculum shows as complexity that drifts."
    return Section("Diversity and drift", [Grid(plots)], lead) if plots else None


def signals(record: Record) -> Section | None:
    """How much there was to learn from the prompts, as the signal says."""
    rounds = [row["round"] for row in record.rounds]
    paid = [row.get("payoffs") or {} for row in record.rounds]
    players = dict.fromkeys(player for payoffs in paid for player in payoffs)
    payoffs = [Series(p, rounds, [own.get(p) for own in paid]) for p in players]
    plots = [
        fan("Signal of the drawn prompts", record.by_round("signal")),
        lines("Payoffs", payoffs),
    ]
    plots = [plot for plot in plots if plot]
    lead = "The signal is what the creator is paid for: an estimate of how much there is to "
    lead += "learn from a prompt."
    return Section("Signals", [Grid(plots)], lead) if plots else None


def rewards(record: Record) -> Section | None:
    """The training rewards of the responses in play."""
    unit = f"{record.settings.get('reward', 'training')} reward"
    if any(row.get("rewards") for row in record.drawn):
        histogram = ridges("Rewards of all responses", record.by_round("rewards"), unit)
    else:
        histogram = ridges("Mean rewards of the prompts", record.by_round("mean"), unit)
    names = {"reward_max": "greatest", "reward_mean": "mean", "reward_min": "least"}
    curves = [record.column(key, name) for key, name in names.items()]
    plots = [
        plot for plot in (histogram, lines("Range of the rewards", curves, y=unit)) if plot
    ]
    lead = "In-play rewards are no result: they rise when prompts get easier. They are what "
    lead += "the solver was trained on."
    return Section("Rewards in play", [Grid(plots)], lead) if plots else None


def descent(record: Record) -> Section | None:
    """Where the prompts come from."""
    tree = genealogy("run", record.prompts)
    lead = "Every prompt below the one that it was rewritten from, with what its answers were "
    lead += "worth. Arrow keys walk the tree."
    return Section("Genealogy", [operators(record.drawn), tree], lead) if tree else None


def operators(drawn: Sequence[Mapping[str, Any]]) -> Table | None:
    """What each way of rewriting brought."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in drawn:
        for step in str(row.get("operator") or "not rewritten").split(" > "):
            found.setdefault(step, []).append(row)
    if list(found) in ([], ["not rewritten"]):
        return None
    rows = []
    for operator, own in sorted(found.items(), key=lambda item: -len(item[1])):
        means = [figure(_mean([row.get(key) for row in own])) for key in ("signal", "mean")]
        rows.append([word(operator), figure(len(own)), *means])
    header = ("operator", "drawn", "mean signal", "mean reward")
    note = "A prompt that was rewritten several times at once counts for each step."
    return Table("What each operator brought", header, rows, note)


def _mean(values: Sequence[Any]) -> float | None:
    own = [value for value in values if known(value)]
    return sum(own) / len(own) if own else None
