"""Batched sampling from a Hugging Face causal LM with its own KV cache.

Leaner than ``model.generate``: a prompt is encoded once for its n samples, rows that have
ended leave the batch, and each request owns its random stream, so that a response does not
depend on which other requests are decoded beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import chain
from typing import Any

import numpy as np
import torch

from eva_env.types import Floats

ABREAST = 8
"""Samples of a prompt that share a row of the batch; what each must look past grows with it."""

GOLDEN, MIX_1, MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


@dataclass(frozen=True)
class Sampling:
    """How responses are drawn."""

    temperature: float = 1.0
    """Divides the logits; 0 is greedy."""
    top_p: float = 1.0
    """Mass of the nucleus that tokens are drawn from, in (0, 1] (Holtzman et al. 2020)."""
    max_tokens: int = 16
    """A response ends after this many tokens even without an end-of-text token."""

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(f"temperature must be 0 or positive, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {self.max_tokens}")


def uniforms(seeds: np.ndarray, samples: int, steps: int) -> Floats:
    """Uniforms in [0, 1), (P, samples, steps): SplitMix64 streams, one for each seed.

    Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", Fig. 16. The
    value at (j, t) depends on the seed, j and t alone.
    """
    counter = (np.arange(samples, dtype=np.uint64)[:, None] << np.uint64(32)) + np.arange(
        1, steps + 1, dtype=np.uint64
    )
    z = np.asarray(seeds, dtype=np.uint64)[:, None, None] + counter * np.uint64(GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(MIX_2)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def choose(logits: torch.Tensor, uniform: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Draw a token for each row of logits (R, V) by inverse CDF of one uniform each (R,)."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits.float() / sampling.temperature, -1)
    if sampling.top_p == 1:
        return _inverse_cdf(probabilities, uniform)
    ordered, tokens = probabilities.sort(stable=True, dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    nucleus = torch.where(before < sampling.top_p, ordered, 0.0)
    return tokens.gather(-1, _inverse_cdf(nucleus, uniform)[:, None])[:, 0]


def _inverse_cdf(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    cdf = weights.cumsum(-1, dtype=torch.float64)
    place = torch.searchsorted(cdf, (uniform * cdf[:, -1])[:, None], right=True)[:, 0]
    return place.clamp(max=cdf.shape[-1] - 1)


@torch.inference_mode()
def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    samples: int,
    seeds: np.ndarray,
    sampling: Sampling,
    rows: int = 128,
) -> list[list[int]]:
    """Sample token ids: P prompts -> P * samples responses, those of a prompt in a row.

    ``seeds`` (P,) unsigned integers start the requests' random streams; ``rows`` bounds the
    prompts, of at most ``ABREAST`` samples each, that are decoded at a time. A response that
    ended holds its end-of-text token.
    """
    parts = -(-samples // ABREAST)
    width = -(-samples // parts)
    random = uniforms(seeds, parts * width, sampling.max_tokens)
    random = random.reshape(-1, width, sampling.max_tokens)
    order = np.argsort(np.repeat([len(prompt) for prompt in prompts], parts), kind="stable")
    drawn: list[list[list[int]]] = [[]] * len(order)
    for start in range(0, len(order), rows):
        chunk = order[start : start + rows]
        asked = [prompts[i // parts] for i in chunk]
        tokens = _decode_chunk(model, asked, torch.from_numpy(random[chunk]), sampling)
        for i, responses in zip(chunk, tokens.tolist(), strict=True):
            drawn[i] = [[token for token in ids if token >= 0] for ids in responses]
    return [
        response
        for i in range(0, len(drawn), parts)
        for response in list(chain(*drawn[i : i + parts]))[:samples]
    ]


def _decode_chunk(
    model: Any,
    prompts: Sequence[Sequence[int]],
    uniform: torch.Tensor,
    sampling: Sampling,
) -> torch.Tensor:
    """Tokens (P, n, max_tokens), -1 behind the end, from uniforms of that shape.

    The n samples of a prompt ride abreast in one row of the batch: n tokens a step at the same
    position, each of which sees the prompt and its own past. So the prompt's states are held
    once, and an ordinary cache and a mask are all that it takes.
    """
    device, eos = model.device, model.generation_config.eos_token_id
    ends = torch.tensor([eos] if isinstance(eos, int) else eos, device=device)
    uniform = uniform.to(device)
    n = uniform.shape[1]
    ids, mask = left_pad(prompts, device)
    read = _step(ids, mask, (mask.cumsum(-1) - 1).clamp(min=0), 1)
    logits, cache = forward(model, None, **read)
    logits = logits.expand(-1, n, -1)
    position = mask.sum(-1, keepdim=True).expand(-1, n)
    seen = torch.log(mask[:, None, None].to(logits.dtype)).expand(-1, 1, n, -1)
    own = torch.log(torch.eye(n, dtype=logits.dtype, device=device))
    tokens = torch.full(uniform.shape, -1, device=device)
    row = torch.arange(len(mask), device=device)
    going = torch.ones(uniform.shape[:2], dtype=torch.bool, device=device)
    for t in range(sampling.max_tokens):
        token = choose(logits.flatten(0, 1), uniform[row, :, t].flatten(), sampling).view(-1, n)
        tokens[row, :, t] = token.where(going, -1)
        going &= torch.isin(token, ends, invert=True)
        kept = going.any(1).nonzero()[:, 0]
        if len(kept) == 0 or t + 1 == sampling.max_tokens:
            break
        if len(kept) < 0.8 * len(row):  # dropping copies the cache, so not for a few
            cache.batch_select_indices(kept)
            row, token, going = row[kept], token[kept], going[kept]
            position, seen = position[kept], seen[kept]
        seen = torch.cat([seen, own.expand(len(row), 1, n, n)], -1)
        logits, cache = forward(model, cache, **_step(token, seen, position, n))
        position = position + 1
    return tokens


def _step(
    ids: torch.Tensor, mask: torch.Tensor, places: torch.Tensor, last: int
) -> dict[str, Any]:
    """What a model reads in a step, for the logits of the last places."""
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": places,
        "use_cache": True,
        "logits_to_keep": last,
    }


def forward(model: Any, cache: Any, **read: Any) -> tuple[torch.Tensor, Any]:
    """Logits of what a model reads, and the cache with it in it; None to begin with."""
    name = "cache" if "cache" in signature(model.forward).parameters else "past_key_values"
    state = model(**read, **{name: cache})
    return state.logits, getattr(state, name)


def left_pad(
    prompts: Sequence[Sequence[int]], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both (P, longest); what stands under the mask is 0."""
    width = max(len(prompt) for prompt in prompts)
    ids = torch.zeros((len(prompts), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
