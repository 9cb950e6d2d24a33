"""The loop of a run: play a round, record it, evaluate, save."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from agents.policies.pretrained import Pretrained
from eva_env.types import RewardModel, Round
from experiments.run.alarms import Watch
from experiments.run.config import to_json
from experiments.run.digests import digests
from experiments.run.errors import UserError
from experiments.run.evaluation import SEED, Evaluator
from experiments.run.judging import judge_of, pointwise, ranker_in, trains_on_judge
from experiments.run.machine import machine
from experiments.run.match import Match
from experiments.run.records import Run
from experiments.run.rows import Genealogy, summarise
from experiments.run.settings import Settings

Row = dict[str, Any]

AFTER_PLAY = ("final", "crossplay")
"""Files that a comparison adds to a run when it has been played."""


def train(run: Run, settings: Settings, match: Match | None = None) -> Iterator[Row]:
    """Play and record a run from its last checkpoint; yield a row per round.

    A row is that of rounds.jsonl with two more keys: ``evaluations`` holds the rows of
    evaluations.jsonl by suite, empty where the round was not evaluated; ``alarms`` holds those
    of alarms.jsonl by alarm. A new run starts with the row of round 0. ``match`` must have been
    opened with these settings and not been played; None opens one. Raises UserError for what
    the game, a player or a reward refuses, and if another process writes the record.
    """
    try:
        with run.locked():
            yield from _played(run, settings, match or Match.open(settings))
    except (ValueError, FloatingPointError) as error:
        raise UserError(" ".join(str(error).split())) from error


def _played(run: Run, settings: Settings, match: Match) -> Iterator[Row]:
    evaluator = evaluator_of(settings, match)
    played = restore(run, match)
    run.prune(settings.keep, settings.task.deciding)  # a kill may have come before it
    if played >= 0:
        run.note_machine(machine())
    recorder = Recorder.of(run, settings, match, evaluator, played)
    if played < 0:
        yield {"round": 0, "evaluations": recorder.evaluate(0), "alarms": {}}
    match.start.release()
    if exhausted(settings, recorder.spent):
        return
    for round in match.rounds():
        row, last = recorder.record(round)
        yield row
        if last:
            return
        recorder.began = time.perf_counter()


@dataclass
class Recorder:
    """Write the rounds of a run: rows, evaluations, alarms and checkpoints."""

    run: Run
    settings: Settings
    match: Match
    evaluator: Evaluator
    genealogy: Genealogy
    watch: Watch
    spent: list[int]
    """Reward calls up to each round, starting with 0 before the first."""
    began: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(
        cls, run: Run, settings: Settings, match: Match, evaluator: Evaluator, played: int
    ) -> "Recorder":
        """Return the recorder of a run that has played ``played`` rounds."""
        spent = [
            0,
            *(
                row["budget"]["reward_calls"]
                for row in run.rows("rounds", keys=("budget.reward_calls",))
            ),
        ]
        watch = Watch.over(run, settings.alarms, played)
        genealogy = Genealogy.of(run.rows("prompts", keys=("id", "text")))
        return cls(run, settings, match, evaluator, genealogy, watch, spent)

    def record(self, round: Round) -> tuple[Row, bool]:
        """Record a finished round; return its row, and whether it is the last one."""
        # 1. The round itself: every drawn prompt, and the row of the round.
        run, match, settings = self.run, self.match, self.settings
        played = round.index + 1
        seconds = time.perf_counter() - self.began
        row = summarise(
            round, match.env.unwrapped.task, match.budget, seconds, match.similarity
        )
        row["digests"] = digests(round, match.solver.policy)
        run.append("prompts", self.genealogy.rows(round))
        run.append("rounds", [row])
        # 2. Evaluate. The last round is always evaluated, whatever ends the run.
        self.spent.append(match.budget.reward_calls)
        last = played == settings.rounds or exhausted(settings, self.spent)
        last = last or settings.alarms.stops(self.watch.raised(row))
        evaluations = {}
        if last or played % settings.evaluate_every == 0:
            evaluations = self.evaluate(played)
            run.append("transcripts", self.evaluator.replay(match.solver, round))
        # 3. An evaluation may raise further alarms.
        alarms = self.watch.raised(row)
        run.append("alarms", alarms.values())
        last = last or settings.alarms.stops(alarms)
        self.watch.before = alarms
        match.start.release()
        # 4. The checkpoint comes last: a resumed run drops all rows after its checkpoint.
        if last or played % settings.checkpoint_every == 0:
            run.save(played, match.solver.policy, match.checkpoint())
            run.prune(settings.keep, settings.task.deciding)
        return row | {"evaluations": evaluations, "alarms": alarms}, last

    def evaluate(self, played: int) -> dict[str, Row]:
        """Evaluate the solver on the fixed suites and record it; return rows by suite."""
        evaluations, transcripts = self.evaluator.evaluate(self.match.solver, played)
        spent = {"budget": asdict(self.match.budget)}
        rows = {row["suite"]: row | spent for row in evaluations}
        self.run.append("evaluations", rows.values())
        self.watch.evaluations += rows.values()
        self.run.append("transcripts", transcripts)
        self.run.write("answers", self.evaluator.answers())
        return rows


def evaluator_of(settings: Settings, match: Match) -> Evaluator:
    """Return the evaluator of a match that has played no round yet."""
    n, proxy = settings.evaluation_samples, None
    if not trains_on_judge(settings):
        game_reward = match.env.unwrapped.game.reward_model
        proxy = match.solver.reward_model
        if ranker_in(game_reward) is not None:
            proxy = pointwise(game_reward, match.start, n, SEED)
    passes = match.judge is None or match.judge.passes
    judge, key = judging(settings, match), _key_of_start(settings)
    return Evaluator(settings.task, match.start, n, proxy, judge, passes, key, settings.limits)


def _key_of_start(settings: Settings) -> str | None:
    """Return what the starting policy's responses depend on; None for a user's own class."""
    if not isinstance(settings.policy, Pretrained | str | None):
        return None
    names = ("task", "policy", "sampling", "device", "evaluation_samples")
    return json.dumps([to_json(getattr(settings, name), name) for name in names])


def judging(settings: Settings, match: Match) -> RewardModel:
    """Return the reward that judges a match's players."""
    judge = match.judge or judge_of(settings, None)
    return pointwise(judge.model, match.start, settings.evaluation_samples, SEED)


