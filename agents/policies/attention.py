"""Attention masks for full and sliding-window layers, over rows that hold several responses."""

import re
from inspect import signature
from typing import Any

import torch
from torch import Tensor

FULL, SLIDING = "full_attention", "sliding_attention"

LOCAL = re.compile("window|chunk|local|block|alibi|sparse")
"""Words in the names of settings that limit or bias attention."""

UNDERSTOOD = {
    "sliding_window", "use_sliding_window", "max_window_layers", "_sliding_window_pattern",
    "sliding_window_pattern", "chunk_size_feed_forward",
}  # fmt: skip
"""Such settings that ``windows`` reads, or that limit nothing."""


def unwrap(model: Any) -> Any:
    """Return the Hugging Face model inside DistributedDataParallel and PEFT wrappers."""
    while isinstance(getattr(model, "module", None), torch.nn.Module):
        model = model.module
    if getattr(model, "peft_config", None) and hasattr(model, "get_base_model"):
        model = model.get_base_model()
    return model


def device_of(model: Any) -> torch.device:
    """Return the device of a model's parameters; wrappers have no ``device``."""
    return next(model.parameters()).device


def dtype_of(model: Any) -> torch.dtype:
    """Return the type of a model's first parameter; wrappers have no ``dtype``."""
    return next(model.parameters()).dtype


def text_config(model: Any) -> Any:
    """Return the configuration of a model's text decoder."""
    return unwrap(model).config.get_text_config(decoder=True)


def windows(model: Any) -> dict[str, int | None]:
    """Return the attention window by kind of layer, in tokens; None means no limit.

    A token sees a key if the difference of their positions is below the window.
    """
    config = text_config(model)
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or [SLIDING if window else FULL]
    return {kind: window if kind == SLIDING else None for kind in sorted(set(kinds))}


def reads_masks(model: Any) -> bool:
    """Return True if a mask and positions may say all that the tokens of a model see.

    They cannot for layers of another kind (recurrent, chunked, local) and for ALiBi.
    """
    config = text_config(model)
    limits = [
        name
        for name, value in config.to_dict().items()
        if value and LOCAL.search(name) and name not in UNDERSTOOD and "expert" not in name
    ]
    positions = "position_ids" in signature(unwrap(model).forward).parameters
    return positions and not limits and set(windows(model)) <= {FULL, SLIDING}


def as_argument(masks: dict[str, Tensor]) -> Any:
    """Return masks by kind of layer as models accept them: a single one for equal layers."""
    return masks if len(masks) > 1 else next(iter(masks.values()))


def packed_masks(model: Any, segments: Tensor, positions: Tensor) -> Any:
    """Return additive masks (R, 1, W, W) for rows that hold a prompt and several responses.

    A token sees the prompt and the tokens before it in its response, within the window.
    ``segments`` (R, W) number the responses of a row from 1, 0 on the prompt; ``positions``
    (R, W) count tokens from the start of the prompt.
    """
    width, dtype = segments.shape[1], dtype_of(model)
    causal = torch.ones(width, width, dtype=torch.bool, device=segments.device).tril()
    same = (segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None])
    distance = positions[:, :, None] - positions[:, None, :]
    masks = {}
    for kind, window in windows(model).items():
        seen = same & causal if window is None else same & causal & (distance < window)
        mask = torch.zeros(len(segments), 1, width, width, dtype=dtype, device=segments.device)
        masks[kind] = mask.masked_fill(~seen[:, None], torch.finfo(dtype).min)
    return as_argument(masks)


class StepMasks:
    """Additive masks of P rows in which n samples are decoded side by side.

    The cache holds a row's prompt, padded on its left to ``width`` tokens, and then n tokens a
    step, one of each sample. A sample sees the prompt and its own tokens, within the window.

    Args:
        model: its layers' windows count.
        prompt: 1 on the tokens of the prompt and 0 on padding, (P, width).
        n: samples in a row.
        steps: most steps.
    """

    def __init__(self, model: Any, prompt: Tensor, n: int, steps: int) -> None:
        # 1. The whole mask is known before the first step, and a step reads a part of it.
        dtype, device = dtype_of(model), prompt.device
        hidden = torch.finfo(dtype).min
        own_token = torch.eye(n, dtype=torch.bool, device=device).repeat(1, steps)
        shown = prompt.bool()[:, None].expand(-1, n, -1)
        shown = torch.cat([shown, own_token.expand(len(prompt), -1, -1)], -1)[:, None]
        mask = torch.zeros(shown.shape, dtype=dtype, device=device).masked_fill_(~shown, hidden)
        self.n, self.width, self.hidden = n, prompt.shape[1], hidden
        self.windows = windows(model)
        self.masks = {
            kind: mask if window is None else mask.clone()
            for kind, window in self.windows.items()
        }
        # 2. Rows end at the same place, so the window leaves out the same columns of all rows.
        for kind, window in self.windows.items():
            if window is not None:
                self.masks[kind][..., : max(self.width - window, 0)] = hidden

    def step(self, t: int) -> Any:
        """Return the masks (P, 1, n, width + n (t + 1)) of step t, counted from 0."""
        end = self.width + self.n * (t + 1)
        for kind, window in self.windows.items():
            if window is not None:
                # The token that falls out of the window lies in the prompt, or is n tokens of
                # an earlier step.
                place = t - window
                start = self.width + (place if place < 0 else self.n * place)
                size = 1 if place < 0 else self.n
                if start >= 0:
                    self.masks[kind][..., start : start + size] = self.hidden
        return as_argument({kind: mask[..., :end] for kind, mask in self.masks.items()})

    def keep(self, rows: Tensor) -> None:
        """Keep some rows of the batch."""
        self.masks = {kind: mask[rows] for kind, mask in self.masks.items()}
