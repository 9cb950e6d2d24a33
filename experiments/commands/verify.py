"""``eva verify``: play a run again from its record, and compare round by round."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from eva_env.plain_text import say
from eva_env.require import require
from experiments.commands.options import parse
from experiments.run.config import describe
from experiments.run.digests import PARTS
from experiments.run.errors import UserError
from experiments.run.judging import judged_by, score_name
from experiments.run.machine import differences, machine
from experiments.run.named_code import NamedCode, ReadsRecords
from experiments.run.progress import ProgressTable
from experiments.run.records import Run
from experiments.run.settings import Settings
from experiments.run.train import Row, train
from experiments.run.wording import counted

MOST_THREADS = 1024
"""Most threads that a record may set."""


@dataclass(frozen=True)
class Command(ReadsRecords):
    """Play a run, or its first rounds, again from its record, and compare round by round.

    A round is equal if its prompts, responses and rewards, and the parameters after it, are
    equal to the last bit. The record is not changed.
    """

    run: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = None
    """Folder of a run, or of a cell of a comparison."""
    rounds: int | None = None
    """Verify the first rounds only. None: all that are recorded."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "rounds")


def main(args: list[str]) -> int:
    """Run the command; return 1 if the run is not what its record says."""
    command = parse(Command(), args, "verify")
    if command.run is None:
        raise UserError("give the folder of a run: eva verify RUN")
    run = Run.open(command.run).require_kind("run")
    settings = run.settings(Settings, NamedCode.of(["verify", *args]))
    recorded = recorded_rounds(run, command.rounds)
    threads = run.config.get("hardware", {}).get("threads")
    if isinstance(threads, int) and threads >= 1:
        torch.set_num_threads(min(threads, MOST_THREADS))
    equal, difference = replay(run, settings, recorded)
    if difference is None:
        say(
            f"{command.run}: {counted(equal, 'round')} of {len(run.rows('rounds'))} played "
            f"again, each equal to its record in {', '.join(PARTS)}, evaluations and rows"
        )
        return 0
    for line in explained(run, equal, difference):
        say(line)
    return 1


def recorded_rounds(run: Run, most: int | None) -> list[Row]:
    """Return the rounds to verify; UserError for a record that cannot be verified."""
    run.require_whole()
    rows = run.rows("rounds")[:most]
    if "seat" in run.config:
        raise UserError(f"{run.folder} was played by a person, so it cannot be played again")
    if not rows:
        raise UserError(f"{run.folder} has played no round yet")
    if not all(isinstance(row.get("digests"), Mapping) for row in rows):
        raise UserError(
            f"{run.folder} has no digests of its rounds: it is by an older version of eva, and "
            f"cannot be verified"
        )
    return rows


def replay(run: Run, settings: Settings, recorded: list[Row]) -> tuple[int, str | None]:
    """Play the recorded rounds again in a temporary folder.

    Returns the number of equal rounds before the first difference, and what differs; None if
    nothing does.
    """
    evaluations = evaluations_of(run)
    cheap = replace(settings, checkpoint_every=max(settings.rounds, 1), keep="last")
    reward = score_name(judged_by(settings))
    with (
        tempfile.TemporaryDirectory(prefix="eva-verify-") as folder,
        ProgressTable(
            [settings.name], len(recorded), suite=settings.task.deciding, reward=reward
        ) as progress,
    ):
        again = Run.create(Path(folder, "run"), describe(cheap, ["verify"]))
        for row in train(again, cheap):
            played = row["round"]
            if played:
                progress.update(settings.name, settings.seed, row)
                difference = differing(recorded[played - 1]["digests"], row["digests"])
                if difference:
                    return played - 1, difference
            before, now = evaluations.get(played, {}), {}
            if row["evaluations"]:  # from the file, as the record's are
                now = evaluations_of(again)[played]
            if any(before[suite] != now[suite] for suite in before.keys() & now.keys()):
                return played, "evaluations"
            if played == len(recorded):
                return _first_changed_row(run, again, played)
        return len(again.rows("rounds")), "number of rounds"


def _first_changed_row(run: Run, again: Run, played: int) -> tuple[int, str | None]:
    """Compare what a record says of its rounds, once the digests of these are equal.

    Returns the number of equal rounds and the file that differs first, or all and None.
    """
    for name in ("rounds", "prompts", "alarms"):
        recorded, now = (_rows_by_round(each, name, played) for each in (run, again))
        for round in range(played + 1):
            if recorded.get(round) != now.get(round):
                return max(round - 1, 0), f"rows of {name}.jsonl"
    return played, None


def _rows_by_round(run: Run, name: str, most: int) -> dict[int, list[Row]]:
    """Return the rows up to a round by round, without the time that a round took."""
    rows: dict[int, list[Row]] = {}
    for row in run.rows(name):
        if row["round"] <= most:
            kept = {key: value for key, value in row.items() if key != "seconds"}
            rows.setdefault(row["round"], []).append(kept)
    return rows


def evaluations_of(run: Run) -> dict[int, dict[str, Row]]:
    """Return the evaluations of a record by round and suite."""
    rows: dict[int, dict[str, Row]] = {}
    for row in run.rows("evaluations"):
        rows.setdefault(row["round"], {})[row["suite"]] = row
    return rows


def differing(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return the first of PARTS whose digests differ; later ones follow from it."""
    return next((part for part in PARTS if recorded.get(part) != now[part]), None)


def explained(run: Run, equal: int, difference: str) -> list[str]:
    """Return what differs, and why it may."""
    if difference == "evaluations":
        where = f"the evaluation after round {equal} is the first that differs"
    elif difference == "number of rounds":
        where = f"the run ended after {counted(equal, 'round')}, earlier than the record"
    else:
        where = f"round {equal + 1} is the first that differs, in its {difference}"
    lines = [f"{run.folder}: {where}; {counted(equal, 'round')} before it are equal"]
    facts = [run.config, *run.config.get("resumed", [])]
    present = machine()
    changed = dict.fromkeys(line for fact in facts for line in differences(fact, present))
    if changed:
        lines.append(f"this may be why: {'; '.join(changed)}")
        lines.append(
            "equal numbers are promised on the same versions, processor and threads only"
        )
    else:
        lines.append(
            "versions, hardware, threads and commit are the recorded ones: either the record "
            "was changed, or a part or a reward is not a function of its generator"
        )
    return lines
