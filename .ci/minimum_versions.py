"""Print the lowest version of each dependency that pyproject.toml allows, as pip's constraints.

The arguments name extras whose dependencies are printed too.

torch is left out: the index's builds of its lowest version bring CUDA, about 3 GB. It stays at
the version that pip resolves.
"""

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"

FREE = ("torch",)


def constraints(requirements: list[str]) -> list[str]:
    """Return ``name==version`` for each requirement with a lower bound."""
    bounds = [re.match(r"([\w-]+)>=([\w.]+)", text) for text in requirements]
    return [f"{bound[1]}=={bound[2]}" for bound in bounds if bound and bound[1] not in FREE]


def main(extras: list[str]) -> None:
    """Print the constraints, one a line."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    requirements = [*project["dependencies"]]
    for extra in extras:
        requirements += project["optional-dependencies"][extra]
    print("\n".join(constraints(requirements)))


if __name__ == "__main__":
    main(sys.argv[1:])
