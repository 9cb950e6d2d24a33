"""Log-probabilities from hidden states, a bounded number of logits at a time."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from agents.policies.attention import text_config, unwrap

COPIES = 4
"""Arrays as large as the logits that exist together in a forward and backward pass."""


class Head:
    """The last layer of a causal LM: hidden states (T, d) -> logits (T, vocabulary), float32.

    It applies the soft cap of Gemma 2 and the scales of Cohere and Granite as these models do.
    """

    def __init__(self, model: Any) -> None:
        config = text_config(model)
        self.module = unwrap(model).get_output_embeddings()
        self.vocabulary: int = config.vocab_size
        self.cap = getattr(config, "final_logit_softcapping", None)
        self.scale = getattr(config, "logit_scale", None) or 1.0
        self.scale /= getattr(config, "logits_scaling", None) or 1.0

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the logits of hidden states."""
        logits = self.module(hidden)
        if self.scale != 1.0:
            logits = logits * self.scale
        if self.cap:
            logits = torch.tanh(logits / self.cap) * self.cap
        return logits.float()


def tokens_in(megabytes: float, vocabulary: int) -> int:
    """Return how many tokens' logits fit into a memory bound, at least 1."""
    return max(1, int(megabytes * 2**20 / (COPIES * 4 * vocabulary)))


def hidden_states(model: Any, **arguments: Any) -> Tensor:
    """Return the states that a model's head reads, (R, W, d), without computing the logits.

    They are taken where the head receives them, so that wrappers (PEFT,
    DistributedDataParallel) work, and scales that come before the head are in them.
    """
    states: list[Tensor] = []

    def capture(_: Any, inputs: tuple) -> tuple:
        states.append(inputs[0])
        return (inputs[0][:, :1], *inputs[1:])

    hook = unwrap(model).get_output_embeddings().register_forward_pre_hook(capture)
    try:
        model(**arguments, use_cache=False)
    finally:
        hook.remove()
    return states[0]


def logprobs_of(
    head: Head, hidden: Tensor, token: Tensor, megabytes: float, temperature: float = 1.0
) -> Tensor:
    """Return the log-probability of a token after each hidden state, (T,) nats in float32.

    Logits are computed for as many states at a time as the memory bound allows. If there are
    several such chunks, the backward pass computes the logits again.
    """

    def chunk(states: Tensor, tokens: Tensor) -> Tensor:
        return chosen(head(states), tokens, temperature)

    size = tokens_in(megabytes, head.vocabulary)
    if len(hidden) <= size:
        return chunk(hidden, token)
    parts = zip(hidden.split(size), token.split(size), strict=True)
    if not torch.is_grad_enabled():
        return torch.cat([chunk(*part) for part in parts])
    return torch.cat(
        [
            checkpoint(chunk, *part, use_reentrant=False, preserve_rng_state=False)  # type: ignore[misc]
            for part in parts
        ]
    )


def chosen(logits: Tensor, token: Tensor, temperature: float = 1.0) -> Tensor:
    """Return log-probabilities of tokens (T,) under logits (T, V), in float32 nats."""
    logits = logits.float() if temperature == 1 else logits.float() / temperature
    return logits.gather(-1, token[:, None])[:, 0] - logits.logsumexp(-1)
