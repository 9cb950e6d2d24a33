"""Estimate, from a comparison's first cells, which differences its seeds can detect.

The pilot cells (of the oracle and the first creator) are played first with a few seeds. No
decision depends on their scores, so they stay in the result.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eva_env.statistics import power
from eva_env.types import Floats
from experiments.comparison.arms import CEILING, Arm
from experiments.comparison.cells import Cell
from experiments.comparison.contrasts import differences, variation
from experiments.comparison.wording import gap
from experiments.run.wording import counted

Named = dict[str, Any]

ENOUGH = 0.5
"""Share of the head-room (starting policy to oracle) that must be detectable: competitors lie
between the two."""


def pilot(cells: Sequence[Cell], arms: Sequence[Arm], seeds: int) -> list[Cell]:
    """Return the cells to play first: two creators' arms with a fifth of the seeds.

    These are the oracle and the first creator; without an oracle, the first two creators.
    """
    few = max(2, seeds // 5)
    competitors = list(dict.fromkeys(arm.creator for arm in arms if not arm.ceiling))
    ceilings = [arm.creator for arm in arms if arm.creator == CEILING]
    creators = {competitors[0], *(ceilings or competitors[:2])}
    names = {arm.name for arm in arms if arm.creator in creators}
    return [cell for cell in cells if cell.arm in names and cell.seed < few]


def first_competitor(arms: Sequence[Arm]) -> str:
    """Return the creator that the pilot plays next to the oracle."""
    return next(arm.creator for arm in arms if not arm.ceiling)


def estimate_power(values: Floats, arms: Sequence[Arm], seeds: int, metric: str) -> Named:
    """Estimate the smallest difference that ``seeds`` seeds detect with 80 % power.

    ``values`` (S, L, P) are the deciding scores of the arms and of the starting policy, NaN
    where a cell has not been played. Of the comparisons that have been played the one that
    varies most counts: of those between competitors, else of oracle minus first creator. The
    seeds' part of its variance falls with their number, the prompts' part does not.
    ``seeds_needed`` detect half of the head-room: None if ``seeds`` do already (``enough``) or
    if no number does.
    """
    oracles = [arm.creator == CEILING for arm in arms]
    arm_scores, start = values[:, : len(arms)], values[:, -1]
    ceiling = arm_scores[:, oracles].mean(1) if any(oracles) else np.full_like(start, np.nan)
    begun, room = complete_seeds(start), complete_seeds(ceiling - start)
    headroom = _headroom(room, any(oracles))
    main = [
        (f"{names['a']} - {names['b']}", gaps)
        for names, gaps in differences(arm_scores, arms)
        if names["family"] == "main"
    ]
    result: Named = {
        "start": float(begun.mean()) if len(begun) else float("nan"),
        "headroom": headroom,
        "detectable": None,
        "enough": False,
        "seeds_needed": None,
        "comparisons": len(main),
    }
    # 1. The pairs whose variation is known: competitors, else oracle and first creator.
    pairs = main
    if any(oracles) and not any(len(complete_seeds(gaps)) > 1 for _, gaps in main):
        first = arm_scores[:, [arm.creator == first_competitor(arms) for arm in arms]].mean(1)
        pairs = [(f"{CEILING} - {first_competitor(arms)}", ceiling - first)]
    measured = [_variation(name, gaps) for name, gaps in pairs]
    measured = [pair for pair in measured if pair["seeds"] > 1]
    if not main or not measured:
        return result | {"sentences": [_unknown(bool(main), any(oracles), arms)]}
    # 2. The pair that needs the largest difference speaks for all.
    for pair in measured:
        pair["detectable"] = power.detectable(pair["sd"], seeds, len(main), floor=pair["floor"])
    result |= max(measured, key=lambda pair: pair["detectable"])
    # 3. Compare it with half of the head-room.
    target = ENOUGH * headroom if headroom is not None and headroom > 0 else 0.0
    result["enough"] = 0 < result["detectable"] <= target
    if target and result["detectable"] > target:
        result["seeds_needed"] = power.seeds_needed(
            target, result["sd"], len(main), floor=result["floor"]
        )
    return result | {"sentences": [_sentence(result, seeds, metric)]}


def _headroom(room: Floats, with_oracle: bool) -> float | None:
    """Return how far the oracle is above the starting policy; None without an oracle."""
    if not with_oracle:
        return None
    return float(room.mean()) if len(room) else float("nan")


def _variation(name: str, gaps: Floats) -> Named:
    sd, floor, seeds = variation(gaps)
    return {"of": name, "seeds": seeds, "sd": sd, "floor": floor}


def complete_seeds(values: Floats) -> Floats:
    """Return the seeds of (S, P) that have all their prompts."""
    return values[~np.isnan(values).any(1)]


def _unknown(compared: bool, with_oracle: bool, arms: Sequence[Arm]) -> str:
    """Return the sentence for a comparison whose power cannot be estimated."""
    if not compared:
        return "Power cannot be estimated from one creator and one solver."
    players = f"{CEILING} and {first_competitor(arms)}" if with_oracle else "two creators"
    return f"Power cannot be estimated from fewer than two seeds of {players}."


def _sentence(result: Named, seeds: int, metric: str) -> str:
    """Return the sentence about power, with the seeds to add where there are too few."""
    least, headroom = result["detectable"], result["headroom"]
    if not least:
        return f"Power cannot be estimated: {result['of']} is the same with every seed."
    tests = counted(result["comparisons"], "comparison")
    basis = f"estimated from {result['of']} over {result['seeds']} seeds; {tests}"
    if headroom is None:
        difference = f"a difference of {gap(least, metric)}"
        return f"{seeds} seeds detect {difference} with 80 % power ({basis})."
    apart = f"the oracle is {gap(headroom, metric)} above the starting policy"
    if least > max(headroom, 0.0):
        says = f"{seeds} seeds cannot detect even a difference as large as the head-room"
    else:
        says = f"{seeds} seeds detect a difference of {gap(least, metric)}"
    says = f"{says} with 80 % power ({basis}); {apart}"
    if result["enough"]:
        return f"{says}."
    if not headroom > 0:
        return f"{says}: there is nothing to gain, so strategies cannot be compared here."
    needed = result["seeds_needed"]
    if needed is None:
        return f"{says}. The suite has too few prompts: no number of seeds detects half of it."
    return f"{says}. To detect half of it takes about {needed} seeds (--seeds {needed})."
