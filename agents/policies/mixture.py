"""The geometric mixture of two causal language models' next tokens, as one model."""

from typing import Any, NamedTuple

import torch

from agents.policies.attention import unwrap


class Caches(NamedTuple):
    """The key-value caches of two models that read the same tokens."""

    first: Any
    second: Any

    def batch_select_indices(self, kept: torch.Tensor) -> None:
        """Keep some rows of the batch."""
        self.first.batch_select_indices(kept)
        self.second.batch_select_indices(kept)


class Mixture(torch.nn.Module):
    """A model with p(token) proportional to first^(1 - weight) * second^weight, to decode from.

    The opponent of Nash-MD-PG, a token at a time; Munos et al. 2023 (arXiv 2312.00886). The
    mixture of whole responses, which their analysis has, differs for more than one token.
    ``agents.policies.side_by_side.forward`` reads it.
    """

    def __init__(self, first: Any, second: Any, weight: float) -> None:
        super().__init__()
        self.first, self.second, self.weight = first, second, weight
        self.config = unwrap(first).config
        self.generation_config = unwrap(first).generation_config

    def mix(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Return unnormalised logits of the mixture from those of both models, in nats.

        Log-probabilities are mixed, since logits of two models differ by arbitrary constants.
        """
        first, second = first.float().log_softmax(-1), second.float().log_softmax(-1)
        return torch.lerp(first, second, self.weight)
