"""The settings of a comparison, and those of its cells."""

from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, Self

import numpy as np
import tyro

from agents.creators import Oracle
from eva_env.require import require
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.comparison.arms import Arm, pair
from experiments.run.errors import UserError
from experiments.run.fitting import check_prompts
from experiments.run.rewards import check_rewards_of, has_two_rewards
from experiments.run.settings import Conditions, Settings, check
from experiments.run.setup import check_payoff, pinned, start_of


@dataclass(frozen=True)
class Comparison:
    """The settings of a comparison: what is compared, and under which conditions."""

    creators: tuple[str, ...] = ("fresh", "uniform-lite", "eva-lite")
    """Creators by name, with settings after a colon: eva:signal=variance,resample=False. Your
    own are package.module.Class or path/to/file.py:Class."""
    solvers: tuple[str, ...] = ("dpo", "rloo")
    """Methods, named in the same way: rloo:lr=1e-3."""
    seeds: int = Wordlist.sizes.seeds
    """Seeds of every arm. In a tabular world each seed is another world."""
    oracle: bool = True
    """Add an oracle, which trains on the deciding suite's distribution, as a ceiling."""
    tune: int = 0
    """Configurations to try of every arm, from the grid that its strategies declare; the best
    is compared. 0: settings as given, untuned."""
    tune_seeds: int = 2
    """Seeds of each configuration; the comparison itself uses others."""
    suite: str | None = None
    """The suite that decides; the other suites are reported. None: the world's, which is hard
    or, without one, its first."""
    metric: Literal["win_rate", "gold"] = "win_rate"
    """The number that decides: win rate against the starting policy, or gold reward."""
    draws: int = 1000
    """Bootstrap draws of seeds and prompts, for intervals of statistics other than means;
    games are solved in at most 200 of them."""
    conditions: Annotated[Conditions, tyro.conf.arg(name="")] = field(
        default_factory=Conditions
    )
    """The settings that all cells share."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "seeds", "tune_seeds")
        require(self, "[0, inf)", "tune")
        require(self, "[20, inf)", "draws")
        if self.tune == 1:
            raise ValueError("tune must be 0 (as given) or at least 2 configurations, got 1")

    @classmethod
    def suited(cls, world: World, **settings: Any) -> Self:
        """Return a comparison whose seeds and sizes suit a world.

        ``settings`` are those of the comparison and of its conditions; one that is None is the
        world's.
        """
        shared = {spec.name for spec in fields(Conditions)} & settings.keys()
        conditions = Conditions.suited(world, **{name: settings.pop(name) for name in shared})
        chosen: dict[str, Any] = {"seeds": world.sizes.seeds, "oracle": world.oracle}
        chosen |= {name: value for name, value in settings.items() if value is not None}
        return cls(conditions=conditions, **chosen)

    @property
    def task(self) -> World:
        """The world of the comparison; ``world(seed)`` is that of a seed."""
        return self.conditions.task

    @property
    def deciding(self) -> str:
        """The suite that decides."""
        return self.suite or self.task.deciding

    @property
    def arms(self) -> list[Arm]:
        """The competitors, then the oracle's arms; UserError for a name that is unknown."""
        suite = self.deciding if self.oracle else None
        return pair(self.creators, self.solvers, suite, self.task)

    def settings(self, arm: Arm, seed: int) -> Settings:
        """Return the settings of an arm with a seed."""
        shared = {spec.name: getattr(self.conditions, spec.name) for spec in fields(Conditions)}
        shared["task"] = self.world(seed)
        if shared["max_reward_calls"] is None:
            shared["max_reward_calls"] = (
                shared["rounds"] * shared["prompts"] * shared["samples"]
            )
            if has_two_rewards(self.conditions):  # each response is scored twice
                shared["max_reward_calls"] *= 2
        creator, solver = arm.players
        return Settings(
            **shared,
            creator=creator,
            solver=solver,
            seed=seed,
            checkpoint_every=shared["rounds"],
        )

    def world(self, seed: int) -> World:
        """Return the world of a seed."""
        return self.task.for_seed(seed)

    def pinned(self) -> Self:
        """Return the comparison as a record keeps it: with its suite, and its world pinned."""
        world = pinned(self.task)
        conditions = replace(self.conditions, task=world)
        return replace(self, conditions=conditions, suite=self.suite or world.deciding)


def check_fit(comparison: Comparison) -> None:
    """Raise UserError for settings that no cell could play.

    These are an unknown suite, a suite without a distribution for the oracle, a policy or a
    reward that cannot be read, and players that do not fit the world or the reward.
    """
    world, conditions = comparison.task, comparison.conditions
    suite = comparison.deciding
    if suite not in world.suites:
        names = ", ".join(world.suites)
        raise UserError(f"unknown suite {suite!r}; suites of the task: {names}")
    if comparison.oracle or comparison.tune:
        try:
            Oracle(suite).propose(world, 8, np.random.default_rng(0))
        except ValueError as error:
            remedy = "--no-oracle" if comparison.oracle else "--tune 0"
            raise UserError(
                f"suite {suite!r} cannot decide: {error}; give {remedy}, or a suite whose "
                f"distribution seed() knows"
            ) from error
    world_of_first = comparison.world(0)
    policy = start_of(conditions, world_of_first)
    try:
        check_prompts(world_of_first, policy)
    except ValueError as error:
        raise UserError(str(error)) from error
    check_payoff(conditions.signal)
    check_rewards_of(conditions)
    for arm in comparison.arms:
        try:
            check(comparison.settings(arm, 0))
        except ValueError as error:
            raise UserError(f"{arm.name}: {error}") from error
