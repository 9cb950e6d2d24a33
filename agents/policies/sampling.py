"""The settings, random streams and tokens of sampling, which all ways of decoding share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from eva_env.hashing import GOLDEN_GAMMA, mix64
from eva_env.require import require
from eva_env.types import Floats

Way = Literal["unfinished", "side by side", "padded", "equal lengths", "recomputed"]
"""How samples are decoded: n samples of a prompt side by side in one row, where a step
computes the unfinished or all of them; one sample a row by the library's own cache, with
padding or among prompts of equal length; or without any cache."""

SHARED = ("unfinished", "side by side")
"""The ways in which samples share a row."""


@dataclass(frozen=True)
class Sampling:
    """Settings by which responses are drawn."""

    temperature: float = 1.0
    """Divisor of the logits; 0 picks the most likely token."""
    top_p: float = 1.0
    """Mass of the nucleus that tokens are drawn from, in (0, 1] (Holtzman et al. 2020)."""
    max_tokens: int = 16
    """A response is cut off after this many tokens if it has not ended."""

    def __post_init__(self) -> None:
        require(self, "[0, inf)", "temperature")
        require(self, "(0, 1]", "top_p")
        require(self, "[1, inf)", "max_tokens")


def uniforms(seeds: np.ndarray, samples: int, steps: int) -> Floats:
    """Uniforms in [0, 1), (P, samples, steps): SplitMix64 streams, one for each seed.

    Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", Fig. 16. The
    value at (j, t) depends on the seed, j and t alone.
    """
    counter = (np.arange(samples, dtype=np.uint64)[:, None] << np.uint64(32)) + np.arange(
        1, steps + 1, dtype=np.uint64
    )
    state = np.asarray(seeds, dtype=np.uint64)[:, None, None] + counter * GOLDEN_GAMMA
    return (mix64(state) >> np.uint64(11)) * 2.0**-53


class Tokens(NamedTuple):
    """Drawn tokens (R, n, steps), -1 after the end, and their log-probabilities in nats."""

    tokens: Tensor
    logprobs: Tensor


def left_pad(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return token ids and attention mask, both (P, longest); masked ids are 0."""
    width = max(len(prompt) for prompt in prompts)
    ids = torch.zeros((len(prompts), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
