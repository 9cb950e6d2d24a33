"""The interface between a solver and a model."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch

from eva_env.types import offers


class Policy(Protocol):
    """The interface between a solver and a model; strings or integers in, nats out."""

    tokens: int
    """Response tokens sampled so far."""

    def sample(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Any:
        """Draw n responses to each of B prompts, (B, n)."""
        ...

    def greedy(self, prompts: Sequence[Any]) -> Any:
        """Return the response of the most likely tokens to each of B prompts, (B, 1)."""
        ...

    def logprobs(self, prompts: Sequence[Any], responses: Sequence[Any]) -> torch.Tensor:
        """Return the sum of a response's token log-probabilities, (P,) nats, differentiable."""
        ...

    def token_logprobs(self, prompts: Sequence[Any], responses: Sequence[Any]) -> torch.Tensor:
        """Return the log-probability of each token, (P, longest) nats, 0 after the end."""
        ...

    def lengths(self, responses: Sequence[Any]) -> torch.Tensor:
        """Return the tokens that ``logprobs`` sums over, (P,)."""
        ...

    def prompt_lengths(self, prompts: Sequence[Any]) -> torch.Tensor:
        """Return the tokens of the prompts as the model reads them, (P,)."""
        ...

    def features(self, prompts: Sequence[Any]) -> torch.Tensor:
        """Return a fixed-size representation of each prompt, (P, d), without gradients."""
        ...

    def mixture(self, other: Self, weight: float) -> Self:
        """Return a policy to sample from, self^(1 - weight) * other^weight for each token."""
        ...

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """Yield the parameters that an optimiser may change."""
        ...

    def frozen(self) -> Self:
        """Return an independent copy without gradients, for use as reference."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the parameters, by name."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Copy the parameters of ``state_dict()``."""
        ...

    def save(self, folder: Path) -> None:
        """Write a checkpoint for the policy's ``load``."""
        ...


class Tempered(Policy, Protocol):
    """A policy whose samples may come from another distribution than ``logprobs`` describes."""

    def as_sampled(self) -> Self:
        """Return the policy with the log-probabilities of what ``sample`` draws.

        It shares the parameters. Raises ValueError, with the remedy, where they are unknown.
        """
        ...


def as_sampled(policy: Any) -> Any:
    """Return ``policy.as_sampled()``; a policy without that method samples from itself."""
    return policy.as_sampled() if offers(policy, Tempered) else policy
