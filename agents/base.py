"""What a player is: the contracts of creators, solvers and policies."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from eva_env.game import Game
from eva_env.types import Floats, Proposal, Round, Task

Logs = Mapping[str, float]
Grid = dict[str, tuple[float, ...]]
"""Settings worth tuning: factors of each as configured, increasing, 1 among them."""

THREES = (1 / 3, 1.0, 3.0)


class Creator(ABC):
    """Publishes a prompt distribution every round.

    Subclasses are dataclasses: hyper-parameters are fields, so the object is its own
    configuration; what changes while playing is held in plain attributes, which
    ``__post_init__`` sets, so that no record or command line takes it for a setting.
    """

    grid: ClassVar[Grid] = {}
    """What a fair comparison tunes besides the solver's settings."""

    @abstractmethod
    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """At most n prompts of the task with logits, for the coming round."""

    def on_start(self, solver: "Solver") -> None:  # noqa: B027 - most need not
        """Know the solver before it has learned; called when play begins, or goes on."""

    def should_train_solver(self, round: Round) -> bool:
        """Whether the solver may learn from a round that this creator has proposed."""
        return True

    def observe_round(self, round: Round, replay: "Replay", rng: np.random.Generator) -> Round:
        """What ``learn`` is to read: the round as it was played, or played once more.

        Called when the solver has learned; ``replay`` lets the same prompts be answered anew.
        """
        return round

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Read a finished round, as ``observe_round`` gave it; returns numbers worth logging."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What changes while playing, picklable; by default copies of all but the settings."""
        fields = getattr(self, "__dataclass_fields__", {})
        settings = {name for name, spec in fields.items() if spec.init}
        return {name: copy(value) for name, value in vars(self).items() if name not in settings}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state_dict()``."""
        for name, value in state.items():
            setattr(self, name, copy(value))


class Solver(ABC):
    """Answers prompts, and may learn from the rewards."""

    @abstractmethod
    def respond(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Any:
        """Give n responses to each of B prompts: (B, n) strings or integers."""

    def respond_for_evaluation(
        self, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Return n responses to each prompt, to be evaluated by; by default those of play."""
        return self.respond(prompts, n, rng)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Learn from a finished round.

        Returns numbers worth logging; the loop meters ``gradient_steps`` if it is there.
        """
        return {}

    @property
    def tokens(self) -> int:
        """Tokens sampled since the solver was made; 0 where responses have none."""
        return 0

    @property
    def reward_calls(self) -> int:
        """Responses that the solver has had scored for itself, as best-of-n does."""
        return 0

    def twin(self) -> Self:
        """An independent copy, which learns on its own."""
        return deepcopy(self)

    def logprobs(self, round: Round) -> Floats:
        """Mean log-probability per token of a round's responses now, (B, n) nats.

        Raises ValueError for a solver that has no policy to ask.
        """
        raise ValueError(f"{type(self).__name__} gives no log-probabilities of its responses")

    def state_dict(self) -> dict[str, Any]:
        """What changes while playing, picklable."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - stateless by default
        """Continue from ``state_dict()``."""


@dataclass
class Budget:
    """What a run has spent; comparisons are made at equal budget."""

    prompts: int = 0
    responses: int = 0
    tokens: int = 0
    reward_calls: int = 0
    gradient_steps: int = 0

    def add(self, **spent: int) -> None:
        """Meter what was spent, by name."""
        for name, amount in spent.items():
            setattr(self, name, getattr(self, name) + amount)


@dataclass
class Replay:
    """A round's prompts once more, on a fork of the game, for a creator that wants to look.

    What it spends is metered; the game and its generator are left as they are.
    """

    drawn: Game
    proposal: Proposal
    solver: Solver
    rng: np.random.Generator
    budget: Budget

    def __call__(self, solver: Solver | None = None) -> Round:
        """The round as the solver, or another one, answers its prompts now."""
        solver = self.solver if solver is None else solver
        game = self.drawn.fork()
        tokens, calls = solver.tokens, solver.reward_calls
        responses = solver.respond(game.prompts, game.samples, self.rng)
        round = replace(game.respond(responses), proposal=self.proposal)
        self.budget.add(responses=round.rewards.size, reward_calls=round.rewards.size)
        self.budget.add(tokens=solver.tokens - tokens, reward_calls=solver.reward_calls - calls)
        return round

    def train(self, solver: Solver, round: Round) -> Logs:
        """Let another solver learn from a round; returns what it reports."""
        tokens, calls = solver.tokens, solver.reward_calls
        logs = solver.learn(round, self.rng)
        self.budget.add(gradient_steps=int(logs.get("gradient_steps", 0)))
        self.budget.add(tokens=solver.tokens - tokens, reward_calls=solver.reward_calls - calls)
        return logs

    def logprobs(self, round: Round) -> Floats:
        """Mean log-probability per token of the round's responses now, (B, n) nats."""
        return self.solver.logprobs(round)
