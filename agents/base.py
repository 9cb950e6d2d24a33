"""What a player is: the contracts of creators, solvers and policies."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from copy import copy, deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
import torch

from eva_env.types import Floats, Proposal, Round, Task

if TYPE_CHECKING:
    from agents.play import Replay

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

    def meet(self, solver: "Solver") -> None:  # noqa: B027 - most need not
        """Know the solver before it has learned; called when play begins, or goes on."""

    def teaches(self, round: Round) -> bool:
        """Whether the solver may learn from a round that this creator has proposed."""
        return True

    def watch(self, round: Round, replay: "Replay", rng: np.random.Generator) -> Round:
        """What ``learn`` is to read: the round as it was played, or played once more.

        Called when the solver has learned; ``replay`` lets the same prompts be answered anew.
        """
        return round

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Read a finished round, as ``watch`` gave it; returns numbers worth logging."""
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

    def answer(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Any:
        """The n responses to each prompt that it is judged by; by default as in play."""
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


class Policy(Protocol):
    """Everything between a solver and a model; strings or integers in, nats out."""

    tokens: int
    """Response tokens sampled so far."""

    def sample(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Any:
        """Draw n responses to each of B prompts, (B, n)."""
        ...

    def greedy(self, prompts: Sequence[Any]) -> Any:
        """The response of the most likely tokens to each of B prompts, (B, 1)."""
        ...

    def logprobs(self, prompts: Sequence[Any], responses: Sequence[Any]) -> torch.Tensor:
        """Sum of the response's token log-probabilities, (P,) nats, differentiable."""
        ...

    def token_logprobs(self, prompts: Sequence[Any], responses: Sequence[Any]) -> torch.Tensor:
        """Log-probability of each response token, (P, longest) nats, 0 behind the end."""
        ...

    def lengths(self, responses: Sequence[Any]) -> torch.Tensor:
        """Tokens that ``logprobs`` sums over, (P,)."""
        ...

    def prompt_lengths(self, prompts: Sequence[Any]) -> torch.Tensor:
        """Tokens of the prompts as the model reads them, (P,)."""
        ...

    def features(self, prompts: Sequence[Any]) -> torch.Tensor:
        """A fixed-size representation of each prompt, (P, d), without gradients."""
        ...

    def mixture(self, other: Self, weight: float) -> Self:
        """A policy to sample from, proportional to own^(1 - weight) * other^weight by token."""
        ...

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """Yield what an optimiser may change."""
        ...

    def frozen(self) -> Self:
        """An independent copy without gradients, for use as reference."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """The parameters, by name."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Take over the parameters of ``state_dict()``."""
        ...

    def save(self, folder: Path) -> None:
        """Write a checkpoint that the policy's ``load`` reads."""
        ...