def exhausted(settings: Settings, spent: Sequence[int]) -> bool:
    """Return whether a round as expensive as the last would exceed ``max_reward_calls``.

    ``spent`` holds the reward calls up to each round, starting with 0 before the first.
    """
    if settings.max_reward_calls is None or len(spent) < 2:
        return False
    return 2 * spent[-1] - spent[-2] > settings.max_reward_calls


def restore(run: Run, match: Match) -> int:
    """Load the run's last checkpoint into a match; return its round, -1 without one.

    Rows that were written after the checkpoint are dropped; the run writes them again.
    """
    run.require_whole(remade=AFTER_PLAY)
    played = max(run.checkpoints, default=-1)
    recorded = len(run.rows("rounds"))
    if played > recorded:
        raise UserError(
            f"{run.folder} has a checkpoint of round {played} but {recorded} rows in "
            f"rounds.jsonl: restore the file from a copy, or start a new run"
        )
    if played >= 0:
        load(run, played, match)
    run.truncate(played)
    return played


def load(run: Run, round: int, match: Match) -> None:
    """Load the checkpoint of a round into a match; UserError if it cannot be read."""
    state, folder = run.load(round), run.checkpoint(round)
    try:
        match.restore(folder, state)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"cannot read the checkpoint {folder} ({reason}): delete it to continue from the "
            f"checkpoint before it"
        ) from error
