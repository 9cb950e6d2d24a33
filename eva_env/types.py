"""The records and protocols that the game and its players exchange.

A creator proposes prompts (``Proposal``), a solver responds, a reward model scores
(``RewardModel``), and the finished round is a ``Round``. Prompts come from a ``Task``. The
protocols below ``Task`` are optional hooks: a reward model or a task that implements one can
do more, and ``offers`` tests for them.

Shape letters, used in every module: N proposed prompts, B drawn prompts (the batch), n
responses to each prompt, K prompts and M responses of a tabular world, T rounds. A *reward*
is the reward model's number for a response; a *payoff* is the game's number for a player.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Protocol, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

CREATOR = "creator_0"
SOLVER = "solver_0"

# Records


@dataclass(frozen=True, slots=True)
class Proposal:
    """The creator's action: N prompts, and the logits (N,) of a distribution over them.

    Prompts are strings in a text world and integers in a tabular world; ``""`` is an unused
    slot. ``parents`` and ``operators`` give the origin of each prompt, or None for a prompt
    that was not rewritten from another; both may be empty. Players and records read them; the
    rules do not.
    """

    prompts: Sequence[Any]
    logits: Floats
    parents: Sequence[Any] = ()
    operators: Sequence[str | None] = ()


@dataclass(frozen=True, slots=True)
class Round:
    """One finished round; learners, metrics and records read this and nothing else."""

    index: int
    """Position in the episode, from 0."""
    proposal: Proposal
    """The creator's action."""
    prompts: Sequence[Any]
    """The batch (B,) that the game drew from the proposal."""
    responses: Any
    """The solver's responses, (B, n) strings or integers."""
    rewards: Floats
    """Rewards (B, n), in reward-model units; NaN where a reward is missing."""
    signal: Floats
    """The creator's payoff by prompt, (B,); NaN where too many rewards are missing."""
    payoffs: Mapping[str, float]
    """Payoff by player, under the names ``CREATOR`` and ``SOLVER``."""
    invalid: float = 0.0
    """Probability, in [0, 1], that the proposal gave to prompts that the task rejects."""
    logs: Mapping[str, float] = field(default_factory=dict)
    """Numbers that the players report about their learning; the rules leave it empty."""
    logprobs: Floats | None = None
    """The solver's mean log-probability per token of each response, (B, n), in nats; None
    unless a player computed it."""
    other_rewards: Floats | None = None
    """Rewards (B, n) by the other player's reward model: the creator's in the round that the
    game returns and the solver learns from, the solver's in the round that the creator learns
    from. None if one reward model serves both."""

    def for_other_player(self) -> "Round":
        """Return the round as the other player reads it: with its rewards as ``rewards``."""
        if self.other_rewards is None:
            return self
        return replace(self, rewards=self.other_rewards, other_rewards=self.rewards)


# What every world needs


