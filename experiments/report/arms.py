"""Every arm by itself: scores on the suites, learning curves, drift of its prompts, budget."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.report.blocks import Columns, Entry, Grid, Section, Switch, Table
from experiments.report.charts import interval_chart, line_chart
from experiments.report.entries import estimate_entry, number_entry, text_entry
from experiments.report.numbers import ANYWHERE, SHARE, decimal, is_number, percent, title
from experiments.report.panels import CROWD, Member, panels
from experiments.report.series import Series
from experiments.report.summary import Summary

DRIFT = {
    "entropy": "Entropy of the proposal, nats",
    "effective": "Effective sample size",
    "distinct_prompts": "Distinct prompts drawn",
    "cluster_share": "Share of the largest cluster",
    "complexity": "Complexity of the drawn prompts",
    "no_gradient": "Share of prompts without a gradient",
}

PROPORTIONAL = 0.02
"""A unit of the budget is proportional to another if no ratio differs by more than this."""


def arms(summary: Summary) -> Section:
    """Return every arm's scores on every suite."""
    titles = {
        **summary.scores,
        "win_rate_area": "Win rate, mean over rounds",
        "gold_area": f"{summary.scores['gold']}, mean over rounds",
    }
    order = sorted(titles, key=lambda score: not score.startswith(summary.metric))
    options = {titles[score]: [scores(summary, score, titles[score])] for score in order}
    charts = [
        chart for chart in (estimates(summary, suite) for suite in summary.suites) if chart
    ]
    lead = "On fixed prompts that no creator ever sees. The oracle is trained on the deciding "
    lead += "suite's own distribution: a ceiling, not a competitor."
    blocks = [Columns([Grid(charts), Switch("Show", options)])]
    return Section("Arms on the suites", blocks, lead)


def estimates(summary: Summary, suite: str) -> Any:
    """Return a chart of the deciding score on a suite, with intervals."""
    metric = summary.metric
    rows = {
        summary.label(arm): (summary.score(arm, metric, suite), summary.style(arm))
        for arm in summary.arms
    }
    name = f"{summary.scores.get(metric, metric)}, {suite}"
    return interval_chart(name, rows, share=metric == "win_rate")


def scores(summary: Summary, score: str, caption: str) -> Table:
    """Return a table of arms by suites."""
    rate = score.startswith("win_rate")
    show, bounds = (percent, SHARE) if rate else (decimal, ANYWHERE)
    rows: list[list[Entry]] = []
    for arm in summary.arms:
        values = (summary.score(arm, score, suite) for suite in summary.suites)
        entries = [estimate_entry(value, show, bounds) for value in values]
        rows.append([text_entry(summary.label(arm)), *entries])
    start = summary.data.get("start") or {}
    if score == "gold" and start:
        entries = [estimate_entry(start.get(suite, {}).get("gold")) for suite in summary.suites]
        rows.append([text_entry("starting policy"), *entries])
    return Table(caption, ("arm", *summary.suites), rows)


def curves(summary: Summary) -> Section | None:
    """Return learning curves over what was spent: a panel per creator, with bands."""
    kept, proportional = units(summary)
    if not kept:
        return None
    pairs = [(score, suite) for score in summary.scores for suite in summary.suites]
    pairs.sort(key=lambda pair: pair[0] != summary.metric)
    options = {}
    for score, suite in pairs:
        by_unit = {spaced(unit): curve(summary, score, suite, unit) for unit in kept}
        by_unit = {unit: blocks for unit, blocks in by_unit.items() if blocks}
        if by_unit:
            plain = score != "gold" or summary.judge == "gold"
            name = title(score) if plain else summary.scores[score]
            options[f"{name}, {suite}"] = [Switch("By", by_unit)]
    lead = "Mean over seeds, with 95 % intervals as bands; the other panels' lines are grey."
    if proportional:
        lead += f" In every arm {join_words(proportional)} grow in proportion to the responses."
    return Section("Learning curves", [Switch("Show", options)], lead) if options else None


REWRITING = "creator_tokens"
"""A unit of the budget that is left out if no arm has spent any."""


