"""The opening of a comparison's page: its finding, the differences, the headline numbers."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.ties import tie_sentence, tied_score
from experiments.report.blocks import Code, Fold, Section, Text, Tiles
from experiments.report.differences import family, forest, winner
from experiments.report.entries import interval_text
from experiments.report.numbers import (
    ANYWHERE,
    CUT,
    CUT_NOTE,
    SHARE,
    counted,
    decimal,
    is_number,
)
from experiments.report.summary import Summary
from experiments.run.judging import score_name

Row = Mapping[str, Any]

NEXT = "Next: "
"""The beginning of the conclusion that says what to do next."""

NAMED = 3
"""Most pairs that a sentence names with their numbers."""


def opening(summary: Summary) -> Section:
    """Return the finding, then the differences it rests on, then what limits it."""
    data, power = summary.data, summary.data.get("power") or {}
    conclusions, doubts = data.get("conclusions") or [], power.get("sentences") or []
    blocks: list[Any] = []
    failed = len(data.get("failures") or {})
    if failed:
        text = f"{counted(failed, 'cell')} failed; the results rest on the other cells."
        blocks.append(Text([text], "note"))
    main, split = family(summary, "main"), family(summary, "within")
    finding = in_sentences(summary)
    blocks.append(Text([finding], "headline") if finding else None)
    blocks.append(forest(summary, main, "Differences"))
    if not power.get("enough", True):
        blocks.append(Text(doubts, "note"))
    regret = worst_regret(summary)
    blocks.append(Text([regret]) if regret else None)
    blocks.append(Tiles(tiles(summary)))
    details = [detail for _, _, detail in tiles(summary)]
    if CUT in "".join([regret, *details]):
        blocks.append(Text([CUT_NOTE], "small"))
    blocks += next_steps(summary)
    if split:
        inner = forest(summary, split, "Differences within one solver or one creator")
        label = f"Within one solver or one creator: {len(split)} differences"
        blocks.append(Fold(label, [inner]))
    if conclusions:
        fold = f"Caveats and all {len(conclusions)} conclusions, as eva compare printed them"
        blocks.append(Fold(fold, [Text(conclusions, "list")]))
    return Section("Finding", blocks)


def in_sentences(summary: Summary) -> str:
    """Return the finding in one or two sentences; older records give their first conclusion."""
    if tied_score(summary.data) is not None:
        return tie_sentence(summary.data)
    lines = sentences(summary, family(summary, "main"))
    return " ".join(lines or (summary.data.get("conclusions") or [])[:1])


def sentences(summary: Summary, rows: Sequence[Row]) -> list[str]:
    """Return who is ahead of whom and by how much, and whom the data cannot distinguish."""
    if not rows:
        return []
    if all(row.get("low") is None for row in rows):
        return ["One seed shows nothing about which is better: no difference has an interval."]
    ahead = sorted(
        (row for row in rows if winner(row)), key=lambda row: -abs(row.get("mean") or 0)
    )
    clauses = [clause(summary, row, i == 0) for i, row in enumerate(ahead[:NAMED])]
    if len(ahead) > NAMED:
        losers: dict[Any, list[Any]] = {}
        for won, lost in filter(None, map(winner, ahead)):
            losers.setdefault(won, []).append(lost)
        clauses = [f"{won} is ahead of {join(lost)}" for won, lost in losers.items()]
    lines = []
    if clauses:
        averaged = family(summary, "within")
        lines.append(
            f"{'Averaged over the other player, ' if averaged else ''}{join(clauses)}."
        )
    equal = [f"{row.get('a')} from {row.get('b')}" for row in rows if not winner(row)]
    if len(rows) == len(equal) == 1:
        (row,) = rows
        mean, low, high = (summary.show_difference(row.get(k)) for k in ("mean", "low", "high"))
        unit = " points" if summary.metric == "win_rate" else ""
        equal = [f"{equal[0]} ({mean}{unit}, 95 % interval {low} to {high})"]
    if len(equal) > NAMED:
        lines.append(f"The data cannot distinguish {len(equal)} of {len(rows)} pairs.")
    elif equal:
        lines.append(f"The data cannot distinguish {', nor '.join(equal)}.")
    return lines


def clause(summary: Summary, row: Row, first: bool) -> str:
    """Return "eva is ahead of fresh by 42.4 points (95 % interval 34.4 to 50.4)"."""
    won, lost = winner(row) or (None, None)
    sign = 1 if won == row.get("a") else -1
    mean, *ends = (sign * row[key] for key in ("mean", "low", "high"))
    size, low, high = (
        summary.show_difference(value).removeprefix("+") for value in (mean, *sorted(ends))
    )
    unit = (" points" if first else "") if summary.metric == "win_rate" else ""
    interval = f"95 % interval {low} to {high}" if first else f"{low} to {high}"
    return f"{won} is ahead of {lost} by {size}{unit} ({interval})"


def join(items: Sequence[str]) -> str:
    """Return "a, b and c"."""
    *head, last = map(str, items)
    return f"{', '.join(head)} and {last}" if head else last


def next_steps(summary: Summary) -> list[Any]:
    """Return the conclusion that says what to do next, and its command."""
    steps = [line for line in summary.data.get("conclusions") or [] if line.startswith(NEXT)]
    blocks: list[Any] = [Text(steps)] if steps else []
    seeds = re.search(r"--seeds (\d+)", " ".join(steps))
    if seeds:
        command = ["eva", "compare", "--resume", str(summary.folder), "--seeds", seeds[1]]
        blocks.append(Code(shlex.join(command)))
    return blocks


def worst_regret(summary: Summary) -> str:
    """Return the worst-case true regret against the value of the game, where both are known."""
    exact = summary.data.get("exact") or {}
    ranked = ranked_regrets(summary)
    value, upper = ((exact.get(key) or {}).get("mean") for key in ("value", "upper"))
    if not ranked or not is_number(value):
        return ""
    arm, regret = ranked[0]
    interval = interval_text(regret, decimal, SHARE)
    between = f" (95 % interval {interval})" if interval else ""
    least = decimal(value)
    if is_number(upper) and decimal(upper) != least:
        least = f"between {least} and {decimal(upper)}"
    return (
        f"Worst case: on the prompt that is worst for it, {arm} has a true regret of "
        f"{decimal(regret['mean'])}{between}, the lowest of {counted(len(ranked), 'arm')}. The "
        f"value of the game is {least}: no solver of this class can guarantee less."
    )


def ranked_regrets(summary: Summary) -> list[tuple[str, Row]]:
    """Return the competing arms with their worst-case true regret, the lowest first."""
    arms = (summary.data.get("exact") or {}).get("arms") or {}
    regrets = [(n, arms[n].get("worst_regret") or {}) for n in summary.competitors if n in arms]
    known = [(name, regret) for name, regret in regrets if is_number(regret.get("mean"))]
    return sorted(known, key=lambda item: item[1]["mean"])


def tiles(summary: Summary) -> list[tuple[str, str, str]]:
    """Return the best arm, the ceiling, the starting policy, and the exact regrets."""
    bounds = SHARE if summary.metric == "win_rate" else ANYWHERE
    score = "win rate" if summary.metric == "win_rate" else score_name(summary.judge)
    tied = tied_score(summary.data) is not None
    shown = []
    ceilings = [name for name in summary.arms if name not in summary.competitors]
    for role, names in (("best", summary.competitors), ("ceiling", ceilings)):
        scores = [(summary.score(name), name) for name in names]
        known = [(s, name) for s, name in scores if s and is_number(s.get("mean"))]
        if known:
            best, name = max(known, key=lambda item: item[0]["mean"])
            interval = interval_text(best, summary.show, bounds)
            detail = ", ".join(filter(None, (name, interval)))
            if role == "best" and tied:
                role, detail = "tied", "all arms"
            label = f"{role} {score}, {summary.data.get('suite', '')}"
            shown.append((label, summary.show(best["mean"]), detail))
    ranked, exact = ranked_regrets(summary), summary.data.get("exact") or {}
    if ranked:
        arm, regret = ranked[0]
        interval = interval_text(regret, decimal, SHARE)
        detail = ", ".join(filter(None, (arm, interval)))
        shown.append(("lowest worst-case true regret", decimal(regret["mean"]), detail))
    value = (exact.get("value") or {}).get("mean")
    if is_number(value):
        shown.append(("value of the game", decimal(value), "the least that can be guaranteed"))
    return shown
