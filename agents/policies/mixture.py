"""Two causal language models that speak as one: the geometric mixture of their next tokens."""

from typing import Any, NamedTuple

import torch

from agents.policies.decoding import forward


class Caches(NamedTuple):
    """The key-value caches of two models that read the same tokens."""

    own: Any
    other: Any

    def batch_select_indices(self, kept: torch.Tensor) -> None:
        """Keep some rows of the batch."""
        self.own.batch_select_indices(kept)
        self.other.batch_select_indices(kept)


class State(NamedTuple):
    """What the mixture's forward returns: logits, unnormalised, and caches."""

    logits: torch.Tensor
    cache: Any


class Mixture(torch.nn.Module):
    """p(token) proportional to own^(1 - weight) * other^weight, as a model that is decoded.

    The opponent of Nash-MD-PG, a token at a time; Munos et al. 2023 (arXiv 2312.00886). The
    mixture of whole responses, which their analysis has, differs for more than one token.
    """

    def __init__(self, own: Any, other: Any, weight: float) -> None:
        super().__init__()
        self.own, self.other, self.weight = own, other, weight
        self.generation_config = own.generation_config
        self.device, self.dtype = own.device, own.dtype

    def forward(self, cache: Caches | None = None, **read: Any) -> State:
        """Mixed logits in nats of what both models read, and both caches."""
        past = cache or Caches(None, None)
        own, left = forward(self.own, past.own, **read)
        other, right = forward(self.other, past.other, **read)
        logits = torch.lerp(own.log_softmax(-1), other.log_softmax(-1), self.weight)
        return State(logits, Caches(left, right))
