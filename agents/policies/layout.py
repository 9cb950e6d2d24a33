"""Which fast ways of reading several responses are right for a model: a check on toy input.

A model with recurrent layers, ALiBi or unusual attention ignores a custom mask, or fails. So
each fast way is compared with plain rows, and what differs is not used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.policies.attention import (
    SLIDING,
    device_of,
    dtype_of,
    reads_masks,
    text_config,
    unwrap,
    windows,
)
from agents.policies.logits import Head, chosen
from agents.policies.packing import pack, packed_logprobs
from agents.policies.sampling import Way
from agents.policies.side_by_side import SideBySide

TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-3}
"""Largest error of logits (root mean square) as a share of their spread."""
LOW_PRECISION = 1e-2
"""The same for other types, or twice the error of the library's cache if that is more."""

SMALL = 5_000_000
"""Parameters below which finding the unfinished samples costs more than computing all."""

PROMPT_LENGTHS, LENGTH, WINDOW = (5, 3), 9, 3
"""Toy input: prompts, the length of a prompt with a response, and a window to reach beyond."""


@dataclass(frozen=True)
class Layout:
    """The ways in which a policy reads several responses.

    The default suits a model whose attention is full or by sliding windows.
    """

    packs: bool = True
    """Responses to one prompt share a row when log-probabilities are read."""
    decoding: Way = "unfinished"
    """How samples are decoded."""
    head: bool = True
    """Logits are computed in chunks, from hidden states; else by the model, row by row."""

    def __str__(self) -> str:
        """Return a line for the reader of a run."""
        rows = "packed rows" if self.packs else "one row a response"
        logits = "logits in chunks" if self.head else "logits of whole rows"
        decoding = {"unfinished": "side by side"}.get(self.decoding, self.decoding)
        return f"{rows}, decoding {decoding}, {logits}"


@torch.no_grad()
def find_layout(model: Any, small: int = SMALL) -> Layout:
    """Return the layout that is right for a model, by a check that takes a few forward passes.

    A model of fewer than ``small`` parameters computes all samples of a row at each step.
    Raises ValueError for adapters that put virtual tokens in front of a prompt.
    """
    adapter = getattr(model, "active_peft_config", None)
    if adapter is not None and adapter.is_prompt_learning:
        raise ValueError(f"{adapter.peft_type} adapters are not supported; use LoRA")
    was_training = model.training
    model.eval()
    try:
        toy = Toy(model)
        maskable = reads_masks(model)
        head = toy.holds(toy.head)
        packs = maskable and toy.holds(lambda: toy.packed(head))
        decoding: Way = "recomputed"
        large = sum(weight.numel() for weight in model.parameters()) >= small
        if maskable and large and toy.holds(lambda: toy.side_by_side("unfinished")):
            decoding = "unfinished"
        elif maskable and toy.holds(lambda: toy.side_by_side("side by side")):
            decoding = "side by side"
        elif toy.holds(lambda: toy.generated(slice(None))):
            decoding = "padded"
        elif toy.holds(lambda: toy.generated(slice(0, 2))):
            decoding = "equal lengths"
        return Layout(packs, decoding, head)
    finally:
        model.train(was_training)


