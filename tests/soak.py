"""Kill, fill and attack for an hour: ``python -m tests.soak``, or two minutes with ``--quick``.

It prints one table. The exit status is 1 if a killed run ends with another record, if a row is
lost, if a stranger's folder executes code, if memory grows, or if a round's rows do.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from experiments.run.records import Run
from tests.support import crashes, foreign

WORLD = (
    *("task:tabular-world", "--task.topics", "2", "--task.levels", "4"),
    *("--task.variants", "2", "--task.responses", "6", "--evaluation-samples", "4"),
    *("--prompts", "6", "--samples", "3"),
)
PLAYERS = (
    ("creator:eva", "solver:dpo"),
    ("creator:fresh", "solver:rloo"),
    ("creator:sfl", "solver:ppo"),
    ("creator:eva-online", "solver:grpo"),
)
KILLS = str(Path(crashes.__file__).with_name("kills.py")) + ":Kills"
PROCESSES = ("parent", "worker", "parent of worker")
MEMORY = 16.0
"""MiB by which memory may differ between a tenth of the rounds and all of them."""
GROWTH = 1.1
"""Largest ratio of the bytes of a later round to those of an earlier one."""


class Size(NamedTuple):
    """How much is done."""

    train: int
    """Kills of eva train."""
    compare: int
    """Kills of eva compare."""
    tabular: int
    """Rounds of the tabular world."""
    wordlist: int
    """Rounds of the wordlist world."""

    @classmethod
    def of(cls, minutes: float) -> "Size":
        """Return what two idle cores do in a time."""
        share = minutes / 60
        parts = (round(part * share) for part in (160, 40, 1000, 100))
        return cls(*(max(1, part) for part in parts))


QUICK = Size(25, 2, 100, 5)


class Result(NamedTuple):
    """A row of the table; None where a column does not apply."""

    name: str
    trials: int = 0
    differences: int | None = None
    lost: int | None = None
    executions: int | None = None
    memory: float | None = None
    """MiB gained."""
    bytes: tuple[float, float] | None = None
    """Bytes of rows per round, in the first and in the second half."""

    @property
    def failed(self) -> bool:
        """Whether a number is not as promised."""
        grows = self.bytes is not None and self.bytes[1] > GROWTH * self.bytes[0]
        wrong = any((self.differences, self.lost, self.executions))
        return wrong or grows or (self.memory or 0.0) > MEMORY or not self.trials


class Trials:
    """Killed runs in a folder, and what became of them."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.wholes: dict[tuple, tuple[Path, int]] = {}
        self.killed = self.differences = self.lost = 0

    def whole(self, key: tuple, play: Callable[[Path], crashes.Outcome]) -> tuple[Path, int]:
        """Return the record that nothing has disturbed, and its number of operations."""
        if key not in self.wholes:
            folder = self.folder / f"whole-{len(self.wholes)}"
            outcome = play(folder)
            if outcome.status != 0:
                raise SystemExit(f"an undisturbed run failed: {outcome.printed}")
            self.wholes[key] = folder, len(outcome.operations)
        return self.wholes[key]

    def check(self, words: str, folder: Path, whole: Path, outcome: crashes.Outcome) -> None:
        """Compare the record of a run that was killed and continued with the whole one."""
        differing = crashes.differences(folder, whole)
        if outcome.status != 0 or differing:
            self.differences += 1
            say(f"{words}: status {outcome.status}, {differing} differ in {folder}")
            say(outcome.printed)
        else:
            shutil.rmtree(folder)

    def count_lost(self, words: str, folder: Path) -> None:
        """Count the rows that a killed record promises and lacks."""
        cells = sorted(folder.glob("cells/*/seed-*"))
        lost = [sentence for run in (folder, *cells) for sentence in Run(run).missing()]
        self.lost += len(lost)
        for sentence in lost:
            say(f"{words}: {sentence}")

    @property
    def result(self) -> tuple[int, int, int]:
        """The trials, those with a difference, and the files that lost rows."""
        return self.killed, self.differences, self.lost


def say(text: str) -> None:
    """Print a line at once."""
    print(text, file=sys.stderr, flush=True)


def killed_runs(folder: Path, count: int, rng: random.Random) -> Result:
    """Kill eva train before random disk operations or in the middle of a write, once or twice."""
    trials = Trials(folder, rng)
    while trials.killed < count:
        players, threads = rng.choice(PLAYERS), rng.choice((1, 2))
        options = ("--rounds", "3", "--checkpoint-every", str(rng.choice((1, 2))))
        options += ("--keep", rng.choice(("all", "last", "best")))
        begin = ("train", *WORLD, *players, *options)

        def play(
            run: Path, stop: crashes.Stop = crashes.never, torn: bool = False
        ) -> crashes.Outcome:
            started = (run / "config.json").exists()
            words = ("train", "--resume", str(run)) if started else (*begin, "--out", str(run))  # noqa: B023
            return crashes.run(crashes.command(*words), run, stop, torn, threads)  # noqa: B023

        whole, operations = trials.whole((begin, threads), play)
        run = folder / f"run-{trials.killed}"
        places = [(rng.randrange(operations), rng.random() < 0.3)]
        places += [(rng.randrange(operations), False)] if rng.random() < 0.5 else []
        words = f"{' '.join(begin)}, {threads} threads, killed at {places}"
        kills = 0
        for place, torn in places:
            kills += play(run, crashes.at(place), torn).killed
            trials.count_lost(words, run)
        trials.killed += kills > 0
        trials.check(words, run, whole, play(run))
    return Result("eva train, killed", *trials.result)


