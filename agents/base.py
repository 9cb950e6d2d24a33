"""The interfaces of the two players: what a creator and a solver must and may define.

Every round, ``agents.play.play`` calls the players in this order::

    creator.on_start(solver)                          once, before the first round
    proposal  = creator.propose(task, n, rng)         N prompts and their logits
    responses = solver.respond(prompts, n, rng)       to the B prompts drawn by the env
    logs      = solver.learn(round, rng)              if creator.should_train_solver(round)
    observed  = creator.observe_round(round, replay, rng)
    logs      = creator.learn(observed, rng)

A creator must define ``propose``, a solver ``respond``; all other methods have defaults.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from eva_env.game import Game
from eva_env.missing import mean_reward
from eva_env.types import Floats, Proposal, Round, Task

Logs = Mapping[str, float]
"""Finite numbers by name, which the record of a run keeps for every round."""

Grid = dict[str, tuple[float, ...]]
"""Settings to tune, and the factors to try on each: increasing, with 1 among them."""

THREES = (1 / 3, 1.0, 3.0)
"""The usual factors: a third, unchanged, and threefold."""


class Creator(ABC):
    """The player that publishes a prompt distribution every round.

    A subclass is a dataclass. Its fields are its settings, so the object is its own
    configuration. What changes during play is held in plain attributes that ``__post_init__``
    sets, so that neither records nor the command line take it for a setting.
    """

    grid: ClassVar[Grid] = {}
    """Settings that a fair comparison tunes, next to the solver's."""

    def __post_init__(self) -> None:  # noqa: B027 - most need not
        """Check the settings and set the attributes that change during play."""

    # The moves of a round

    @abstractmethod
    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Return at most n valid prompts of the task, with logits, for the coming round."""

    def observe_round(self, round: Round, replay: "Replay", rng: np.random.Generator) -> Round:
        """Return the round that ``learn`` reads: by default the round as it was played.

        Called after the solver has learned. ``replay()`` answers the same prompts again. The
        rewards are those of the creator's reward model, if it has its own.
        """
        return round

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Learn from the round that ``observe_round`` returned; return numbers to log.

        Prompts without a signal, since too few of their responses have a reward, are left out
        of it, and without any other prompt it is not called. A reward that is still NaN is
        missing; see ``eva_env.missing``.
        """
        return {}

    # Hooks that most creators leave alone

    def check_task(self, task: Task) -> None:  # noqa: B027 - most play every task
        """Raise ValueError if the creator cannot play the task; called before a run starts."""

    def on_start(self, solver: "Solver") -> None:  # noqa: B027 - most need not
        """Receive the solver; called before play starts or resumes, before it has learned."""

    def should_train_solver(self, round: Round) -> bool:
        """Return whether the solver learns from this round; by default it always does."""
        return True

    @property
    def counts_passes(self) -> bool:
        """True if the creator counts responses that pass a threshold of reward."""
        return False

    @property
    def needs_logprobs(self) -> bool:
        """True if the creator reads the solver's log-probabilities of its responses."""
        return False

    # Saving

    def state_dict(self) -> dict[str, Any]:
        """Return what changes during play, picklable: copies of all attributes but settings."""
        settings = (
            {field.name for field in fields(self) if field.init} if is_dataclass(self) else ()
        )
        return {name: copy(value) for name, value in vars(self).items() if name not in settings}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a ``state_dict()``."""
        for name, value in state.items():
            setattr(self, name, copy(value))


class Solver(ABC):
    """The player that responds to prompts, and that may learn from the rewards."""

    @abstractmethod
    def respond(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Any:
        """Return n responses to each of B prompts, (B, n) strings or integers."""

    def respond_for_evaluation(
        self, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Return n responses to each prompt, to be evaluated by; by default those of play."""
        return self.respond(prompts, n, rng)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Learn from a finished round, in which missing rewards are NaN; return numbers to log.

        The loop adds ``gradient_steps``, where it is among them, to the budget.
        """
        return {}

    @property
    def tokens(self) -> int:
        """Tokens sampled since the solver was made; 0 if its responses have none."""
        return 0

    @property
    def reward_calls(self) -> int:
        """Responses that the solver itself has had scored, as best-of-n does."""
        return 0

    def twin(self) -> Self:
        """Return an independent copy, which learns separately."""
        return deepcopy(self)

    def logprobs(self, round: Round) -> Floats:
        """Return the current mean log-probability per token of each response, (B, n) nats.

        Raises ValueError for a solver without a policy.
        """
        raise ValueError(
            f"{type(self).__name__} has no log-probabilities of its responses; take a solver "
            f"with a policy, or a signal that reads rewards alone"
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what changes during play, picklable."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - stateless by default
        """Continue from a ``state_dict()``."""


@dataclass
class Budget:
    """The amounts that a run has spent; comparisons are made at equal budget."""

    prompts: int = 0
    """Prompts drawn by the environment."""
    responses: int = 0
    """Responses to them, those of replays included."""
    tokens: int = 0
    """Tokens of all responses that were sampled."""
    creator_tokens: int = 0
    """Tokens that a language model wrote to rewrite prompts and to rate them; ``tokens`` has
    none of them, even if the model is the solver's."""
    reward_calls: int = 0
    """Responses scored by a reward model."""
    gradient_steps: int = 0
    """Updates of solvers' parameters."""

    def add(self, **spent: int) -> None:
        """Add amounts by name."""
        for name, amount in spent.items():
            setattr(self, name, getattr(self, name) + amount)


@dataclass
class Replay:
    """Answers a round's prompts again, on a fork of the game.

    Whatever it spends is added to the budget. The game and its generator stay unchanged.
    """

    drawn: Game
    """A fork of the game that has drawn the prompts and waits for responses."""

    proposal: Proposal
    """The creator's proposal, with its genealogy."""

    solver: Solver
    """The solver that has learned from the round."""

    rng: np.random.Generator
    """Draws the responses: the solver's generator."""

    budget: Budget
    """Is charged for what a replay spends."""

    def __call__(self, solver: Solver | None = None) -> Round:
        """Return the round as the solver, or another one, answers its prompts now.

        Its rewards are those that the creator reads.
        """
        solver = self.solver if solver is None else solver
        game = self.drawn.fork()
        tokens, calls = solver.tokens, solver.reward_calls
        responses = solver.respond(game.prompts, game.samples, self.rng)
        round = replace(game.respond(responses), proposal=self.proposal)
        self.budget.add(responses=round.rewards.size, reward_calls=game.reward_calls)
        self.budget.add(tokens=solver.tokens - tokens, reward_calls=solver.reward_calls - calls)
        return round.for_other_player()

    def train(self, solver: Solver, round: Round) -> Logs:
        """Let another solver learn from a round that this replay gave; return its logs."""
        tokens, calls = solver.tokens, solver.reward_calls
        round = round.for_other_player()
        logs = solver.learn(round, self.rng) if mean_reward(round.rewards) is not None else {}
        self.budget.add(gradient_steps=int(logs.get("gradient_steps", 0)))
        self.budget.add(tokens=solver.tokens - tokens, reward_calls=solver.reward_calls - calls)
        return logs

    def logprobs(self, round: Round) -> Floats:
        """Return the mean log-probability per token of the round's responses, (B, n) nats."""
        return self.solver.logprobs(round)
