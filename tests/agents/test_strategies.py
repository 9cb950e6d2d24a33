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
    assert {name: rows[name] for name in REGISTERED[kind]} == dict.fromkeys(REGISTERED[kind], 1)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_row_names_the_file_that_defines_it_and_a_test_that_exists(row):
    names, what, paper, equation, file, oracle = row
    assert what and paper and equation  # noqa: PT018
    source = (ROOT / file.strip("`")).read_text(encoding="utf-8")
    assert quoted(names) == [
        name for name in quoted(names) if re.search(rf"\b{name}\b", source)
    ]
    assert quoted(oracle)
    for path, test in (reference.split("::") for reference in quoted(oracle)):
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8")