def killed_comparisons(folder: Path, count: int, rng: random.Random) -> Result:
    """Kill the parent or a worker of eva compare before random disk operations."""
    trials, plan = Trials(folder, rng), folder / "plan.json"
    marker = plan.with_suffix(".killed")
    os.environ["EVA_KILL_PLAN"] = str(plan)
    options = (*WORLD, "--rounds", "2", "--creators", KILLS, "eva", "--solvers", "dpo")
    begin = ("compare", *options, "--seeds", "1", "--draws", "20")
    for trial in range(20 * count):
        if trials.killed == count:
            break
        workers, threads = str(rng.choice((1, 2))), rng.choice((1, 2))

        def play(run: Path) -> crashes.Outcome:
            words = (*begin, "--out", str(run))
            if (run / "config.json").exists():
                words = ("compare", "--resume", str(run), "--code", KILLS)
            words += ("--workers", workers)  # noqa: B023
            return crashes.run(crashes.command(*words), run, threads=threads)  # noqa: B023

        whole, _ = trials.whole((threads,), play)
        process = PROCESSES[trials.killed % len(PROCESSES)]
        run = folder / f"run-{trial}"
        place = rng.randrange(25 if process == "parent" else 120)
        plan.write_text(json.dumps({"process": process, "folder": str(run), "at": place}))
        marker.unlink(missing_ok=True)
        outcome = play(run)
        plan.unlink(missing_ok=True)
        words = f"compare, {workers} workers, {threads} threads, {process} killed at {place}"
        if marker.exists():
            trials.killed += 1
            trials.count_lost(words, run)
            outcome = play(run)
        trials.check(words, run, whole, outcome)
    del os.environ["EVA_KILL_PLAN"]
    return Result("eva compare, killed", *trials.result)


def long_run(folder: Path, world: tuple[str, ...], rounds: int) -> Result:
    """Play many rounds; measure memory and the bytes of the rows."""
    early, half = max(1, rounds // 10), rounds // 2
    sizes = folder.with_suffix(".sizes")

    def play() -> int:
        from experiments.commands import train as command
        from experiments.run.train import train

        def measured(*arguments: object) -> Iterator[dict]:
            for row in train(*arguments):  # type: ignore[arg-type]
                if row["round"] in (early, half, rounds):
                    rows = sum(path.stat().st_size for path in folder.glob("*.jsonl"))
                    rows -= (folder / "answers.jsonl").stat().st_size
                    with sizes.open("a") as file:
                        file.write(json.dumps([rows, resident()]) + "\n")
                yield row

        command.train = measured  # type: ignore[assignment]
        words = [*world, "--rounds", str(rounds), "--keep", "last", "--out", str(folder)]
        return command.main(words)

    outcome = crashes.run(play, folder)
    if outcome.status != 0:
        raise SystemExit(f"a long run failed: {outcome.printed}")
    (_, before), (first, _), (last, after) = map(json.loads, sizes.read_text().splitlines())
    per_round = first / half, (last - first) / (rounds - half)
    lost = len(Run(folder).missing())
    return Result(
        f"{rounds} rounds of {world[0]}", 1, None, lost, None, after - before, per_round
    )


def resident() -> float:
    """Return the memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def strangers(folder: Path) -> Result:
    """Give every command the folders of a stranger that try to execute code."""
    tried, executed = 0, 0
    for name, words in foreign.attacks(folder):
        tried += 1
        outcome = crashes.run(crashes.command(*words), folder)
        if foreign.ran(folder):
            executed += 1
            say(f"{name}: eva {' '.join(words)} executed code")
        if "Traceback" in outcome.printed:
            raise SystemExit(f"{name}: eva {' '.join(words)}: {outcome.printed}")
    return Result("foreign folders", tried, executions=executed)


def table(results: list[Result]) -> Table:
    """Return the results as one table."""
    columns = "trials", "differences", "lost rows", "executions", "memory", "bytes per round"
    shown = Table("", *columns)
    for result in results:
        numbers = result.trials, result.differences, result.lost, result.executions
        cells = ["" if number is None else str(number) for number in numbers]
        cells.append("" if result.memory is None else f"{result.memory:+.1f} MiB")
        cells.append(
            "" if result.bytes is None else "{:.0f}, then {:.0f}".format(*result.bytes)
        )
        shown.add_row(result.name, *cells, style="bold red" if result.failed else "")
    return shown


def main() -> int:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="time on two idle cores")
    parser.add_argument("--quick", action="store_true", help="about two minutes")
    parser.add_argument("--seed", type=int, default=0, help="seed of where to kill")
    options = parser.parse_args()
    size, rng = (
        QUICK if options.quick else Size.of(options.minutes),
        random.Random(options.seed),
    )
    folder = Path(tempfile.mkdtemp(prefix="eva-soak-"))
    tabular = (*WORLD, "--evaluate-every", "10", "--checkpoint-every", "10")
    wordlist = (
        "task:wordlist",
        "--prompts",
        "8",
        "--samples",
        "4",
        "--evaluation-samples",
        "2",
    )
    parts = (
        lambda place: killed_runs(place, size.train, rng),
        lambda place: killed_comparisons(place, size.compare, rng),
        lambda place: long_run(place / "run", tabular, size.tabular),
        lambda place: long_run(place / "run", wordlist, size.wordlist),
        strangers,
    )
    results = []
    for i, part in enumerate(parts):
        (folder / str(i)).mkdir()
        began = time.monotonic()
        results.append(part(folder / str(i)))
        say(f"{results[-1].name}: {time.monotonic() - began:.0f} s")
    Console(width=120).print(table(results))
    if any(result.failed for result in results):
        say(f"the records are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
