"""The settings of a run: who plays, in which world, for which reward, at which sizes."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

from agents.base import Creator
from agents.creators import Eva
from agents.guards import Guards
from agents.policies.decoding import Sampling
from agents.solvers import DPO, SPPO, Method
from eva_env.require import require
from eva_env.rewards import PairwiseWinRate, Plain
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.run.alarms import Alarms
from experiments.run.parts import short_name, suited
from experiments.run.setup import Reward

SIZES = ("rounds", "prompts", "samples", "evaluate_every", "evaluation_samples")
"""Settings whose default is the world's."""


@dataclass(frozen=True)
class Conditions:
    """Everything about a run but its players and its seed; a comparison's cells share it."""

    guards: Guards = field(default_factory=Guards)
    """What is kept out of the prompts, whoever proposes them."""
    task: World = field(default_factory=Wordlist)
    """The world: prompts, suites, gold reward and starting policy."""
    reward: Reward = "gold"
    """The reward that trains: gold, or the world's imperfect proxy. Gold always judges."""
    reward_model: Any = field(default_factory=Plain)
    """A wrapper around that reward, such as noise; or a reward model of your own in its place."""
    signal: str | None = None
    """The creator's payoff: regret, or the name of a signal. None: true regret where the
    reward model knows the best response, else a_star_avg."""
    rounds: int = Wordlist.sizes.rounds
    """Rounds to play."""
    prompts: int = Wordlist.sizes.prompts
    """Prompts proposed and drawn per round."""
    samples: int = Wordlist.sizes.samples
    """Responses to each prompt."""
    max_reward_calls: int | None = None
    """Stop before a round that would spend more reward calls than this in all. Creators and
    methods differ in the responses they have scored per round; this makes budgets equal. None:
    play all rounds; a comparison sets rounds * prompts * samples."""
    policy: Any = None
    """The policy to start from: the name or folder of a checkpoint, or a policy of your own.
    None: the world's."""
    sampling: Sampling = field(default_factory=Sampling)
    """How a language model's responses are drawn, in play and in evaluations."""
    evaluate_every: int = Wordlist.sizes.evaluate_every
    """Rounds between evaluations on the fixed suites; the last round is always evaluated."""
    evaluation_samples: int = Wordlist.sizes.evaluation_samples
    """Responses to each prompt of a suite."""
    alarms: Alarms = field(default_factory=Alarms)
    """Bounds at which an alarm fires, and whether it ends the run."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "rounds", "prompts", "evaluate_every", "max_reward_calls")
        require(self, "[2, inf)", "samples", "evaluation_samples")

    @classmethod
    def suited(cls, world: World, **given: Any) -> Self:
        """Settings with the sizes, and the method's learning rate, that suit a world.

        ``given`` are settings of the caller's; one that is None is left to the world.
        """
        settings = {name: getattr(world.sizes, name) for name in SIZES}
        settings |= {name: value for name, value in given.items() if value is not None}
        if any(spec.name == "solver" for spec in fields(cls)):
            settings["solver"] = suited(settings.get("solver", DPO()), world)
        return cls(task=world, **settings)


@dataclass(frozen=True)
class Settings(Conditions):
    """One creator against one solver in one world; the object is the record of the run."""

    creator: Creator = field(default_factory=Eva)
    """Who makes the prompts."""
    solver: Method = field(default_factory=DPO)
    """The method by which the solver learns."""
    seed: int = 0
    """Seed of creator, solver and environment."""
    checkpoint_every: int = 1
    """Rounds between checkpoints; the last round always has one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[0, inf]", "seed")
        require(self, "[1, inf)", "checkpoint_every")

    @property
    def name(self) -> str:
        """The players' names: eva-dpo."""
        return f"{short_name(self.creator)}-{short_name(self.solver)}"


def check(settings: Settings) -> None:
    """Raise ValueError for players that do not fit the world or the reward."""
    settings.creator.check_task(settings.task)
    pairwise = isinstance(settings.reward_model, PairwiseWinRate)
    if pairwise and isinstance(settings.solver, SPPO) and not settings.solver.pairwise:
        raise ValueError(
            "SPPO would make win rates of the win rates that reward-model:pairwise-win-rate "
            "gives; add --solver.pairwise"
        )


def remark(settings: Settings) -> str | None:
    """A warning about pass rates under a reward without a scale; None if it does not apply."""
    creator, world = settings.creator, settings.task
    if not creator.counts_passes or settings.reward != "proxy" or world.proxy_can_pass:
        return None
    return (
        f"{short_name(creator)} counts the responses that pass, but the proxy's rewards are "
        f"logits without a scale; watch the pass rate, set --creator.passing where there is "
        f"one, or use --reward gold"
    )
