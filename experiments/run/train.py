"""``eva train``: one creator against one solver, recorded, judged and resumable."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from experiments.run.alarms import Watch
from experiments.run.errors import UserError
from experiments.run.evaluation import Judge
from experiments.run.match import Match, Settings
from experiments.run.records import Run
from experiments.run.rows import Genealogy, summarise

Row = dict[str, Any]


def train(run: Run, settings: Settings, match: Match | None = None) -> Iterator[Row]:
    """Play and record from the run's last checkpoint on; yields a row per round.

    That is the row of rounds.jsonl, with the rows of evaluations.jsonl by suite under
    ``evaluations`` where the round was judged, and those of alarms.jsonl by alarm under
    ``alarms``. A new run begins with the row of round 0. ``match`` is one of these settings
    that has just been opened; None opens one.
    """
    match = match or Match.open(settings)
    judge = judge_of(settings, match)
    played = restore(run, match)
    genealogy = Genealogy.of(run.rows("prompts"))
    if played < 0:
        yield {"round": 0, "evaluations": judged(run, judge, match, 0), "alarms": {}}
    spent = [0, *(row["budget"]["reward_calls"] for row in run.rows("rounds"))]
    if exhausted(settings, spent):
        return
    watch, task = Watch.over(run, settings.alarms, played), match.env.unwrapped.task
    began = time.perf_counter()
    for round in match.rounds():
        played = round.index + 1
        spent.append(match.budget.reward_calls)
        row = summarise(round, task, match.budget, time.perf_counter() - began)
        run.append("prompts", genealogy.rows(round))
        run.append("rounds", [row])
        last = played == settings.rounds or exhausted(settings, spent)
        last = last or settings.alarms.stops(watch.raised(row))
        evaluations = {}
        if last or played % settings.evaluate_every == 0:
            evaluations = judged(run, judge, match, played)
            run.append("transcripts", judge.replay(match.solver, round))
            watch.evaluations += evaluations.values()
        alarms = watch.raised(row)
        run.append("alarms", alarms.values())
        last = last or settings.alarms.stops(alarms)
        if last or played % settings.checkpoint_every == 0:
            run.save(played, match.solver.policy, match.state_dict())
        yield row | {"evaluations": evaluations, "alarms": alarms}
        if last:
            return
        watch.before, began = alarms, time.perf_counter()


def judge_of(settings: Settings, match: Match) -> Judge:
    """Who compares the solver with what it starts from; the match must not have been played."""
    proxy = match.solver.reward_model if settings.reward == "proxy" else None
    start = match.solver.policy.frozen()
    return Judge(settings.task, start, settings.evaluation_samples, proxy)


def exhausted(settings: Settings, spent: Sequence[int]) -> bool:
    """Whether a round that costs as much as the last one would spend more than allowed.

    ``spent`` are the reward calls up to each round, from 0 before the first on.
    """
    if settings.max_reward_calls is None or len(spent) < 2:
        return False
    return 2 * spent[-1] - spent[-2] > settings.max_reward_calls


def restore(run: Run, match: Match) -> int:
    """Put a match where the run's last checkpoint left it; its round, -1 if there is none.

    What the run has written since is dropped, to be written again.
    """
    played = max(run.checkpoints, default=-1)
    if played > len(run.rows("rounds")):
        raise UserError(f"{run.folder} has lost rows of rounds.jsonl; start a new run")
    if played >= 0:
        match.load_state_dict(run.load(played))
    run.truncate(played)
    return played


def judged(run: Run, judge: Judge, match: Match, played: int) -> dict[str, Row]:
    """Judge the solver and record it; rows by suite."""
    evaluations, transcripts = judge.judge(match.solver, played)
    spent = {"budget": asdict(match.budget)}
    rows = {row["suite"]: row | spent for row in evaluations}
    run.append("evaluations", rows.values())
    run.append("transcripts", transcripts)
    run.write("answers", judge.answers())
    return rows
