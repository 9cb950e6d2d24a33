"""Check that a wheel holds every file of the three packages, and nothing else."""

import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
PACKAGES = ("eva_env", "agents", "experiments")

LEFT_OUT = ("experiments/examples/",)
"""What stays in the repository: files to be copied, named by their path there."""


def main(wheel: str) -> int:
    """Print what is missing or left over; return 1 if anything is."""
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    files = {name for name in files if not name.startswith(LEFT_OUT)}
    for name in sorted(files - packed):
        print(f"{wheel} lacks {name}: add it to [tool.setuptools] in pyproject.toml")
    for name in sorted(packed - files):
        print(f"{wheel} holds {name}, which is no file of {', '.join(PACKAGES)}")
    typed = {f"{package}/py.typed" for package in PACKAGES}
    return int(files != packed or not typed <= packed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
