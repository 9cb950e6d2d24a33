"""The arms of a comparison: every creator paired with every solver, under short names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.base import Creator
from agents.creators import Oracle
from agents.solvers import Method
from eva_env.world import World
from experiments.run.errors import UserError
from experiments.run.parts import name_of, short_name
from experiments.run.specifications import read, split

CEILING = "oracle"


@dataclass(frozen=True)
class Arm:
    """A creator against a solver; ``ceiling`` marks oracles, which do not compete."""

    creator: str
    solver: str
    players: tuple[Creator, Method]
    ceiling: bool = False

    @property
    def name(self) -> str:
        """The name of the arm, and of its folder."""
        return f"{self.creator}-{self.solver}"


def pair(
    creators: Sequence[str], solvers: Sequence[str], suite: str | None, world: World
) -> list[Arm]:
    """Return the arms of every creator with every solver, those of an oracle last.

    The oracle draws from the distribution of ``suite``; None adds no oracle. A method whose
    specification leaves the learning rate open gets the one that suits the world. Raises
    UserError for strategies that are unknown, equal or only oracles.
    """
    players: dict[str, Any] = named("creator", creators)
    methods = named("solver", solvers, world)
    if suite is not None and CEILING in players:
        raise UserError(f"the {CEILING} is added to every comparison; leave it out")
    if all(isinstance(player, Oracle) for player in players.values()):
        raise UserError(
            "an oracle is a ceiling and does not compete; add fresh or another creator"
        )
    if suite is not None:
        players[CEILING] = Oracle(suite=suite)
    return [
        Arm(creator, solver, (player, method), ceiling=isinstance(player, Oracle))
        for creator, player in players.items()
        for solver, method in methods.items()
    ]


def named(role: str, specs: Sequence[str], world: World | None = None) -> dict[str, Any]:
    """Return strategies by short name.

    A name that several strategies share is followed by their settings, and by a number if
    these are the same too, as of two classes of one name in two files.
    """
    strategies = [read(role, spec, world) for spec in specs]
    distinct = {(name_of(strategy), repr(strategy)) for strategy in strategies}
    if not strategies or len(distinct) < len(strategies):
        raise UserError(f"name strategies, each of them once; got {' '.join(specs) or 'none'}")
    short_names = [short_name(strategy) for strategy in strategies]
    taken = [CEILING, *short_names]
    by_name: dict[str, Any] = {}
    for spec, short, strategy in zip(specs, short_names, strategies, strict=True):
        name = _with_settings(short, spec) if taken.count(short) > 1 else short
        unique, number = name, 2
        while unique in by_name:
            unique, number = f"{name},no-{number}", number + 1
        by_name[unique] = strategy
    return by_name


def _with_settings(name: str, spec: str) -> str:
    """A short name with the settings of its specification, fit for a folder."""
    settings = split(spec)[1]
    return re.sub(r"[^\w.=-]+", ",", f"{name},{settings}".lower()).strip(",")
