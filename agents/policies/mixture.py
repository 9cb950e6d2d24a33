"""The geometric mixture of two causal language models' next tokens, as one model."""

from typing import Any, NamedTuple

import torch

from agents.policies.decoding import forward


class Caches(NamedTuple):
    """The key-value caches of two models that read the same tokens."""

    first: Any
    second: Any

    def batch_select_indices(self, kept: torch.Tensor) -> None:
        """Keep some rows of the batch."""
        self.first.batch_select_indices(kept)
        self.second.batch_select_indices(kept)


class State(NamedTuple):
    """The output of the mixture's forward pass: unnormalised logits, and both caches."""

    logits: torch.Tensor
    cache: Any


class Mixture(torch.nn.Module):
    """A model with p(token) proportional to first^(1 - weight) * second^weight, to decode from.

    The opponent of Nash-MD-PG, a token at a time; Munos et al. 2023 (arXiv 2312.00886). The
    mixture of whole responses, which their analysis has, differs for more than one token.
    """

    def __init__(self, first: Any, second: Any, weight: float) -> None:
        super().__init__()
        self.first, self.second, self.weight = first, second, weight
        self.generation_config = first.generation_config
        self.device, self.dtype = first.device, first.dtype

    def forward(self, cache: Caches | None = None, **arguments: Any) -> State:
        """Return mixed logits in nats, with both caches."""
        past = cache or Caches(None, None)
        # 1. Both models read the same tokens, each with its own cache.
        first, first_cache = forward(self.first, past.first, **arguments)
        second, second_cache = forward(self.second, past.second, **arguments)
        # 2. Log-probabilities, since logits of two models differ by arbitrary constants. The
        #    sampler's softmax normalises their weighted mean.
        logits = torch.lerp(first.log_softmax(-1), second.log_softmax(-1), self.weight)
        return State(logits, Caches(first_cache, second_cache))
