"""Every strategy by itself: scores on the suites, curves, what its prompts did, its budget."""

from collections.abc import Mapping
from typing import Any

from experiments.report.blocks import (
    Cell,
    Grid,
    Plot,
    Section,
    Switch,
    Table,
    figure,
    spread,
    word,
)
from experiments.report.figures import Series, dots, lines
from experiments.report.numbers import decimal, percent, points, title
from experiments.report.summary import SCORES, Summary

AREAS = {
    "win_rate_area": "Win rate, mean over rounds",
    "gold_area": "Gold reward, mean over rounds",
}

OTHERS = {"creators": "solvers", "solvers": "creators"}
"""Over whom the differences between strategies of a kind are averaged."""

DRIFT = {
    "entropy": "Entropy of the proposal, nats",
    "effective": "Effective sample size",
    "distinct_prompts": "Distinct prompts drawn",
    "cluster_share": "Share of the largest cluster",
    "complexity": "Complexity of the drawn prompts",
    "no_gradient": "Share without a gradient",
}


def strategies(summary: Summary) -> Section:
    """Every strategy on every suite, and the differences that were tested."""
    metric = summary.own.get("metric", "win_rate")
    titles = SCORES | AREAS
    order = sorted(titles, key=lambda score: not score.startswith(metric))
    options = {titles[score]: [scores(summary, score, titles[score])] for score in order}
    plots = [plot for plot in (forest(summary, suite) for suite in summary.suites) if plot]
    lead = "On fixed prompts that no creator ever sees. The oracle is trained on the deciding "
    lead += "suite's own distribution: a ceiling, not a competitor."
    blocks = [Grid(plots), Switch("Show", options), differences(summary)]
    return Section("Strategies on the suites", blocks, lead)


def forest(summary: Summary, suite: str) -> Plot | None:
    """The score that decides on a suite, with its interval."""
    metric = summary.own.get("metric", "win_rate")
    rows = {
        summary.label(arm): (told(own, suite, metric), summary.style(arm))
        for arm, own in summary.arms.items()
    }
    return dots(f"{SCORES.get(metric, metric)}, {suite}", rows, share=metric == "win_rate")


def told(own: Mapping[str, Any], suite: str, score: str) -> Any:
    """An arm's score on a suite, if the summary has it."""
    return own.get("suites", {}).get(suite, {}).get(score)


def scores(summary: Summary, score: str, caption: str) -> Table:
    """Arms by suites."""
    show = percent if score.startswith("win_rate") else decimal
    rows: list[list[Cell]] = []
    for arm, own in summary.arms.items():
        cells = [spread(told(own, suite, score), show) for suite in summary.suites]
        rows.append([word(summary.label(arm)), *cells])
    start = summary.own.get("start") or {}
    if score == "gold" and start:
        cells = [spread(start.get(suite, {}).get("gold")) for suite in summary.suites]
        rows.append([word("start"), *cells])
    return Table(caption, ("strategy", *summary.suites), rows)


def differences(summary: Summary) -> Table | None:
    """Paired tests, corrected for how many there are."""
    rate = summary.own.get("metric") == "win_rate"
    rows = []
    for row in summary.own.get("comparisons") or []:
        names = [word(row.get(key)) for key in ("a", "b")]
        within = word(row.get("within") or f"all {OTHERS.get(row.get('kind'), '')}")
        tests = [figure(row.get(key)) for key in ("p", "p_holm", "seeds")]
        rows.append([*names, within, spread(row, points if rate else decimal), *tests])
    difference = "difference, points" if rate else "difference"
    header = ("strategy", "minus", "within", difference, "p", "p, Holm", "seeds")
    note = (
        "Paired by seed; intervals and p, Holm (Holm 1979) are corrected for all comparisons "
    )
    note += "of their family: those over all others, and those within one."
    return Table("Differences", header, rows, note, texts=3) if rows else None


def curves(summary: Summary) -> Section | None:
    """Learning curves over what was spent, with bands over seeds."""
    known = [line for own in summary.arms.values() for line in own.get("curves", {}).values()]
    metered = dict.fromkeys(unit for line in known for unit in line.get("budget", {}))
    units = sorted(metered, key=lambda unit: unit != "responses")
    options = {}
    for unit in units:
        plots = [curve(summary, s, suite, unit) for s in SCORES for suite in summary.suites]
        options[unit.replace("_", " ")] = [Grid([plot for plot in plots if plot], wide=True)]
    lead = "Mean over seeds; bands are 95 % intervals. Colour and marker tell the creator, the "
    lead += "dash tells the solver."
    return Section("Learning curves", [Switch("By", options)], lead) if options else None


def curve(summary: Summary, score: str, suite: str, unit: str) -> Plot | None:
    """A score on a suite over a unit of the budget, a line per arm."""
    found = []
    for arm, own in summary.arms.items():
        line = own.get("curves", {}).get(suite, {})
        mean, low, high = (
            (line.get(score) or {}).get(k) or () for k in ("mean", "low", "high")
        )
        spent = line.get("budget", {}).get(unit) or ()
        name, style = summary.label(arm), summary.style(arm)
        found.append(Series(name, spent, mean, low, high, style))
    rate = score == "win_rate"
    x = unit.replace("_", " ")
    return lines(f"{SCORES[score]}, {suite}", found, x, share=rate, level=0.5 if rate else None)


def drift(summary: Summary) -> Section | None:
    """What the creators did, round by round, as the mean over seeds."""
    names = dict.fromkeys(n for own in summary.arms.values() for n in own.get("rounds") or {})
    plots = []
    for name in names:
        found = []
        for arm, own in summary.arms.items():
            y = (own.get("rounds") or {}).get(name) or ()
            x = range(1, len(y) + 1)
            found.append(Series(summary.label(arm), x, y, style=summary.style(arm)))
        plots.append(lines(DRIFT.get(name) or title(name), found))
    plots = [plot for plot in plots if plot]
    lead = "What the creators did from round to round, as the mean over seeds."
    return Section("Drift of the prompts", [Grid(plots)], lead) if plots else None


def budget(summary: Summary) -> Section | None:
    """What every strategy has spent, as the mean over seeds."""
    spent = {arm: own.get("budget") or {} for arm, own in summary.arms.items()}
    units = dict.fromkeys(unit for own in spent.values() for unit in own)
    rows = [
        [word(summary.label(arm)), *(figure(own.get(unit), 1) for unit in units)]
        for arm, own in spent.items()
    ]
    header = ("strategy", *(unit.replace("_", " ") for unit in units))
    return Section("Budget", [Table("Spent by a run, mean", header, rows)]) if units else None
