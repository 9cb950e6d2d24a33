"""What the comparison can tell, estimated from its first cells before the others are played.

The oracle and the first creator are played first with a few seeds; nothing is decided by what
comes out, so that these cells stay in the result.
"""

from collections.abc import Sequence
from itertools import starmap
from typing import Any

import numpy as np

from eva_env.statistics import power
from eva_env.statistics.intervals import variances
from eva_env.types import Floats
from experiments.comparison.arms import CEILING, Arm
from experiments.comparison.cells import Cell
from experiments.comparison.contrasts import differences
from experiments.comparison.settings import Comparison
from experiments.comparison.wording import gap
from experiments.run.wording import counted

Named = dict[str, Any]

ENOUGH = 0.5
"""Share of the way from start to oracle that must be detectable: competitors lie between."""


def pilot(cells: Sequence[Cell], arms: Sequence[Arm], seeds: int) -> list[Cell]:
    """The cells to be played first."""
    few = max(2, seeds // 5)
    first = first_competitor(arms)
    names = {arm.name for arm in arms if arm.creator in (CEILING, first)}
    return [cell for cell in cells if cell.arm in names and cell.seed < few]


def first_competitor(arms: Sequence[Arm]) -> str:
    """The creator that the oracle is held against first."""
    return next(arm.creator for arm in arms if not arm.ceiling)


def estimate(values: Floats, arms: Sequence[Arm], setting: Comparison) -> Named:
    """From scores (S, L, P) of the arms and the start, NaN where a cell has not been played.

    The smallest difference that is found with 80 % power, of the comparison that varies most:
    of those between competitors that have been played, else of the oracle and the first
    creator. The seeds' part of its variance falls with their number, the prompts' does not.
    """
    values, begun = values[:, : len(arms)], values[:, -1]
    ceiling = values[:, [arm.creator == CEILING for arm in arms]].mean(1)
    room = whole(ceiling - begun)
    told: Named = {
        "start": float(whole(begun).mean()) if len(whole(begun)) else float("nan"),
        "headroom": float(room.mean()) if len(room) else float("nan"),
        "detectable": None,
        "enough": False,
    }
    main = [own for own in differences(values, arms) if own[0]["family"] == "main"]
    tests = told["comparisons"] = len(main)
    compared = [(f"{row['a']} - {row['b']}", gaps) for row, gaps in main]
    if not any(len(whole(gaps)) > 1 for _, gaps in compared):
        first = first_competitor(arms)
        own = values[:, [arm.creator == first for arm in arms]].mean(1)
        compared = [(f"{CEILING} - {first}", ceiling - own)]
    known = [part for part in starmap(spread, compared) if part["seeds"] > 1]
    if not tests or not known:
        few = f"fewer than two seeds of {CEILING} and {first_competitor(arms)}"
        reason = few if tests else "one creator and one solver"
        return told | {"sentences": [f"No power can be estimated from {reason}."]}
    seeds = setting.seeds
    for part in known:
        part["detectable"] = power.detectable(part["sd"], seeds, tests, floor=part["floor"])
    told |= max(known, key=lambda part: part["detectable"])
    told["enough"] = 0 < told["detectable"] <= ENOUGH * told["headroom"]
    return told | {"sentences": [_say(told, seeds, setting)]}


def spread(name: str, gaps: Floats) -> Named:
    """How a paired difference (S, P) varies: over seeds ``sd``, by the prompts ``floor``."""
    by_seed, by_prompt, seeds = variances(gaps)
    sd, floor = np.sqrt(float(by_seed) * float(seeds)), np.sqrt(float(by_prompt))
    return {"of": name, "seeds": int(seeds), "sd": sd, "floor": floor}


def whole(values: Floats) -> Floats:
    """The seeds that have all their prompts, of (S, P)."""
    return values[~np.isnan(values).any(1)]


def _say(told: Named, seeds: int, setting: Comparison) -> str:
    room, least = gap(told["headroom"], setting.metric), told["detectable"]
    if not least:
        return f"No power can be estimated: {told['of']} is the same with every seed."
    tests = counted(told["comparisons"], "comparison")
    difference = f"a difference of {gap(least, setting.metric)} is"
    if least > max(told["headroom"], 0.0):
        difference = "not even a difference as from start to oracle would be"
    says = (
        f"With {seeds} seeds {difference} found with 80 % power (roughly: as {told['of']} "
        f"varies over {told['seeds']} seeds; {tests}); oracle and "
        f"start are {room} apart"
    )
    if told["enough"]:
        return f"{says}."
    if not told["headroom"] > 0:
        return f"{says}: there is nothing to gain here, so nothing can be compared."
    wanted = power.seeds_needed(
        ENOUGH * told["headroom"], told["sd"], told["comparisons"], floor=told["floor"]
    )
    if wanted is None:
        return f"{says}: too little for a suite of so few prompts, however many seeds."
    return (
        f"{says}: too little for so few seeds. To find half of it takes about {wanted} seeds "
        f"(--seeds {wanted})."
    )
