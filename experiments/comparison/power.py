"""What the comparison can tell, estimated from its first cells before the others are played.

The oracle and the first creator are played first with a few seeds; nothing is decided by what
comes out, so that these cells stay in the result.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eva_env.solving import power
from eva_env.types import Floats
from experiments.comparison.arms import Arm
from experiments.comparison.cells import Cell
from experiments.comparison.settings import Comparison
from experiments.comparison.wording import gap

ENOUGH = 0.5
"""Share of the way from start to oracle that must be detectable: competitors lie between."""


def pilot(cells: Sequence[Cell], arms: Sequence[Arm], seeds: int) -> list[Cell]:
    """The cells to be played first."""
    first = max(2, seeds // 5)
    names = {arm.name for arm in arms if arm.ceiling or arm.creator == arms[0].creator}
    return [cell for cell in cells if cell.arm in names and cell.seed < first]


def estimate(values: Floats, start: float, arms: Sequence[Arm], setting: Comparison) -> Any:
    """From scores (S, A, P) of the arms, NaN where a cell has not been played.

    The smallest difference between two creators, averaged over solvers, that is found with
    80 % power; the seeds' part of its variance falls with their number, the prompts' does not.
    """
    ceiling = values[:, [arm.ceiling for arm in arms]]
    gaps = ceiling - values[:, [arm.creator == arms[0].creator for arm in arms]]
    gaps = gaps[~np.isnan(gaps).any((1, 2))]
    room = float(np.nanmean(ceiling)) - start if len(gaps) else float("nan")
    told: dict[str, Any] = {"start": start, "pilot_seeds": len(gaps), "headroom": room}
    creators, solvers = ({getattr(a, k) for a in arms if not a.ceiling} for k in _SIDES)
    tests = sum(len(own) * (len(own) - 1) // 2 for own in (creators, solvers))
    if len(gaps) < 2 or not tests:
        few = f"{len(gaps)} seed" if len(gaps) == 1 else f"{len(gaps)} seeds"
        reason = (
            f"{few} of oracle and {arms[0].creator}" if tests else "one creator and one solver"
        )
        said = [f"No power can be estimated from {reason}."]
        return told | {"detectable": None, "enough": False, "sentences": said}
    seeds = setting.seeds or setting.sizes.seeds
    by_seed, by_prompt = gaps.mean(2), gaps.mean((0, 1))
    sd = float(np.sqrt(by_seed.var(0, ddof=1).mean() / len(solvers)))
    floor = float(np.sqrt(by_prompt.var() / by_prompt.size))
    least = power.detectable(sd, seeds, tests, floor=floor) if seeds > 1 else float("nan")
    told |= {"detectable": least if seeds > 1 else None, "comparisons": tests}
    told |= {"sd": sd, "floor": floor}
    enough = least <= ENOUGH * room
    return told | {"enough": enough, "sentences": [_say(told, seeds, enough, setting)]}


_SIDES = ("creator", "solver")


def _say(told: dict[str, Any], seeds: int, enough: bool, setting: Comparison) -> str:
    room, least = gap(told["headroom"], setting.metric), told["detectable"]
    if least is None:
        return f"Oracle and start are {room} apart; one seed shows no difference between arms."
    difference = f"a difference of {gap(least, setting.metric)} between creators is"
    if least > max(told["headroom"], 0.0):
        difference = "not even a difference between creators as from start to oracle would be"
    says = (
        f"With {seeds} seeds {difference} found with 80 % power (roughly, by "
        f"{told['pilot_seeds']} seeds of oracle and first one; {told['comparisons']} "
        f"comparisons); oracle and start are {room} apart"
    )
    if enough:
        return f"{says}."
    if told["headroom"] <= 0:
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
