"""Paired tests of one strategy against another, corrected for how many there are."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from eva_env.statistics.intervals import holm, mean_interval, p_value
from eva_env.types import Floats
from experiments.comparison.arms import Arm
from experiments.comparison.figures import known

Row = dict[str, Any]


def contrasts(values: Floats, arms: Sequence[Arm]) -> list[Row]:
    """Every two competing creators, and every two solvers, by scores (S, A, P) of the arms.

    The main family compares them averaged over the strategies of the other player; the
    family ``within`` does so for each of these, which says where a difference comes from. Each
    family is corrected for itself: intervals hold at once, p values are Holm's besides.
    """
    families: dict[str, list[tuple[Row, Floats]]] = {"main": [], "within": []}
    for head, gaps in differences(values, arms):
        families[head["family"]].append((head, gaps))
    return [row for family in families.values() for row in _tested(family)]


def differences(values: Floats, arms: Sequence[Arm]) -> Iterator[tuple[Row, Floats]]:
    """What is compared with what, and the paired differences (S, P): ``a`` minus ``b``."""
    index = {(arm.creator, arm.solver): i for i, arm in enumerate(arms) if not arm.ceiling}
    creators, solvers = ([*dict.fromkeys(pair[k] for pair in index)] for k in (0, 1))
    sides = (("creators", creators, solvers), ("solvers", solvers, creators))
    for kind, own, others in sides:
        cells = [[index[_ordered(kind, one, other)] for other in others] for one in own]
        for b, a in combinations(range(len(own)), 2):  # who is named later, minus earlier
            gaps = values[:, cells[a]] - values[:, cells[b]]
            head = {"kind": kind, "a": own[a], "b": own[b]}
            yield head | {"family": "main", "within": None}, gaps.mean(1)
            if len(others) > 1:
                for k, other in enumerate(others):
                    yield head | {"family": "within", "within": other}, gaps[:, k]


def _ordered(kind: str, one: str, other: str) -> tuple[str, str]:
    return (one, other) if kind == "creators" else (other, one)


def _tested(family: list[tuple[Row, Floats]]) -> list[Row]:
    """Rows with mean, interval and p values; all of one family."""
    rows = []
    for head, gaps in family:
        found = mean_interval(gaps, len(family))._asdict() | {"p": p_value(gaps)}
        numbers = {name: known(float(value)) for name, value in found.items()}
        seeds = int((~np.isnan(gaps).any(-1)).sum())
        rows.append(head | numbers | {"seeds": seeds, "comparisons": len(family)})
    adjusted = holm([np.nan if row["p"] is None else row["p"] for row in rows])
    return [row | {"p_holm": known(float(p))} for row, p in zip(rows, adjusted, strict=True)]
