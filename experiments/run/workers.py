"""Run jobs on worker processes, one job at a time in each; a failure stops no other job."""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, NamedTuple, Self

import torch


class Event(NamedTuple):
    """A job's report: a row, None at its end, or the reason of its failure."""

    job: Any
    row: Any = None
    failure: str | None = None


class Workers:
    """Processes that run jobs, started when needed and kept until the context ends.

    Workers are spawned with one torch thread each, so that a job's result does not depend on
    how many there are.
    """

    def __init__(self, do: Callable[[Any], Iterable[Any]], count: int) -> None:
        self.do, self.count = do, count
        self.idle: list[tuple[Any, Connection]] = []
        self.busy: dict[Connection, tuple[Any, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process, _ in [*self.idle, *self.busy.values()]:
            process.terminate()

    def run(self, jobs: Sequence[Any]) -> Iterator[Event]:
        """Yield the events of ``do(job)`` for all jobs as they arrive; jobs start in order.

        A job fails if it raises an exception or if its process dies.
        """
        waiting, busy = list(reversed(jobs)), self.busy
        while waiting or busy:
            # 1. Give every free worker a job, and start workers up to the count.
            while waiting and len(busy) < self.count:
                process, connection = self.idle.pop() if self.idle else self._start()
                job = waiting.pop()
                connection.send(job)
                busy[connection] = process, job
            # 2. Pass on what the busy ones report; free those that finish, drop the dead.
            for connection in wait(list(busy)):
                process, job = busy[connection]  # type: ignore[index]
                try:
                    event = Event(job, *connection.recv())  # type: ignore[union-attr]
                except (EOFError, ConnectionError):
                    process.join()
                    event = Event(job, None, f"process died, exit status {process.exitcode}")
                    del busy[connection]  # type: ignore[arg-type]
                else:
                    if event.row is None:
                        self.idle.append((process, connection))  # type: ignore[arg-type]
                        del busy[connection]  # type: ignore[arg-type]
                yield event

    def _start(self) -> tuple[Any, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.do), daemon=True)
        with _without_current_folder():
            process.start()
        theirs.close()
        return process, ours


@contextmanager
def _without_current_folder() -> Iterator[None]:
    """Let a Python that starts in the block import nothing from the current folder.

    A worker starts as ``python -c``, which looks there first, even for the standard library. In
    a stranger's folder, a file such as multiprocessing.py would run. The worker then gets the
    import path of this process.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, in the middle of a job too.

    A job that went on would write into a record that a new process may have taken over.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _serve(connection: Connection, do: Callable[[Any], Iterable[Any]]) -> None:
    """Run jobs until the parent has ended; the parent alone handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            for row in do(job):
                connection.send((row, None))
        except ConnectionError:
            return
        except Exception:
            connection.send((None, traceback.format_exc()))
        else:
            connection.send((None, None))
