"""What is compared under which conditions, and what a cell of the comparison plays."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agents.creators import Oracle
from agents.guards import Guards
from agents.policies.decoding import Sampling
from eva_env.rewards import AnyRewardModel, Plain
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from experiments.comparison.arms import Arm, pair
from experiments.run.alarms import Alarms
from experiments.run.errors import UserError
from experiments.run.match import Settings, check
from experiments.run.setup import AnyTask, load_policy

EVOLVE = ("fresh", "uniform-evolve:old_from=history", "eva:old_from=history,resample=False")
"""Human prompts, rewrites, and rewrites of what is informative, which differ in that alone."""


@dataclass(frozen=True)
class Sizes:
    """What suits a rung, wherever the settings leave it open."""

    seeds: int
    rounds: int
    prompts: int
    samples: int
    evaluate_every: int
    evaluation_samples: int
    lr: float
    """Factor of the learning rates that strategies come with."""


WORDLIST = Sizes(3, 8, 512, 6, evaluate_every=2, evaluation_samples=4, lr=1.0)
TABULAR = Sizes(20, 30, 32, 6, evaluate_every=5, evaluation_samples=16, lr=400.0)


@dataclass(frozen=True)
class Comparison:
    """What is compared under which conditions; the object is the record."""

    creators: tuple[str, ...] = EVOLVE
    """Creators by name, with settings if need be: eva:signal=variance,resample=False; or
    package.module.Class. The oracle, trained on the suite's own distribution, is added."""
    solvers: tuple[str, ...] = ("dpo", "rloo")
    """Solvers likewise: rloo:lr=1e-3."""
    seeds: int | None = None
    """Seeds of every pair; on the tabular rung each is another world. None: 3, or 20 there."""
    tune: int = 0
    """Configurations tried of every arm, as many of each, from the grid that its strategies
    declare; the best is compared. 0: settings as given, untuned."""
    tune_seeds: int = 2
    """Seeds of each configuration; the result never uses them."""
    task: AnyTask = field(default_factory=Wordlist)
    """Where prompts come from."""
    suite: str = "hard"
    """The suite that decides; the others are reported."""
    metric: Literal["win_rate", "gold"] = "win_rate"
    """What decides on it: win rate against the starting model, or gold reward."""
    reward: Literal["proxy", "gold"] = "gold"
    """What players are paid and trained on; gold always judges."""
    reward_model: AnyRewardModel = field(default_factory=Plain)
    """What stands between that reward and the players."""
    guards: Guards = field(default_factory=Guards)
    """What is kept out of all prompts."""
    signal: str | None = None
    """The creator's payoff, as in eva train."""
    rounds: int | None = None
    """Most rounds of a cell. None: 8, or 30 on the tabular rung."""
    prompts: int | None = None
    """Prompts a round. None: 512, or 32. An arm's budget is rounds * prompts * samples reward
    calls: one that has more responses scored in a round plays fewer rounds."""
    samples: int | None = None
    """Responses to each prompt. None: 6."""
    policy: str | None = None
    """Folder of the checkpoint that all start from. None: the one that ships with the task."""
    sampling: Sampling = field(default_factory=Sampling)
    """How a language model's responses are drawn."""
    alarms: Alarms = field(default_factory=Alarms)
    """When to say that a cell goes wrong, and whether to end it then, short of its budget."""
    draws: int = 1000
    """Bootstrap draws of seeds and prompts, for the intervals of what is no mean; games are
    solved in 200 of them at most."""

    def __post_init__(self) -> None:
        least = {"seeds": 1, "tune": 0, "tune_seeds": 1, "rounds": 1, "prompts": 1}
        least |= {"samples": 2, "draws": 20}
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise ValueError(f"{name} must be at least {low}, got {value}")
        if self.tune == 1:
            raise ValueError("tune must be 0 (as given) or at least 2 configurations, got 1")

    @property
    def sizes(self) -> Sizes:
        """What suits the rung."""
        return TABULAR if isinstance(self.task, TabularWorld) else WORDLIST

    def whole(self) -> "Comparison":
        """The same with every setting that was left open; the policy's folder absolute."""
        names = ("seeds", "rounds", "prompts", "samples")
        open_ = {name: getattr(self.sizes, name) for name in names if not getattr(self, name)}
        if self.policy and Path(self.policy).is_dir():  # a name is not one
            open_["policy"] = str(Path(self.policy).resolve())
        return replace(self, **open_)

    @property
    def arms(self) -> list[Arm]:
        """The competitors, then the oracle's arms; UserError for what cannot be read."""
        return pair(self.creators, self.solvers, self.suite, self.sizes.lr)

    def settings(self, arm: Arm, seed: int) -> Settings:
        """What an arm plays with a seed."""
        rounds, prompts, samples = (
            getattr(self, name) or getattr(self.sizes, name)
            for name in ("rounds", "prompts", "samples")
        )
        return Settings(
            creator=arm.players[0],  # type: ignore[arg-type] - need not be registered
            solver=arm.players[1],  # type: ignore[arg-type]
            guards=self.guards,
            task=self.world(seed),
            reward=self.reward,
            reward_model=self.reward_model,
            signal=self.signal,
            rounds=rounds,
            prompts=prompts,
            samples=samples,
            max_reward_calls=rounds * prompts * samples,
            policy=self.policy,
            sampling=self.sampling,
            seed=seed,
            evaluate_every=self.sizes.evaluate_every,
            evaluation_samples=self.sizes.evaluation_samples,
            checkpoint_every=rounds,
            alarms=self.alarms,
        )

    def world(self, seed: int) -> AnyTask:
        """The task of a seed: one for all, but on the tabular rung a world of its own.

        Otherwise a conclusion would be about one draw of the ladder.
        """
        if isinstance(self.task, TabularWorld):
            return replace(self.task, world_seed=self.task.world_seed + seed)
        return self.task


def check_fit(comparison: Comparison) -> None:
    """Raise UserError for an unknown suite, one of which an oracle finds no prompts, a policy
    that cannot be read, and players that do not fit the task or the reward.
    """
    task: Any = comparison.task
    if comparison.suite not in task.suites:
        known = ", ".join(task.suites)
        raise UserError(f"unknown suite {comparison.suite!r}; suites of the task: {known}")
    try:
        Oracle(comparison.suite).propose(task, 8, np.random.default_rng(0))
    except ValueError as error:
        raise UserError(f"suite {comparison.suite!r} cannot decide: {error}") from error
    load_policy(comparison.world(0), comparison.policy, comparison.sampling)
    for arm in comparison.arms:
        try:
            check(comparison.settings(arm, 0))
        except ValueError as error:
            raise UserError(f"{arm.name}: {error}") from error
