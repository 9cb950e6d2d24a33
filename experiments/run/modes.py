"""Permissions of the files of a record."""

from pathlib import Path


def share_as_umask_allows(folder: Path) -> None:
    """Give the files of a new folder the permissions that the user's umask gives.

    safetensors, and so Hugging Face's ``save_pretrained``, writes files that only their owner
    may read (mode 0600). The folder's own permissions show the umask: reading the umask itself
    would change it for other threads.
    """
    allowed = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(allowed)
