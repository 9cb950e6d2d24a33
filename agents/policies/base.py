"""What a policy is: everything between a solver and a model."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch


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
