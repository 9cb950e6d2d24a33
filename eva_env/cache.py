"""The folder where downloaded files are kept."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the cache: $EVA_CACHE, $XDG_CACHE_HOME/eva-env or ~/.cache/eva-env."""
    if os.environ.get("EVA_CACHE"):
        return Path(os.environ["EVA_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eva-env"
