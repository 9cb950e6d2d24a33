"""docs/strategies.md has one true row for every strategy that is registered."""

import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from agents.creators import AnyCreator
from agents.solvers import AnyMethod
from eva_env.rewards import AnyRewardModel
from eva_env.signals import ROUND_SIGNALS, SIGNALS
from eva_env.wordlist.operators import OPERATORS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| `")
]
REGISTERED = {
    "signals": [*SIGNALS, *ROUND_SIGNALS],
    "creators": [cls.__name__ for cls in get_args(AnyCreator)],
    "methods": [cls.__name__ for cls in get_args(AnyMethod)],
    "reward models": [cls.__name__ for cls in get_args(AnyRewardModel)],
    "operators": list(OPERATORS),
}


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("kind", REGISTERED)
def test_every_registered_strategy_has_one_row(kind):
    rows = Counter(name for row in ROWS for name in quoted(row[0]))
    missing = [name for name in REGISTERED[kind] if rows[name] == 0]
    assert not missing, (
        f"add a row for each of {missing} to docs/strategies.md, under its {kind}: "
        f"| `Name` | what it is | source | equation | `file` | `tests/...py::test_name` |"
    )
    repeated = [name for name in REGISTERED[kind] if rows[name] > 1]
    assert not repeated, f"docs/strategies.md has more than one row for each of {repeated}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_row_names_the_file_that_defines_it_and_a_test_that_exists(row):
    names, what, paper, equation, file, oracle = row
    assert all((what, paper, equation)), "fill every column; write - if there is no source"
    source = (ROOT / file.strip("`")).read_text(encoding="utf-8")
    absent = [name for name in quoted(names) if not re.search(rf"\b{name}\b", source)]
    assert not absent, f"{file} does not define {absent}; name the file that does"
    assert quoted(oracle), "the last column must name a test: `tests/...py::test_name`"
    for path, test in (reference.split("::") for reference in quoted(oracle)):
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), (
            f"{path} has no {test}; name a test that compares the strategy with something "
            f"independent"
        )