class Toy:
    """Two prompts of unequal length with two responses each, and the model's plain logits.

    ``ids`` (4, ``LENGTH``) hold the rows of the first prompt, then those of the second one.
    ``plain`` (4, ``LENGTH``, V) are the logits of one forward pass without any mask.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.device = model, device_of(model)
        rng = np.random.default_rng(0)
        ids = rng.integers(text_config(model).vocab_size, size=(4, LENGTH))
        self.prompts = [ids[2 * i, :size].tolist() for i, size in enumerate(PROMPT_LENGTHS)]
        for i, size in enumerate(PROMPT_LENGTHS):
            ids[2 * i + 1, :size] = ids[2 * i, :size]
        self.sizes = np.repeat(PROMPT_LENGTHS, 2)
        self.ids = torch.from_numpy(ids).to(self.device)
        states: list[Tensor] = []
        hook = (
            unwrap(model)
            .get_output_embeddings()
            .register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))
        )
        with small_window(model):
            self.plain = unwrap(model)(input_ids=self.ids, use_cache=False).logits.float()
        hook.remove()
        self.states = states
        self.spread = rms(self.plain - self.plain.mean(-1, keepdim=True))
        self.tolerance = TOLERANCE.get(dtype_of(model)) or self._low_precision()

    def _low_precision(self) -> float:
        """Return the tolerance of a type whose rounding errors are large."""
        try:
            with small_window(self.model):
                value, expected = self.generated(slice(0, 2))
        except Exception:
            return LOW_PRECISION
        return max(LOW_PRECISION, 2 * float(rms(value - expected) / self.spread))

    def holds(self, compare: Any) -> bool:
        """Return True if a comparison, a (value, expected) pair, agrees and raises nothing."""
        try:
            with small_window(self.model):
                value, expected = compare()
        except Exception:
            return False
        return bool(rms(value - expected) <= self.tolerance * self.spread)

    def head(self) -> tuple[Tensor, Tensor]:
        """Compare the logits of the head with the model's."""
        return Head(self.model)(self.states[0]), self.plain

    def packed(self, head: bool) -> tuple[Tensor, Tensor]:
        """Compare log-probabilities of packed rows with plain ones."""
        prompts = [self.prompts[i // 2] for i in range(4)]
        rows = zip(self.ids.tolist(), self.sizes, strict=True)
        responses = [ids[size:] for ids, size in rows]
        packed = pack([0, 0, 1, 1], prompts, responses)
        values = packed_logprobs(self.model, packed, head=head)
        expected = torch.zeros_like(values)
        for i, size in enumerate(self.sizes):
            logits = self.plain[i, size - 1 : -1]
            expected[i, : LENGTH - size] = chosen(logits, self.ids[i, size:])
        return values, expected

    def side_by_side(self, way: Way) -> tuple[Tensor, Tensor]:
        """Compare the logits of decoding side by side, fed with the toy's tokens.

        After the first step, the second sample of the second prompt is finished.
        """
        steps = LENGTH - max(PROMPT_LENGTHS)
        state = SideBySide(self.model, self.prompts, 2, steps, way)
        values, expected = [], []
        size = torch.from_numpy(self.sizes).to(self.device)
        row = torch.arange(4, device=self.device)
        unfinished = torch.ones(2, 2, dtype=torch.bool, device=self.device)
        for t in range(steps):
            computed = state.computed.flatten()
            values.append(state.logits.float())
            expected.append(self.plain[row, size + t - 1][computed])
            unfinished[1, 1] = t < 1
            if t + 1 < steps:
                state.advance(self.ids[row, size + t].view(2, 2), unfinished)
        return torch.cat(values), torch.cat(expected)

    def generated(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Compare the logits of ``model.generate`` on some rows, fed with the toy's tokens."""
        from agents.policies.plain_decoding import generate

        steps = LENGTH - max(PROMPT_LENGTHS)
        prompts = [self.prompts[i // 2] for i in range(4)][rows]
        ids, sizes = self.ids[rows], torch.from_numpy(self.sizes[rows]).to(self.device)
        row = torch.arange(len(ids), device=self.device)
        values: list[Tensor] = []

        def feed(scores: Tensor) -> Tensor:
            values.append(scores.float())
            return ids[row, sizes + len(values) - 1]

        generate(self.model, prompts, feed, steps, ())
        expected = [self.plain[rows][row, sizes + t - 1] for t in range(steps)]
        return torch.stack(values), torch.stack(expected)


def rms(values: Tensor) -> Tensor:
    """Return the root mean square of an array."""
    return values.square().mean().sqrt()


@contextmanager
def small_window(model: Any) -> Iterator[None]:
    """Shorten the model's sliding windows, so that a toy input reaches beyond them."""
    config = text_config(model)
    if SLIDING not in windows(model):
        yield
        return
    before = config.sliding_window
    config.sliding_window = min(WINDOW, before)
    try:
        yield
    finally:
        config.sliding_window = before