class RewardModel(Protocol):
    """The dynamics of the game: any callable that scores (B, n) responses to B prompts.

    Optional hooks: ``KnowsBest``, ``Advances``, ``HasMatrix``, ``DeclaresNoise``,
    ``DeclaresMissing``, and ``eva_env.rewards.comparisons.Refittable``.
    """

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the rewards (B, n) of the responses, in the model's own units.

        None in a list marks a response that could not be scored, and so does NaN if the model
        declares it (``DeclaresMissing``); see ``eva_env.missing``. All other rewards must be
        finite real numbers; see ``eva_env.boundary``.
        """
        ...


class Task(Protocol):
    """The source of prompts: a seed distribution, rewrite operators, and evaluation suites.

    Any object with these members is a task. To name it in a command, derive it from
    ``eva_env.world.World``, which adds its rewards, starting policy and environment.
    Optional hooks: ``RewritesInBatch``, ``LimitsAttempts``, ``RatesComplexity``,
    ``RatesComplexityInBatch``, ``GroupsOperators`` and ``Enumerable``.
    """

    @property
    def operators(self) -> Sequence[str]:
        """Names of the rewrite operators that ``mutate`` accepts."""
        ...

    @property
    def suites(self) -> Mapping[str, Sequence[Any]]:
        """Fixed evaluation prompts by suite name; no creator ever sees them."""
        ...

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[Any]:
        """Draw n prompts from a named distribution, none of them in a suite."""
        ...

    def mutate(self, prompt: Any, operator: str, rng: np.random.Generator) -> Any | None:
        """Rewrite a prompt by one operator; return None if the operator does not apply."""
        ...

    def valid(self, prompt: Any) -> bool:
        """Return whether the task accepts the prompt."""
        ...

    def topic(self, prompt: Any) -> str:
        """Return the subject of the prompt, for topic-balanced drawing."""
        ...


# Optional hooks of a reward model


class KnowsBest(RewardModel, Protocol):
    """A reward model that knows the best attainable reward, so the game can pay true regret."""

    def best(self, prompts: Sequence[Any]) -> Floats:
        """Return the highest attainable mean reward of each prompt, (B,)."""
        ...


Likelihood = Callable[[Sequence[Any], Sequence[Sequence[Any]]], Floats]
"""Prompts (P,) and some responses to each, R in all -> mean log-probabilities per token (R,),
in nats, in the order of the responses."""


class ReadsLikelihood(RewardModel, Protocol):
    """A reward model that also reads how likely a response is under the starting policy."""

    def with_likelihood(self, likelihood: Likelihood) -> RewardModel:
        """Return the same reward model, which calls ``likelihood``."""
        ...


class Advances(RewardModel, Protocol):
    """A reward model that changes between rounds: it drifts, redraws noise or is refitted."""

    def advance(self, round: Round) -> RewardModel:
        """Return the model of the next round.

        The model itself must not change, so that forks and resumed runs stay exact.
        """
        ...


class HasMatrix(RewardModel, Protocol):
    """A reward model over integers whose mean rewards are known."""

    @property
    def matrix(self) -> Floats:
        """Mean rewards (K, M)."""
        ...


class DeclaresNoise(RewardModel, Protocol):
    """A reward model that declares whether it draws noise."""

    @property
    def random(self) -> bool:
        """True if the same response can get different rewards."""
        ...


class DeclaresMissing(RewardModel, Protocol):
    """A reward model that declares what NaN among its rewards means."""

    @property
    def nan_is_missing(self) -> bool:
        """True if NaN marks a response that could not be scored. Without it NaN is an error."""
        ...


# Optional hooks of a task


class RewritesInBatch(Task, Protocol):
    """A task that rewrites many prompts in one call, as a language model does."""

    def mutate_all(
        self, prompts: Sequence[Any], operators: Sequence[str], rng: np.random.Generator
    ) -> list[Any | None]:
        """Rewrite each prompt by its operator; None where the operator does not apply."""
        ...


class LimitsAttempts(Task, Protocol):
    """A task whose rewrites are costly, and whose prompts are so many that none need repeat."""

    @property
    def attempts(self) -> int:
        """Most attempts at one rewrite, each by the next operator; at least 1."""
        ...


class RatesComplexity(Task, Protocol):
    """A task that rates how much a prompt demands."""

    def complexity(self, prompt: Any) -> float:
        """Return the complexity of the prompt, in the task's own units."""
        ...


class RatesComplexityInBatch(Task, Protocol):
    """A task that rates many prompts in one call; it takes precedence over ``complexity``."""

    def complexity_all(self, prompts: Sequence[Any], rng: np.random.Generator) -> Floats:
        """Return the complexity of each of Q prompts, (Q,)."""
        ...


class WeighsOperators(Task, Protocol):
    """A task whose operators are not meant to be drawn equally often."""

    @property
    def operator_weights(self) -> Mapping[str, float]:
        """Relative frequency of each operator, where a creator has no preference."""
        ...


class GroupsOperators(Task, Protocol):
    """A task that groups its operators by purpose. Each group is optional on its own."""

    @property
    def depth(self) -> Sequence[str]:
        """Operators that make a prompt harder."""
        ...

    @property
    def breadth(self) -> Sequence[str]:
        """Operators that lead to a different prompt."""
        ...

    @property
    def quality(self) -> Sequence[str]:
        """Operators that enrich a prompt."""
        ...


class Enumerable(Task, Protocol):
    """A task with finitely many prompts, as integers."""

    @property
    def trainable(self) -> Ints:
        """Every prompt that a creator may publish, increasing."""
        ...


Hook = TypeVar("Hook")


def offers(part: object, hook: type[Hook]) -> TypeGuard[Hook]:
    """Return whether a task or a reward model has every member that a hook protocol adds.

    It looks at the object, not at its class as ``isinstance`` does from Python 3.12 on: a
    wrapper has ``best`` only if the mean rewards of its base are known.
    """
    return all(hasattr(part, name) for name in _members(hook))


@cache
def _members(hook: type) -> tuple[str, ...]:
    return tuple(name for name in vars(hook) if not name.startswith("_"))
