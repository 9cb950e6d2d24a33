"""The folder of what was fetched once for all runs: models and benchmarks of packages."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return $EVA_CACHE, or eva-env in the user's cache; it need not exist yet."""
    if os.environ.get("EVA_CACHE"):
        return Path(os.environ["EVA_CACHE"]).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "eva-env")
