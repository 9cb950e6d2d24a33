"""A creator, a solver and an environment, with everything that a resumed run needs."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from agents.base import Budget, Creator
from agents.creators.guarded import guarded
from agents.play import play
from agents.solvers import PolicySolver
from eva_env.types import Round
from experiments.run.errors import UserError
from experiments.run.settings import Settings, check
from experiments.run.setup import load_policy, make_env, training_reward


@dataclass
class Match:
    """A creator and a solver in an environment; ``state_dict`` makes the match resumable."""

    env: Any
    creator: Creator
    solver: PolicySolver
    rngs: tuple[np.random.Generator, np.random.Generator]
    budget: Budget = field(default_factory=Budget)

    @classmethod
    def open(cls, settings: Settings) -> "Match":
        """Set up a match at its start; settings that a constructor rejects are a UserError."""
        env_seed, creator_seed, solver_seed = np.random.SeedSequence(settings.seed).spawn(3)
        world, start = settings.task, copy.deepcopy(settings.policy)
        policy = load_policy(world, start, settings.sampling)
        try:
            check(settings)
            settings.guards.check(p for suite in world.suites.values() for p in suite)
            env = make_env(
                world,
                training_reward(world, settings.reward, settings.reward_model),
                settings.signal,
                batch_size=settings.prompts,
                samples=settings.samples,
                max_cycles=settings.rounds,
            )
            game: Any = env.unwrapped.game
            solver_player = PolicySolver(
                policy,
                settings.solver,
                lambda prompts, responses: game.reward_model(prompts, responses),
                world.response_rewriter(),
            )
        except (ValueError, FileNotFoundError) as error:
            raise UserError(" ".join(str(error).split())) from error
        env.reset(seed=int(env_seed.generate_state(1)[0]))
        return cls(
            env,
            guarded(copy.deepcopy(settings.creator), settings.guards),
            solver_player,
            (np.random.default_rng(creator_seed), np.random.default_rng(solver_seed)),
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
