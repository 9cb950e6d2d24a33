"""Jobs on worker processes: one at a time each, and what breaks one breaks no other."""

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

import torch


class Event(NamedTuple):
    """What a job reports: a row, at last None, or why it failed."""

    job: Any
    row: Any = None
    failure: str | None = None


def run_jobs(
    do: Callable[[Any], Iterable[Any]], jobs: Sequence[Any], workers: int
) -> Iterator[Event]:
    """Yield the events of ``do(job)`` for all jobs as they come, started in order.

    Workers are spawned with one torch thread each, so that a job's result does not depend on
    how many there are. A job fails by an exception or by the death of its process.
    """
    waiting, busy = list(reversed(jobs)), {}
    idle: list[tuple[Any, Connection]] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                process, connection = idle.pop() if idle else _start(do)
                job = waiting.pop()
                connection.send(job)
                busy[connection] = process, job
            for connection in wait(list(busy)):
                process, job = busy[connection]
                try:
                    event = Event(job, *connection.recv())  # type: ignore[union-attr]
                except (EOFError, ConnectionError):
                    process.join()
                    event = Event(job, None, f"process died, exit status {process.exitcode}")
                    del busy[connection]
                else:
                    if event.row is None:
                        idle.append((process, connection))  # type: ignore[arg-type]
                        del busy[connection]
                yield event
    finally:
        for process, _ in [*idle, *busy.values()]:
            process.terminate()


def _start(do: Callable[[Any], Iterable[Any]]) -> tuple[Any, Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, do), daemon=True)
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
