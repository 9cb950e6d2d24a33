"""The start of the ``eva`` command, also as ``python -m eva_env`` and ``-m experiments``.

``agents`` and ``experiments`` are names that other projects have too. The command therefore
starts in this package, whose name is rare, and checks both before it imports them.
"""

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path

from eva_env.plain_text import say

HERE = Path(__file__).resolve().parent.parent
"""The folder that holds the three packages."""

PROJECT = "eva-env"
"""What the ``__init__.py`` of each package says, so that one written over it is noticed."""


def main() -> int:
    """Run the command and return its exit status; one line and 1 if a package is not ours."""
    for name in ("agents", "experiments"):
        problem = problem_with(name)
        if problem:
            say(f"eva: {problem}", sys.stderr)
            return 1
    # By name, because no module of eva_env depends on experiments.
    return importlib.import_module("experiments.cli").main()


def problem_with(name: str) -> str:
    """Return what Python imports in the place of our package, and the remedy; empty if ours."""
    spec = find_spec(name)
    if spec is None:
        return f"the package {name} is missing; install {PROJECT} again"
    # A folder without __init__.py has no origin.
    location = Path(
        spec.origin or next(iter(spec.submodule_search_locations or ()), "")
    ).resolve()
    if location != HERE / name / "__init__.py":
        return (
            f"Python imports {location} as {name}, which is a package of {PROJECT}; rename "
            f"it, or run eva from another folder and without its folder in PYTHONPATH"
        )
    if PROJECT not in location.read_text(errors="replace"):
        return (
            f"{location} belongs to another project that also installs {name}, such as "
            f"openai-agents; install {PROJECT} into an environment of its own"
        )
    return ""


if __name__ == "__main__":
    sys.exit(main())
