"""Write files so that a kill or a power loss leaves the old content or the new one."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from experiments.run.errors import UserError


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn disk errors, such as a full disk, into a UserError that names the path."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot use {path}: {one_line(error)}") from error


def replace_file(path: Path, text: str) -> None:
    """Write a file completely or not at all, and wait until the disk has it."""
    draft = path.with_name(f".{path.name}")
    draft.write_text(text)
    sync(draft)
    os.replace(draft, path)
    sync(path.parent)


def replace_folder(draft: Path, folder: Path) -> None:
    """Give a finished draft of a folder its name, once the disk has every file in it."""
    for inside in (draft, *draft.rglob("*")):
        sync(inside)
    os.replace(draft, folder)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Wait until the disk has a file's content, or a folder's list of names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a device, or a file system that syncs no folders
            raise
    finally:
        os.close(descriptor)


def one_line(error: BaseException) -> str:
    """Return an error's message in one line of at most 200 characters, or its type."""
    return " ".join(str(error).split())[:200] or type(error).__name__