def units(summary: Summary) -> tuple[list[str], list[str]]:
    """Return the units of the budget to draw over, and those proportional to responses."""
    lines = [line for arm in summary.arms.values() for line in arm.get("curves", {}).values()]
    budgets = [line.get("budget", {}) for line in lines]
    names = list(
        dict.fromkeys(
            unit
            for budget in budgets
            for unit in budget
            if unit != REWRITING or any(any(spent.get(unit) or ()) for spent in budgets)
        )
    )
    same = [name for name in names if name != "responses" and proportional(budgets, name)]
    kept = sorted((n for n in names if n not in same), key=lambda unit: unit != "responses")
    return kept, same


def proportional(budgets: Sequence[Mapping[str, Any]], unit: str) -> bool:
    """Return whether a unit is the same multiple of the responses everywhere."""
    ratios = []
    for budget in budgets:
        pairs = zip(budget.get(unit) or (), budget.get("responses") or (), strict=False)
        for amount, responses in pairs:
            if is_number(amount) and is_number(responses) and responses:
                ratios.append(amount / responses)
    return bool(ratios) and max(ratios) - min(ratios) <= PROPORTIONAL * max(ratios)


def curve(summary: Summary, score: str, suite: str, unit: str) -> list[Any]:
    """Return a score on a suite over a unit of the budget, a panel per creator."""
    rate = score == "win_rate"
    solvers = {arm.get("solver") for arm in summary.arms.values()}
    groups: dict[str, list[Member]] = {}
    for name, arm in summary.arms.items():
        line = arm.get("curves", {}).get(suite, {})
        estimate = line.get(score) or {}
        mean, low, high = (estimate.get(key) or () for key in ("mean", "low", "high"))
        spent = line.get("budget", {}).get(unit) or ()
        series = Series(summary.label(name), spent, mean, low, high, summary.style(name))
        creator = str(arm.get("creator") or name)
        if arm.get("ceiling"):
            creator += " (ceiling)"
        alone = len(solvers) > CROWD
        group = summary.label(name) if alone else creator
        short = "" if alone or len(solvers) == 1 else str(arm.get("solver"))
        groups.setdefault(group, []).append(Member(short, series))
    level = 0.5 if rate else None
    name = f"{summary.scores[score]}, {suite}"
    return panels(name, groups, spaced(unit), share=rate, level=level)


def drift(summary: Summary) -> Section | None:
    """Return what the creators did, round by round, as the mean over seeds."""
    charts = [chart for chart in drift_charts(summary) if chart]
    lead = (
        "What the creators did from round to round, as the mean over seeds. Colour and marker "
    )
    lead += "show the creator, the dash shows the solver."
    return Section("Drift of the prompts", [Grid(charts)], lead) if charts else None


def drift_charts(summary: Summary) -> Iterator[Any]:
    """Yield a chart for each column of the rounds."""
    names = dict.fromkeys(n for arm in summary.arms.values() for n in arm.get("rounds") or {})
    for name in names:
        lines = []
        for label, arm in summary.arms.items():
            y = (arm.get("rounds") or {}).get(name) or ()
            x = range(1, len(y) + 1)
            lines.append(Series(summary.label(label), x, y, style=summary.style(label)))
        yield line_chart(DRIFT.get(name) or title(name), lines)


def budget(summary: Summary) -> Section | None:
    """Return what every arm has spent, as the mean over seeds."""
    spent = {name: arm.get("budget") or {} for name, arm in summary.arms.items()}
    names = dict.fromkeys(
        unit
        for amounts in spent.values()
        for unit in amounts
        if unit != REWRITING or any(arm.get(unit) for arm in spent.values())
    )
    rows = [
        [text_entry(summary.label(arm)), *(number_entry(amounts.get(n), 1) for n in names)]
        for arm, amounts in spent.items()
    ]
    header = ("arm", *map(spaced, names))
    return Section("Budget", [Table("Spent by a run, mean", header, rows)]) if names else None


def spaced(key: str) -> str:
    """Return a key of the record as words."""
    return key.replace("_", " ")


def join_words(keys: Sequence[str]) -> str:
    """Return "tokens, prompts and reward calls"."""
    *head, last = map(spaced, keys)
    return f"{', '.join(head)} and {last}" if head else last
