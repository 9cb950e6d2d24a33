"""A creator of a user's own whose processes kill themselves, or their parent, as a plan says.

The file that EVA_KILL_PLAN names is the plan, ``{"process", "folder", "at" or "phase"}``. It is
deleted before the kill, so that there is one. ``process`` is

- worker: a worker kills itself
- parent: the process of the command kills itself
- parent of worker: a worker kills its parent, and waits to be ended in the middle of its cell
"""

import json
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from agents.creators import Fresh
from tests.support import crashes


@dataclass
class Kills(Fresh):
    """Fresh prompts."""


def follow(path: Path) -> None:
    """Watch this process if the plan is about it."""
    plan = json.loads(path.read_text())
    is_worker = multiprocessing.parent_process() is not None
    if is_worker == (plan["process"] == "parent"):
        return

    def kill() -> None:
        path.unlink()
        path.with_suffix(".killed").write_text(str(time.time()))
        if plan["process"] == "parent of worker":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(crashes.LIMIT)
        os.kill(os.getpid(), signal.SIGKILL)

    stop = crashes.at(plan["at"]) if "at" in plan else crashes.before(plan["phase"])
    crashes.watch(Path(plan["folder"]), stop, kill=kill)


if os.environ.get("EVA_KILL_PLAN") and Path(os.environ["EVA_KILL_PLAN"]).exists():
    follow(Path(os.environ["EVA_KILL_PLAN"]))
