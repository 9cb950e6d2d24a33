"""The records and protocols that cross the boundary between the game and its players.

Shape letters, used everywhere: N proposed prompts, B drawn prompts, n responses per prompt,
K prompts and M responses of a tabular world, T rounds. A *reward* is what the reward model
gives a response; a *payoff* is what the game pays a player.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

CREATOR = "creator_0"
SOLVER = "solver_0"


@dataclass(frozen=True, slots=True)
class Proposal:
    """The creator's action: N prompts and the logits of the distribution over them.

    Prompts are strings in a text world and integers in a tabular one; ``""`` is an unused
    slot. ``parents`` and ``operators`` are the prompts' genealogy: None for a prompt that
    was not rewritten from another. Players and records read it, the rules do not.
    """

    prompts: Sequence[Any]
    logits: Floats
    parents: Sequence[Any] = ()
    operators: Sequence[str | None] = ()


@dataclass(frozen=True, slots=True)
class Round:
    """One finished round; learners, metrics and logs read this and nothing else.

    ``prompts`` (B,), ``responses`` (B, n), ``rewards`` (B, n) in reward-model units,
    ``signal`` (B,) the creator's payoff by prompt, ``payoffs`` by player, ``invalid`` the
    probability in [0, 1] that the proposal had put on prompts that the task rejects.
    ``logs`` is what the players reported of their learning; the rules leave it empty.
    ``logprobs`` (B, n) is the solver's mean log-probability per token, nats; there only
    where a player asked for them.
    """

    index: int
    proposal: Proposal
    prompts: Sequence[Any]
    responses: Any
    rewards: Floats
    signal: Floats
    payoffs: Mapping[str, float]
    invalid: float = 0.0
    logs: Mapping[str, float] = field(default_factory=dict)
    logprobs: Floats | None = None


class RewardModel(Protocol):
    """The dynamics: scores (B, n) responses to B prompts; any callable will do.

    Two optional methods make it more than a fixed scorer. ``advance(round) -> RewardModel``
    returns the model of the next round, so that rewards may drift or be retrained; a model
    is never changed in place, which is what keeps forks and resumed runs exact.
    ``best(prompts) -> (B,)`` gives the highest attainable reward, from which the game pays
    the true regret.
    """

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Rewards (B, n) of the responses, finite, in the model's own units."""
        ...


class Task(Protocol):
    """Where prompts come from: a seed distribution, rewrite operators, fixed suites.

    Optional, for creators that evolve: ``mutate_all(prompts, operators, rng)``, many rewrites
    in one call; ``complexity(prompt)`` or ``complexity_all(prompts, rng)``, how much a prompt
    asks for; ``depth``, ``breadth`` and ``quality``, names of the operators of each kind.
    """

    @property
    def operators(self) -> Sequence[str]:
        """Names of the rewrite operators that ``mutate`` accepts."""
        ...

    @property
    def suites(self) -> Mapping[str, Sequence[Any]]:
        """Fixed evaluation prompts by name; no creator is ever shown them."""
        ...

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[Any]:
        """Draw n fresh prompts of a named distribution, none of them in a suite."""
        ...

    def mutate(self, prompt: Any, operator: str, rng: np.random.Generator) -> Any | None:
        """The prompt rewritten by one operator; None where the operator does not apply."""
        ...

    def valid(self, prompt: Any) -> bool:
        """Whether the task accepts the prompt."""
        ...

    def topic(self, prompt: Any) -> str:
        """The prompt's subject, for topic-balanced drawing."""
        ...
