"""One writer at a time: an exclusive lock on the folder of a record.

The operating system holds the lock (``flock``), so that it ends with its process, however that
ends: a lock that is stale does not exist.
"""

import errno
import fcntl
import json
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from experiments.run.disk import on_disk, refuse_links
from experiments.run.errors import UserError

LOCK = ".lock"
"""The locked file: who holds the lock, or held it last."""

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""Errors of a file system that has no locks."""

_held: dict[tuple[Path, int, int], int] = {}
"""How often a thread has locked a folder, by folder, process and thread."""


@contextmanager
def locked(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it does not exist.

    The thread that holds it may lock it again. Raises UserError, which names the process that
    holds the lock, if it is not free within ``wait`` seconds.
    """
    key = folder.resolve(), os.getpid(), threading.get_ident()
    if key in _held:
        _held[key] += 1
        try:
            yield
        finally:
            _held[key] -= 1
        return
    with on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        refuse_links(folder)
        file = (folder / LOCK).open("a+")
    with file:
        _acquire(file, folder, wait)
        _held[key] = 1
        try:
            yield
        finally:
            del _held[key]


def _acquire(file: TextIOWrapper, folder: Path, wait: float) -> None:
    """Lock the file and write who holds it."""
    until = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _require_same_file(file, folder)
            break
        except BlockingIOError as error:
            if time.monotonic() >= until:
                raise UserError(f"{folder} is in use{_holder(file)}") from error
            time.sleep(0.05)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise UserError(f"cannot lock {folder}: {error}") from error
            warnings.warn(
                f"{folder} is on a file system without locks: let no second process write it",
                stacklevel=2,
            )
            break
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    holder = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": command,
    }
    # Without a buffer, which closing the file would try to write once more on a full disk.
    with on_disk(folder):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), f"{json.dumps(holder)}\n".encode())


def _require_same_file(file: TextIOWrapper, folder: Path) -> None:
    """Raise UserError if the folder was removed while this process waited for its lock."""
    with on_disk(folder):
        if not os.path.samestat(os.fstat(file.fileno()), (folder / LOCK).stat()):
            raise UserError(f"{folder} was removed by another process; try again")


def _holder(file: TextIOWrapper) -> str:
    """Who holds the lock, and the remedy."""
    file.seek(0)
    try:
        holder = json.loads(file.read())
        return (
            f" by process {holder['process']} on {holder['host']} since {holder['since']} "
            f"({holder['command']}): wait until it ends, or stop it"
        )
    except (ValueError, KeyError, TypeError):  # it has just been locked
        return " by another process: wait until it ends, or stop it"
