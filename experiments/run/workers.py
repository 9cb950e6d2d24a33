"""Jobs on worker processes: one at a time each, and what breaks one breaks no other."""

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, NamedTuple, Self

import torch


class Event(NamedTuple):
    """What a job reports: a row, at last None, or why it failed."""

    job: Any
    row: Any = None
    failure: str | None = None


class Workers:
    """Processes that do jobs, started as they are needed and kept until the context ends.

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
        """Yield the events of ``do(job)`` for all jobs as they come, started in order.

        A job fails by an exception or by the death of its process.
        """
        waiting, busy = list(reversed(jobs)), self.busy
        while waiting or busy:
            while waiting and len(busy) < self.count:
                process, connection = self.idle.pop() if self.idle else self._start()
                job = waiting.pop()
                connection.send(job)
                busy[connection] = process, job
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
        process.start()
        theirs.close()
        return process, ours


def _serve(connection: Connection, do: Callable[[Any], Iterable[Any]]) -> None:
    """Do jobs until the parent is gone; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
