"""A solver that is a policy and the method by which the policy learns from rounds."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from agents.base import Grid, Logs, Solver
from agents.evolution.writing import Written
from agents.policies.base import Policy, as_sampled
from agents.policies.batches import token_logprobs
from agents.solvers.optimise import OptimizerSettings
from eva_env.boundary import NO_LIMITS, Limits
from eva_env.types import Floats, RewardModel, Round

ResponseRewriter = Callable[[Sequence[Any], Sequence[Any], np.random.Generator], Sequence[Any]]
"""Rewrites responses: prompts (P,) and responses (P,) -> better responses (P,)."""

Reference = Literal["round", "initial"]
"""A reference model: the policy at the start of the round, or at the start of the run."""


class PolicySolver(Solver):
    """A solver that responds by a policy, which a method trains after each round.

    Args:
        policy: the model.
        method: how the solver responds and learns.
        reward_model: scores the candidates of methods that choose among them (best-of-n).
        response_rewriter: rewrites responses, for methods that train on rewritten ones.
        limits: the time that the method may take to respond.
        initial: returns the frozen policy that the run started from. None: a copy made now,
            which ``state_dict`` then holds too.

    Raises ValueError if the method needs one of these and it is not given.
    """

    def __init__(
        self,
        policy: Policy,
        method: "Method",
        reward_model: RewardModel | None = None,
        response_rewriter: ResponseRewriter | None = None,
        initial: Callable[[], Policy] | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self.policy, self.method, self.limits = policy, method, limits
        self.reward_model, self.response_rewriter = reward_model, response_rewriter
        self._copy = policy.frozen() if initial is None else None
        self._initial = initial
        self.optimizer: torch.optim.Optimizer | None = None
        self.memory: dict[str, Any] = {}
        self.scored = 0
        method.check(self)

    @property
    def initial(self) -> Policy:
        """The policy that the run started from, frozen."""
        if self._copy is not None:
            return self._copy
        assert self._initial is not None
        return self._initial()

    def respond(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Any:
        """Return the n responses to each prompt that the method learns from."""
        name = f"{type(self.method).__name__}.respond"
        return self.limits.of_response(lambda: self.method.respond(self, prompts, n, rng), name)

    def respond_for_evaluation(
        self, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Return the n responses to each prompt that the solver is evaluated by."""
        return self.method.respond_for_evaluation(self, prompts, n, rng)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Let the method update the policy."""
        return self.method.update(self, round, rng)

    def logprobs(self, round: Round) -> Floats:
        """Return the mean log-probability per token of a round's responses now, (B, n) nats."""
        flat = [response for row in round.responses for response in row]
        total = token_logprobs(self.policy, round.prompts, round.responses).sum(-1)
        mean = total.cpu() / self.policy.lengths(flat).cpu().clamp(min=1)
        return mean.double().numpy().reshape(np.shape(round.rewards))

    @property
    def tokens(self) -> int:
        """Tokens sampled so far, those of a language model that rewrites responses too."""
        rewriter = self.response_rewriter
        if getattr(rewriter, "policy", self.policy) is self.policy:
            return self.policy.tokens
        return self.policy.tokens + Written.of(rewriter).tokens

    @property
    def reward_calls(self) -> int:
        """Responses that the method has scored on its own account."""
        return self.scored

    def state_dict(self) -> dict[str, Any]:
        """Return policy, optimiser and the method's memory, and a copied starting policy."""
        copied = {} if self._copy is None else {"initial": self._copy.state_dict()}
        return {
            "policy": self.policy.state_dict(),
            **copied,
            "optimizer": self.optimizer.state_dict() if self.optimizer else None,
            "memory": dict(self.memory),
            "tokens": self.policy.tokens,
            "scored": self.scored,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state_dict()``; without ``policy``, with the weights as they are."""
        if "policy" in state:
            self.policy.load_state_dict(state["policy"])
        if self._copy is not None and "initial" in state:
            self._copy.load_state_dict(state["initial"])
        self.memory, self.scored = dict(state["memory"]), state["scored"]
        self.policy.tokens = state["tokens"]
        self.optimizer = None
        if state["optimizer"] is not None:
            assert isinstance(self.method, OptimizerSettings)
            optimizer = self.method.optimizer(self.policy)
            optimizer.load_state_dict(state["optimizer"])
            self.optimizer = optimizer

    def reference(self, which: Reference) -> Policy:
        """Return the current policy, which is that of the round's start, or the initial one."""
        return self.policy if which == "round" else self.initial

    def token_logprobs(
        self,
        which: Reference,
        prompts: Sequence[Any],
        responses: Sequence[Sequence[Any]],
        sampled: bool = False,
    ) -> Tensor:
        """Return log-probabilities by token of k responses to I prompts, (I * k, longest).

        ``sampled`` takes those of the distribution that the policy samples from, at its
        temperature, in the place of the model's.
        """
        policy = self.reference(which)
        return token_logprobs(as_sampled(policy) if sampled else policy, prompts, responses)


@dataclass(frozen=True)
class Method(ABC):
    """A learning rule: it responds for a solver and trains its policy on rounds.

    A method has settings only; what changes in play is in the solver (``policy``, ``optimizer``
    and ``memory``), so one method may serve several solvers.
    """

    grid: ClassVar[Grid] = {}
    """The settings that a fair comparison tunes."""

    @property
    def uses_initial(self) -> bool:
        """True if updates or responses read the policy that the run started from.

        By default they do, unless the method's field ``reference`` says "round".
        """
        return getattr(self, "reference", "initial") != "round"

    @abstractmethod
    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Train the solver's policy on a round; return ``gradient_steps`` and other numbers."""

    def check(self, solver: PolicySolver) -> None:  # noqa: B027 - most need nothing
        """Raise ValueError if the solver lacks what the method needs."""

    def respond(
        self, solver: PolicySolver, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Return responses (B, n) to learn from: samples of the policy."""
        return solver.policy.sample(prompts, n, rng)

    def respond_for_evaluation(
        self, solver: PolicySolver, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Return responses (B, n) to be evaluated by: samples of the policy."""
        return solver.policy.sample(prompts, n, rng)
