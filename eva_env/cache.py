"""The folder of this user's machine in which ``eva fetch`` keeps models and benchmarks."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return $EVA_CACHE, else $XDG_CACHE_HOME/eva-env, else ~/.cache/eva-env, as absolute path.

    The folder need not exist. An empty variable counts as unset.
    """
    chosen = os.environ.get("EVA_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    parent = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(parent, "eva-env").absolute()
