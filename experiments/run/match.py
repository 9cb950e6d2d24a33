"""A creator against a solver in an environment, with everything that a resumed run needs."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from agents.base import Budget, Creator
from agents.creators import AnyCreator, Eva
from agents.creators.guarded import guarded
from agents.guards import Guards
from agents.play import play
from agents.policies.decoding import Sampling
from agents.solvers import DPO, SPPO, AnyMethod, PolicySolver
from eva_env.rewards import AnyRewardModel, PairwiseWinRate, Plain
from eva_env.tabular.world import TabularWorld
from eva_env.types import Round
from eva_env.wordlist import Wordlist
from eva_env.wordlist.response_rewriter import rewrite_response
from experiments.run.alarms import Alarms
from experiments.run.errors import UserError
from experiments.run.setup import AnyTask, load_policy, make_env, play_reward


@dataclass(frozen=True)
class Settings:
    """One creator against one solver on one task; the object is the record of the run."""

    creator: AnyCreator = field(default_factory=Eva)
    """Who makes the prompts."""
    guards: Guards = field(default_factory=Guards)
    """What is kept out of them, whoever makes them."""
    solver: AnyMethod = field(default_factory=DPO)
    """By which method the solver learns."""
    task: AnyTask = field(default_factory=Wordlist)
    """Where prompts come from."""
    reward: Literal["proxy", "gold"] = "proxy"
    """What players are paid and trained on: the learned reward model (on the tabular rung the
    world's proxy), or the gold verifier; gold always judges."""
    reward_model: AnyRewardModel = field(default_factory=Plain)
    """What stands between that reward and the players."""
    signal: str | None = None
    """The creator's payoff: regret, or a name in eva_env.signals. None: true regret where the
    reward model knows the best response, else a_star_avg."""
    rounds: int = 8
    """Rounds to play."""
    prompts: int = 512
    """Prompts proposed and drawn per round."""
    samples: int = 6
    """Responses to each prompt."""
    max_reward_calls: int | None = None
    """No further round is begun that would spend more reward calls than that, going by the
    last one: some creators and methods have more responses scored per round than others, and
    this is what makes their budgets equal. None: play all rounds."""
    policy: str | None = None
    """Folder of the checkpoint to start from. None: the one that ships with the task."""
    sampling: Sampling = field(default_factory=Sampling)
    """How a language model's responses are drawn, in play and in evaluations."""
    seed: int = 0
    """Seed of creator, solver and environment."""
    evaluate_every: int = 1
    """Rounds between evaluations on the fixed suites; the last round is always judged."""
    evaluation_samples: int = 4
    """Responses to each prompt of a suite."""
    checkpoint_every: int = 1
    """Rounds between checkpoints; the last round always has one."""
    alarms: Alarms = field(default_factory=Alarms)
    """When to say that a run goes wrong, and whether to end it then."""

    def __post_init__(self) -> None:
        least = dict.fromkeys(("rounds", "prompts", "evaluate_every", "checkpoint_every"), 1)
        least |= {"samples": 2, "evaluation_samples": 2, "seed": 0}
        least |= {} if self.max_reward_calls is None else {"max_reward_calls": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")


def check(settings: Settings) -> None:
    """Raise ValueError for players that do not fit the task or the reward."""
    task: Any = settings.task
    settings.creator.check_task(task)
    pairwise = isinstance(settings.reward_model, PairwiseWinRate)
    if pairwise and isinstance(settings.solver, SPPO) and not settings.solver.pairwise:
        raise ValueError(
            "SPPO would make win rates of the win rates that reward-model:pairwise-win-rate "
            "gives; add --solver.pairwise"
        )


def remark(settings: Settings) -> str | None:
    """What a user should know of pass rates on a reward without a scale; None if nothing."""
    creator = settings.creator
    if (
        not creator.counts_passes
        or settings.reward != "proxy"
        or isinstance(settings.task, TabularWorld)
    ):
        return None
    return (
        f"{type(creator).__name__} counts the responses that pass, but the proxy's rewards are "
        f"logits without a scale; watch the pass rate, set --creator.passing where there is "
        f"one, or take --reward gold"
    )


@dataclass
class Match:
    """The two players at the table."""

    env: Any
    creator: Creator
    solver: PolicySolver
    rngs: tuple[np.random.Generator, np.random.Generator]
    budget: Budget = field(default_factory=Budget)

    @classmethod
    def open(cls, settings: Settings) -> "Match":
        """Set up a match at its start; settings that a constructor rejects are a UserError."""
        world, creator, solver = np.random.SeedSequence(settings.seed).spawn(3)
        policy = load_policy(settings.task, settings.policy, settings.sampling)
        try:
            check(settings)
            settings.guards.check(p for suite in settings.task.suites.values() for p in suite)
            env = make_env(
                settings.task,
                play_reward(settings.task, settings.reward, settings.reward_model),
                settings.signal,
                batch_size=settings.prompts,
                samples=settings.samples,
                max_cycles=settings.rounds,
            )
            game: Any = env.unwrapped.game
            rewrite = rewrite_response if isinstance(settings.task, Wordlist) else None
            solver_player = PolicySolver(
                policy,
                settings.solver,
                lambda prompts, responses: game.reward_model(prompts, responses),
                rewrite,
            )
        except (ValueError, FileNotFoundError) as error:
            raise UserError(" ".join(str(error).split())) from error
        env.reset(seed=int(world.generate_state(1)[0]))
        return cls(
            env,
            guarded(copy.deepcopy(settings.creator), settings.guards),
            solver_player,
            (np.random.default_rng(creator), np.random.default_rng(solver)),
        )

    def rounds(self) -> Iterator[Round]:
        """Play to the end; what the game or a player refuses, NaN say, is a UserError."""
        try:
            yield from play(self.env, self.creator, self.solver, self.rngs, self.budget)
        except (ValueError, FloatingPointError) as error:
            raise UserError(" ".join(str(error).split())) from error

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes while playing, picklable."""
        return {
            "env": self.env.unwrapped.state_dict(),
            "creator": self.creator.state_dict(),
            "solver": self.solver.state_dict(),
            "rngs": [rng.bit_generator.state for rng in self.rngs],
            "budget": asdict(self.budget),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state_dict()``, bit for bit."""
        self.env.unwrapped.load_state_dict(state["env"])
        self.creator.load_state_dict(state["creator"])
        self.solver.load_state_dict(state["solver"])
        for rng, own in zip(self.rngs, state["rngs"], strict=True):
            rng.bit_generator.state = own
        self.budget = Budget(**state["budget"])
