"""A creator and a solver in an environment, resumable bit for bit."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from agents.base import Budget, Creator
from agents.creators.guarded import guarded
from agents.evolution.similarity import Similarity
from agents.play import play
from agents.policies.base import Policy
from agents.solvers import PolicySolver
from eva_env.boundary import name_of, score
from eva_env.game import Game
from eva_env.rewards import MissingEndPenalty
from eva_env.types import Floats, RewardModel, Round
from eva_env.world import World
from experiments.run.errors import UserError, is_out_of_memory, out_of_memory
from experiments.run.fitting import check_prompts, fits_of
from experiments.run.judging import Judge, judge_of
from experiments.run.rewards import has_two_rewards, reads_start, reward_of, training_reward
from experiments.run.rewriting import response_rewriter, seen_task, writing_model
from experiments.run.seeds import spawned
from experiments.run.settings import Settings, check
from experiments.run.setup import files_of, load_policy, make_env, pinned, start_of
from experiments.run.similarity import similarity_of
from experiments.run.start import Start
from experiments.run.state import State, modules_of


@dataclass
class Match:
    """A creator and a solver in an environment; ``state_dict`` makes the match resumable."""

    env: Any
    creator: Creator
    solver: PolicySolver
    rngs: tuple[np.random.Generator, np.random.Generator]
    start: Start
    """The policy before the first round."""
    budget: Budget = field(default_factory=Budget)
    similarity: Similarity | None = None
    """How prompts of real text are compared."""
    judge: Judge | None = None
    """The reward that decides in evaluations; None: the world's gold."""

    @classmethod
    def open(cls, settings: Settings) -> "Match":
        """Return a match before its first round; UserError for settings that do not fit."""
        env_seed, creator_seed, solver_seed = spawned(settings.seed)
        world = pinned(settings.task)  # before anything is loaded
        policy = start_of(settings, world)
        start = starting(settings, policy)
        try:
            # 1. What costs nothing is checked first.
            check(settings)
            check_prompts(world, policy)
            settings.guards.check(prompt for suite in world.suites.values() for prompt in suite)
            # 2. Rewards, environment and players.
            similarity = similarity_of(world, settings.similarity)
            writer = writing_model(settings.rewriter, policy, settings.device)
            env, judge = opened_env(settings, world, policy, writer, start)
            game: Any = env.unwrapped.game
            solver = PolicySolver(
                policy,
                settings.solver,
                PresentReward(game),
                response_rewriter(
                    world, settings.rewriting, writer, settings.sampling.max_tokens
                ),
                start,
                settings.limits,
            )
        except (ValueError, FileNotFoundError) as error:
            raise UserError(" ".join(str(error).split())) from error
        env.reset(seed=int(env_seed.generate_state(1)[0]))
        embed = getattr(similarity, "embed", None)
        creator = guarded(copy.deepcopy(settings.creator), settings.guards, embed)
        rngs = np.random.default_rng(creator_seed), np.random.default_rng(solver_seed)
        return cls(env, creator, solver, rngs, start, similarity=similarity, judge=judge)

    def rounds(self) -> Iterator[Round]:
        """Play to the end; UserError for what the game or a player refuses."""
        try:
            yield from play(self.env, self.creator, self.solver, self.rngs, self.budget)
        except (ValueError, FloatingPointError) as error:
            raise UserError(" ".join(str(error).split())) from error
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise out_of_memory(error) from error

    def checkpoint(self) -> State:
        """Return ``state_dict()`` as data, less the weights that the policy's folder holds.

        Raises ValueError for a part whose state is no data.
        """
        state = self.state_dict()
        if self.start.has_files:
            state["solver"] = {k: v for k, v in state["solver"].items() if k != "policy"}
        return State.of(state, self._unchanging)

    def restore(self, folder: Path, saved: State) -> None:
        """Restore ``checkpoint()``; ``folder`` is where the policy saved itself."""
        parts = self.creator, self.solver.method, self.solver.policy, self.env.unwrapped.task
        models = self.env.unwrapped.game.first_models.values()
        state = saved.value(self._unchanging, modules_of(*parts, *models))
        if "policy" not in state["solver"]:
            policy: Any = self.solver.policy
            policy.restore(folder)
        self.load_state_dict(state)

    @property
    def _unchanging(self) -> dict[str, Any]:
        """What every opening of the settings makes again, in the shape of ``state_dict``."""
        return {"env": {"game": self.env.unwrapped.game.first_models}}

    def state_dict(self) -> dict[str, Any]:
        """Return everything that changes during play.

        The starting policy is in it only if the settings cannot make it again.
        """
        start = {} if self.start.has_files else {"start": self.start().state_dict()}
        return {
            **start,
            "env": self.env.unwrapped.state_dict(),
            "creator": self.creator.state_dict(),
            "solver": self.solver.state_dict(),
            "rngs": [rng.bit_generator.state for rng in self.rngs],
            "budget": asdict(self.budget),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``, so that play continues bit for bit."""
        self.env.unwrapped.load_state_dict(state["env"])
        self.creator.load_state_dict(state["creator"])
        self.solver.load_state_dict(state["solver"])
        if not self.start.has_files:
            self.start().load_state_dict(state["start"])
        for rng, generator_state in zip(self.rngs, state["rngs"], strict=True):
            rng.bit_generator.state = generator_state
        self.budget = Budget(**state["budget"])
        if not all(type(spent) is int and spent >= 0 for spent in state["budget"].values()):
            raise ValueError(f"the budget {state['budget']} is no count")
        for parameter in self.solver.policy.parameters():
            if not parameter.isfinite().all():
                raise ValueError("the policy holds NaN or infinity")


@dataclass(frozen=True)
class PresentReward:
    """The reward model that a game's solver has now, checked at the boundary of the game."""

    game: Game
    nan_is_missing: ClassVar[bool] = True
    """NaN is missing: a call has checked what the game's reward model declares."""

    @property
    def __name__(self) -> str:
        return name_of(self.game.reward_model)

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the rewards (B, n) of the responses."""
        return score(self.game.reward_model, prompts, responses, self.game.limits)


def starting(settings: Settings, policy: Policy) -> Start:
    """Return the starting policy of a match, given the policy before its first update."""
    files = files_of(settings.task, settings.policy)
    if files is None:
        return Start(policy, None)

    def read() -> Policy:
        return load_policy(settings.task, files, settings.sampling, settings.device)

    return Start(policy, read, settings.solver.uses_initial or reads_start(settings))


def opened_env(
    settings: Settings, world: World, policy: Policy, writer: Any, start: Start
) -> tuple[Any, Judge]:
    """Return the environment with its rewards, and the judge; ``writer`` rewrites prompts."""
    reward, creator_reward, judge = rewards_of(settings, start)
    if settings.missing_end_penalty:
        reward = MissingEndPenalty(settings.missing_end_penalty).over(reward)
    env = make_env(
        world,
        reward,
        settings.signal,
        creator_reward,
        batch_size=settings.prompts,
        samples=settings.samples,
        max_cycles=settings.rounds,
        task=seen_task(world, settings.rewriter, settings.rewriting, writer),
        fits=fits_of(policy),
        limits=settings.limits,
    )
    return env, judge


def rewards_of(
    settings: Settings, start: Start
) -> tuple[RewardModel, RewardModel | None, Judge]:
    """Return the rewards that train and pay the creator (None: the same), and the judge."""
    world, device = settings.task, settings.device
    training = training_reward(
        world,
        settings.reward,
        settings.reward_model,
        settings.judge,
        device,
        start,
        settings.limits,
    )
    paying = None
    if settings.creator_reward is not None and has_two_rewards(settings):
        paying = reward_of(
            settings.creator_reward, world, device, "creator reward", start, settings.limits
        )
    return training, paying, judge_of(settings, training, device, start)
