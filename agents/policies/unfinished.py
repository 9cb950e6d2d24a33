"""Decoding steps that compute only unfinished samples, whatever row they are in.

The samples of all rows are one long row for the layers that read tokens one by one, which are
most of the work. Attention puts them back into their rows: see ``SideBySide`` in ``decoding``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from agents.policies.attention import unwrap

NAME = "eva_unfinished"
"""The name of our attention among those of the library."""

SPARE = 32
"""Steps for which the cache has room when it grows."""


class Samples:
    """The unfinished samples of a step: their rows and places (A,), of P rows of n samples."""

    def __init__(self, unfinished: Tensor) -> None:
        self.rows, self.n = unfinished.shape
        self.row, self.place = unfinished.nonzero(as_tuple=True)
        self.masks: dict[int, Tensor] = {}


step: Samples | None = None
"""The samples of the step that a model computes now; None outside of ``computing``."""


class GrowingLayer(DynamicLayer):
    """The keys and values of a layer, (P, heads, tokens, d): prompts, then n tokens a step."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *arguments: Any, **settings: Any
    ) -> tuple[Tensor, Tensor]:
        """Add the tokens of prompts (P, heads, W, d), or of the samples of a step."""
        if step is None:
            self.lazy_initialization(key_states, value_states)
            self.room = [key_states, value_states]
            end = key_states.shape[2]
        else:
            start = self.get_seq_length()
            end = start + step.n
            if end > self.room[0].shape[2]:
                self.room = [_longer(states, SPARE * step.n) for states in self.room]
            for room, states in zip(self.room, (key_states, value_states), strict=True):
                room[step.row, :, start + step.place] = states[0].transpose(0, 1)
        self.keys, self.values = (states[:, :, :end] for states in self.room)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep some rows of the batch."""
        end = self.get_seq_length()
        self.room = [states[indices] for states in self.room]
        self.keys, self.values = (states[:, :, :end] for states in self.room)


def _longer(states: Tensor, tokens: int) -> Tensor:
    rows, heads, _, width = states.shape
    return torch.cat([states, states.new_zeros(rows, heads, tokens, width)], 2)


def growing_cache() -> Cache:
    """Return an empty cache for ``computing``."""
    return Cache(layer_class_to_replicate=GrowingLayer)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    dropout: float = 0.0,
    scaling: float | None = None,
    **settings: Any,
) -> tuple[Tensor, None]:
    """Return attention (1, A, heads, d) of queries (1, heads, A, d) in their rows.

    Raises ValueError for settings that it does not apply, such as soft caps.
    """
    for name in ("softcap", "s_aux", "position_bias", "head_mask"):
        if settings.get(name) is not None:
            raise ValueError(f"attention with {name} is not supported")
    assert step is not None
    (heads, _, width), n = query.shape[1:], step.n
    rows, shared = key.shape[:2]
    groups = heads // shared
    # 1. Heads that share keys are queries of the same head, so that no key is copied.
    queries = query.new_zeros(rows, n, heads, width)
    queries[step.row, step.place] = query[0].transpose(0, 1)
    queries = queries.view(rows, n, shared, groups, width).permute(0, 2, 3, 1, 4)
    mask = step.masks.get(id(attention_mask))
    if mask is None:
        mask = attention_mask.repeat(1, 1, groups, 1)
        step.masks[id(attention_mask)] = mask
    # 2. Attend in each row, and take the samples out of it again.
    output = torch.nn.functional.scaled_dot_product_attention(
        queries.reshape(rows, shared, groups * n, width), key, value, mask, scale=scaling
    )
    output = output.view(rows, shared, groups, n, -1).permute(0, 3, 1, 2, 4)
    return output[step.row, step.place].reshape(1, -1, heads, value.shape[-1]), None


ALL_ATTENTION_FUNCTIONS.register(NAME, attend)


@contextmanager
def computing(models: list[Any], samples: Samples) -> Iterator[None]:
    """Let models read the tokens of some samples, (1, A), by ``attend``."""
    global step
    configs = [unwrap(model).config.get_text_config(decoder=True) for model in models]
    before = [config._attn_implementation for config in configs]
    for config in configs:
        config._attn_implementation_internal = NAME
    step = samples
    try:
        yield
    finally:
        step = None
        for config, implementation in zip(configs, before, strict=True):
            config._attn_implementation_internal = implementation
