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


def refuse_links(folder: Path) -> None:
    """Raise UserError for a symbolic link in the folder of a record.

    Reading or writing the record would follow it out of the folder. The content of a checkpoint
    is left out, since it is written once, under a new name; so is that of Weights & Biases.
    """
    for inside, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(inside, name)
            if path.is_symlink():
                raise UserError(
                    f"{path} is a link, and a record holds none: what it leads to may be "
                    f"anywhere; put that in its place if you trust it"
                )
        is_of_checkpoints = Path(inside).name == "checkpoints"
        folders[:] = [] if is_of_checkpoints else [n for n in folders if n != "wandb"]


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
