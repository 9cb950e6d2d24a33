"""The page of a comparison: its finding, then everything that it rests on."""

from pathlib import Path

from experiments.report.arms import arms, budget, curves, drift
from experiments.report.blocks import Page
from experiments.report.damage import damage
from experiments.report.drilldown import descent, responses, tuning, warnings
from experiments.report.finding import opening
from experiments.report.flow import flow
from experiments.report.games import exact, ratings, solutions
from experiments.report.matrices import crossplay, wins
from experiments.report.numbers import counted
from experiments.report.record import conditions, part_name
from experiments.report.settings import settings
from experiments.report.summary import Summary
from experiments.run.judging import judging_remark


def page(folder: Path) -> Page:
    """Return the page of a comparison's folder."""
    summary = Summary.read(folder)
    made = (damage(folder), *(section(summary) for section in SECTIONS))
    return Page(*heading(summary), [section for section in made if section])


def heading(summary: Summary) -> tuple[str, str]:
    """Return the title and the conditions."""
    data = summary.data
    roles = []
    for role in ("creator", "solver"):
        players = {summary.arms[name].get(role) for name in summary.competitors} - {None}
        if len(players) > 1:
            roles.append(counted(len(players), role))
    title = f"{' and '.join(roles) or counted(len(summary.competitors), 'arm')} compared"
    decides = summary.scores.get(summary.metric, "the score").lower()
    remark = judging_remark(summary.judge, conditions(summary.config))
    judged = f" {remark}" if remark else ""
    return title, (
        f"{part_name(data.get('task'))}, {counted(len(data.get('seeds', [])), 'seed')}; the "
        f"{decides} on the {data.get('suite', '?')} suite decides.{judged}"
    )


SECTIONS = (
    opening,
    curves,
    arms,
    exact,
    wins,
    crossplay,
    solutions,
    ratings,
    flow,
    drift,
    tuning,
    budget,
    warnings,
    descent,
    responses,
    settings,
)
"""In the order of the page; each is a function of the summary, None where it has no data."""
