"""The page of a comparison: what the data support, then everything that it rests on."""

from pathlib import Path
from typing import Any

from experiments.report.blocks import Page, Section, Text
from experiments.report.cells import answers, descent, tuning, warnings
from experiments.report.flow import flow
from experiments.report.games import crossplay, exact, ratings, solutions, wins
from experiments.report.record import kind
from experiments.report.settings import settings
from experiments.report.strategies import budget, curves, drift, strategies
from experiments.report.summary import SCORES, Summary


def page(folder: Path) -> Page:
    """What is shown of a comparison folder."""
    summary = Summary.read(folder)
    made = (section(summary) for section in SECTIONS)
    return Page(*heading(summary), [section for section in made if section])


def heading(summary: Summary) -> tuple[str, str]:
    """Title and conditions."""
    own = summary.own
    names = [arm for arm, told in summary.arms.items() if not told.get("ceiling")]
    task, seeds = kind(own.get("task")), len(own.get("seeds", []))
    decides = SCORES.get(own.get("metric", ""), "the score").lower()
    return f"{len(names)} strategies compared", (
        f"{task}, {seeds} {'seed' if seeds == 1 else 'seeds'}; {decides} on the "
        f"{own.get('suite', '?')} suite decides. Intervals cover 95 %."
    )


def conclusions(summary: Summary) -> Section:
    """What can be said, the headline first, and whether there are seeds enough to say it."""
    own = summary.own
    power = own.get("power") or {}
    doubts = power.get("sentences") or []
    first, *others = [line for line in own.get("conclusions") or [] if line not in doubts] or [
        ""
    ]
    blocks: list[Any] = []
    if own.get("failures"):
        count = len(own["failures"])
        failed = (
            f"{count} {'cell' if count == 1 else 'cells'} failed; this rests on the others."
        )
        blocks.append(Text([failed], "note"))
    blocks += [Text([first], "headline")] if first else []
    blocks.append(Text(doubts, "plain" if power.get("enough", True) else "note"))
    return Section("Conclusions", [*blocks, Text(others, "list")])


SECTIONS = (
    conclusions,
    strategies,
    wins,
    crossplay,
    solutions,
    ratings,
    flow,
    exact,
    curves,
    drift,
    tuning,
    budget,
    warnings,
    descent,
    answers,
    settings,
)
"""In the order of the page; each is a function of the summary, None where it has nothing."""
