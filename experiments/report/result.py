"""The opening of a run's page: its result, what one run cannot show, and what to do next."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eva_env.missing import mean_scored
from eva_env.statistics.intervals import mean_interval
from experiments.report.blocks import Code, Columns, Section, Table, Text, Tiles
from experiments.report.command import condition_words, specification_of
from experiments.report.entries import estimate_entry, interval_text, number_entry, text_entry
from experiments.report.numbers import SHARE, decimal, is_number, number, percent
from experiments.report.record import Record, Row, deciding_of, part_name
from experiments.run.judging import score_name
from experiments.run.parts import names

BASELINE = "fresh"
"""The creator to compare with: human prompts alone."""

SEEDS = 5

ONE_SEED = (
    "This is one run with one seed: it shows nothing about which creator or method is better. "
    "The intervals cover other prompts of the same kind, not other seeds."
)


def result(record: Record) -> Section:
    """Return the result with its interval, the best and the last evaluation, the next step."""
    if not record.evaluations:
        text = Text(["The run has no evaluation yet."], "note")
        return Section("Result", [text, *next_steps(record)])
    suite = deciding_of(record.config, record.suites)
    blocks: list[Any] = [Text([headline(record, suite)], "headline"), Text([ONE_SEED], "note")]
    blocks += next_steps(record)
    blocks.append(Columns([evaluations(record), Tiles(spent(record))]))
    return Section("Result", blocks)


def headline(record: Record, suite: str) -> str:
    """Return the result on a suite and whether the last evaluation is the best."""
    rows = record.suites[suite]
    first, last, best = rows[0], rows[-1], best_row(rows)
    if len(rows) == 1:
        reward = reward_of(record, first)
        return f"Only the starting policy has been evaluated: {reward}, {suite} suite."
    text = (
        f"After round {last['round']} the {score_name(record.judge)} on the {suite} suite is "
    )
    text += decimal(last.get("gold")) + bracket(gold_estimate(record, suite, last), decimal)
    text += f", before training {decimal(first.get('gold'))}"
    if is_number(last.get("win_rate")):
        rate = win_rate_estimate(record, suite, last)
        text += f"; the win rate against the starting policy is {percent(last['win_rate'])}"
        text += bracket(rate, percent)
    if best["round"] == last["round"]:
        return f"{text}. The last evaluation is the best."
    reward = reward_of(record, best)
    return f"{text}. The best evaluation was after round {best['round']}: {reward}."


def reward_of(record: Record, row: Row) -> str:
    """Return the judge's reward of an evaluation in words."""
    name = "gold" if record.judge == "gold" else "reward"
    return f"{name} {decimal(row.get('gold'))}"


def bracket(estimate: Mapping[str, Any], show: Any) -> str:
    """Return an interval in brackets, empty if there is none."""
    interval = interval_text(estimate, show, SHARE if show is percent else (-np.inf, np.inf))
    return f" (95 % interval {interval})" if interval else ""


def best_row(rows: Sequence[Row]) -> Row:
    """Return the evaluation with the highest gold reward, the first of equal ones."""
    return max(rows, key=lambda row: row["gold"] if is_number(row.get("gold")) else -np.inf)


def gold_estimate(record: Record, suite: str, row: Row) -> dict[str, Any]:
    """Return the gold reward of an evaluation, the last one with its interval.

    It is Student's over prompts; only the last evaluation's responses are recorded.
    """
    rewards = [r["rewards"] for r in record.answers if r["suite"] == suite]
    means = [float(mean_scored(np.array(row, dtype=np.float64))) for row in rewards]
    means = [mean for mean in means if is_number(mean)]
    estimate = {"mean": row.get("gold")}
    if row is not record.suites[suite][-1] or len(means) < 2:
        return estimate
    interval = mean_interval(np.array(means)[:, None])
    same = is_number(row.get("gold")) and abs(float(interval.mean) - row["gold"]) < 1e-6
    if not same:  # responses of another evaluation, as after a crash
        return estimate
    return estimate | {"low": float(interval.low), "high": float(interval.high)}


def win_rate_estimate(record: Record, suite: str, row: Row) -> dict[str, Any]:
    """Return the win rate of the last evaluation with Wilson's interval for P prompts.

    The record has no win rates by prompt. Those lie in [0, 1], so their variance is at most
    that of one win or loss a prompt: the interval is at most too wide (Wilson 1927).
    """
    rate, size = row.get("win_rate"), sum(r["suite"] == suite for r in record.answers)
    if not is_number(rate) or not size or row is not record.suites[suite][-1]:
        return {"mean": rate}
    z2 = 1.959964**2 / size
    centre = (rate + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * rate * (1 - rate) + z2**2 / 4) / (1 + z2)
    return {"mean": rate, "low": float(centre - half), "high": float(centre + half)}


def evaluations(record: Record) -> Table:
    """Return the first, the best and the last evaluation of every suite."""
    table = []
    for suite, rows in record.suites.items():
        best, last = best_row(rows), rows[-1]
        reached = number_entry(best.get("gold"))
        table.append(
            [
                text_entry(suite),
                number_entry(rows[0].get("gold")),
                replace(reached, detail=f"round {best['round']}"),
                estimate_entry(gold_estimate(record, suite, last)),
                estimate_entry(win_rate_estimate(record, suite, last), percent, SHARE),
            ]
        )
    name = "gold" if record.judge == "gold" else "reward"
    header = ("suite", f"{name} before", "best", "last", "last win rate")
    note = "Win rates are against the starting policy; their intervals are at most too wide, "
    note += "because they count one win or loss a prompt."
    return Table("Evaluations", header, table, note)


def spent(record: Record) -> list[tuple[str, str, str]]:
    """Return what the run has spent."""
    tiles = []
    budget = record.rounds[-1].get("budget", {}) if record.rounds else {}
    if budget:
        detail = ", ".join(
            f"{number(budget[k])} {k}" for k in ("prompts", "tokens") if k in budget
        )
        if budget.get("creator_tokens"):
            detail += f", {number(budget['creator_tokens'])} tokens of rewriting"
        tiles.append(("responses", number(budget.get("responses")), detail))
    seconds = [row["seconds"] for row in record.rounds if "seconds" in row]
    if seconds:
        tiles.append(("seconds", number(sum(seconds), 1), "without evaluations"))
    return tiles


def next_steps(record: Record) -> list[Any]:
    """Return the next command: finish the run, or compare its creator over several seeds."""
    played, planned = len(record.rounds), record.settings.get("rounds", 0)
    if is_number(planned) and played < planned:
        command = shlex.join(["eva", "train", "--resume", str(record.folder or "RUN")])
        return [Code(command, "Next: finish the run")]
    settings = record.settings
    world = names("task").get(part_name(settings.get("task")))
    creator = specification_of(settings.get("creator"), "creator")
    factor = world.sizes.lr if world else 1.0
    solver = specification_of(settings.get("solver"), "solver", factor)
    command = ["eva", "compare", *condition_words(settings)]
    creators = [BASELINE, creator if creator != BASELINE else "eva"]
    command += ["--creators", *creators, "--solvers", solver, "--seeds", str(SEEDS)]
    return [Code(shlex.join(command), "Next: compare creators over several seeds")]


PLAYERS = ("creator", "solver", "task")
