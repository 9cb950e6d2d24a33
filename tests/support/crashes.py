"""Kill a process before one of its disk operations, or in the middle of a write.

A forked child runs the action, so that torch is imported once. An audit hook sees each
operation inside a folder before it happens, and kills the child with SIGKILL, which nothing can
handle. What the kernel has been given survives a kill, so ``fsync`` is no operation here.
"""

import csv
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import torch

from experiments.run.workers import Event

LIMIT = 180.0
"""Seconds after which a child is killed and the trial fails."""

TORN = 20
"""Bytes of a torn write that reach the file."""

EVENTS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree")
"""Audit events that are counted; their first argument is a path."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Operation(NamedTuple):
    """A disk operation: what it does, and where, relative to the folder."""

    action: str
    path: str

    @property
    def phase(self) -> str:
        """The step of a run that the operation is part of, such as ``manifest rename``."""
        *folders, name = Path(self.path).parts or (".",)
        step = self.action
        if name.startswith(".") and name != ".":
            name, step = name[1:], "draft" if step == "open" else step
        name = name.removesuffix(".jsonl").removesuffix(".json")
        if any(folder.startswith(".round-") for folder in folders):
            return f"checkpoint's {name} {step}"
        if name.startswith("round-"):
            is_draft = Path(self.path).name.startswith(".")
            return "prune rename" if step == "rename" and not is_draft else f"checkpoint {step}"
        return f"{name} {step}"


Stop = Callable[[Sequence[Operation], Operation], bool]
"""Whether to kill before an operation, from those so far and the next one."""


def never(before: Sequence[Operation], operation: Operation) -> bool:
    """Let the action end by itself."""
    return False


def at(index: int) -> Stop:
    """Kill before the operation of an index."""
    return lambda before, operation: len(before) == index


def before(phase: str, times: int = 1) -> Stop:
    """Kill before a phase, when it is to happen for the ``times``-th time."""

    def stop(before: Sequence[Operation], operation: Operation) -> bool:
        earlier = sum(past.phase == phase for past in before)
        return operation.phase == phase and earlier == times - 1

    return stop


class Outcome(NamedTuple):
    """How a child ended."""

    status: int
    """The exit status; minus the signal for a child that was killed."""
    printed: str
    """Its standard output and error."""
    operations: list[Operation]
    """All its operations; empty for a child that was killed."""

    @property
    def killed(self) -> bool:
        """Whether a signal has ended it."""
        return self.status < 0


def run(
    action: Callable[[], int],
    folder: Path,
    stop: Stop = never,
    torn: bool = False,
    threads: int = 1,
) -> Outcome:
    """Run an action in a child, and kill the child where ``stop`` says.

    ``torn`` lets the operation begin: of what it then writes, TORN bytes reach the disk. The
    action returns the exit status. With more than one thread, this process must not have
    computed on more than one before.
    """
    prints, printed = os.pipe()
    traces, traced = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(prints)
        os.close(traces)
        _run(action, folder.resolve(), stop, torn, threads, (printed, traced))
    os.close(printed)
    os.close(traced)
    try:
        text, trace = _read(prints, traces)
    except TimeoutError:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(child, 0)
    operations = [Operation(*operation) for operation in json.loads(trace or b"[]")]
    return Outcome(os.waitstatus_to_exitcode(status), text.decode(), operations)


def command(*words: str, one_process: bool = False) -> Callable[[], int]:
    """Return the action of an ``eva`` command; ``one_process`` starts no workers."""

    def action() -> int:
        from experiments import cli
        from experiments.comparison import stages

        if one_process:
            stages.Workers = InOneProcess  # type: ignore[assignment, misc]
        return cli.main([*words])

    return action


class InOneProcess:
    """Workers that do their jobs in the process of the command."""

    def __init__(self, do: Callable, count: int) -> None:
        self.do = do

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, jobs: Sequence) -> Iterator:
        """Yield the events of all jobs; a job that fails stops no other."""
        for job in jobs:
            try:
                yield from (Event(job, row) for row in self.do(job))
            except Exception:
                yield Event(job, None, traceback.format_exc())
            else:
                yield Event(job)


def _run(
    action: Callable[[], int],
    folder: Path,
    stop: Stop,
    torn: bool,
    threads: int,
    pipes: tuple[int, int],
) -> None:
    """Do the action in the child, and never return."""
    status, (printed, traced) = 70, pipes
    try:
        torch.set_num_threads(threads)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        os.close(printed)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        operations = watch(folder, stop, torn)
        status = action()
        with os.fdopen(traced, "w") as file:
            json.dump(operations, file)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def watch(
    folder: Path,
    stop: Stop,
    torn: bool = False,
    kill: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGKILL),
) -> list[Operation]:
    """Watch this process's operations in a folder, and ``kill`` where ``stop`` says.

    Return the list that the operations are appended to. The lock is left out: its content is
    for people alone.
    """
    operations: list[Operation] = []

    def hook(event: str, arguments: tuple) -> None:
        if event != "open" and event not in EVENTS:
            return
        if not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES):
            return
        path = _absolute(event, arguments)
        if path.name == ".lock" or not path.is_relative_to(folder):
            return
        operation = Operation(event.split(".")[-1], str(path.relative_to(folder)))
        if stop(operations, operation):
            if torn and operation.action == "open":
                _tear(path, arguments[2])
            else:
                kill()
        operations.append(operation)

    sys.addaudithook(hook)
    return operations


def _absolute(event: str, arguments: tuple) -> Path:
    """The path of an operation, which may be relative to a folder that is open."""
    path, folder = os.fsdecode(arguments[0]), os.getcwd()
    if event in ("os.remove", "os.rmdir", "os.mkdir") and arguments[-1] != -1:
        folder = os.readlink(f"/proc/self/fd/{arguments[-1]}")
    return Path(os.path.normpath(os.path.join(folder, path)))


def _tear(path: Path, flags: int) -> None:
    """End the process by its next write of more than TORN bytes, once these are written.

    The kernel writes up to the limit on a file's size. Past it, it sends SIGXFSZ, which ends a
    process as SIGKILL does, unless it is ignored, as Python does.
    """
    size = 0 if flags & os.O_TRUNC or not path.exists() else path.stat().st_size
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + TORN, resource.RLIM_INFINITY))


def _read(*pipes: int) -> list[bytes]:
    """Return what comes through pipes until every process has closed them."""
    texts, until = {pipe: b"" for pipe in pipes}, time.monotonic() + LIMIT
    waiting = list(pipes)
    try:
        while waiting:
            ready, _, _ = select.select(waiting, [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError(f"no end after {LIMIT:g} s; printed: {texts[pipes[0]]!r}")
            for pipe in ready:
                text = os.read(pipe, 1 << 16)
                texts[pipe] += text
                if not text:
                    waiting.remove(pipe)
    finally:
        for pipe in pipes:
            os.close(pipe)
    return [texts[pipe] for pipe in pipes]


def differences(ours: Path, theirs: Path) -> list[str]:
    """Return the files that differ between two records; see ``contents``."""
    a, b = contents(ours), contents(theirs)
    return sorted(name for name in a.keys() | b.keys() if a.get(name, ...) != b.get(name, ...))


def contents(folder: Path) -> dict[str, object]:
    """Return the content of each file of a record without what time and place decide.

    Left out are the lock, argv, the commit, what a run was resumed with, and the seconds of
    rounds with the size of rounds.jsonl.
    """
    paths = (path for path in sorted(folder.rglob("*")) if path.name != ".lock")
    return {str(path.relative_to(folder)): _content(path) for path in paths}


def _content(path: Path) -> object:
    if path.is_dir():
        return None
    if path.name == "rounds.jsonl":
        return [without(json.loads(line), "seconds") for line in path.read_text().splitlines()]
    if path.name == "config.json":
        return without(json.loads(path.read_text()), "argv", "commit", "resumed")
    if path.name == "manifest.json":
        files = json.loads(path.read_text())
        return {
            name: without(entry, "bytes") if name == "rounds" else entry
            for name, entry in files.items()
        }
    if path.name == "strategies.csv":
        rows = csv.DictReader(path.read_text().splitlines())
        return [without(row, "seconds") for row in rows]
    if path.name == "summary.json":
        return _without_seconds(json.loads(path.read_text()))
    return path.read_bytes()


def without(data: dict, *keys: str) -> dict:
    """Return a dictionary without some keys."""
    return {key: value for key, value in data.items() if key not in keys}


def _without_seconds(data: object) -> object:
    if isinstance(data, dict):
        return {key: _without_seconds(data[key]) for key in data if key != "seconds"}
    return [_without_seconds(item) for item in data] if isinstance(data, list) else data
