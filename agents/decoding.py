"""Batched sampling from a Hugging Face causal LM with its own KV cache.

Leaner than ``model.generate``: a prompt is encoded once for its n samples, rows that have
ended leave the batch, and each request owns its random stream, so that a response does not
depend on which other requests are decoded beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import DynamicLayer

from eva_env.types import Floats

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
    rows: int = 768,
) -> list[list[int]]:
    """Sample token ids: P prompts -> P * samples responses, those of a prompt in a row.

    ``seeds`` (P,) unsigned integers start the requests' random streams; ``rows`` bounds the
    sequences that are decoded at a time. A response that ended holds its end-of-text token.
    """
    random = uniforms(seeds, samples, sampling.max_tokens)
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable")
    responses: list[list[int]] = [[]] * (len(prompts) * samples)
    size = max(1, rows // samples)
    for start in range(0, len(order), size):
        chunk = order[start : start + size]
        draws = torch.from_numpy(random[chunk].reshape(-1, sampling.max_tokens))
        drawn = _decode_chunk(model, [prompts[i] for i in chunk], samples, draws, sampling)
        for k, i in enumerate(chunk):
            responses[i * samples : (i + 1) * samples] = drawn[k * samples : (k + 1) * samples]
    return responses


def _decode_chunk(
    model: Any,
    prompts: Sequence[Sequence[int]],
    samples: int,
    uniform: torch.Tensor,
    sampling: Sampling,
) -> list[list[int]]:
    device, eos = model.device, model.generation_config.eos_token_id
    ends = torch.tensor([eos] if isinstance(eos, int) else eos, device=device)
    uniform = uniform.to(device)
    ids, mask = left_pad(prompts, device)
    state = _forward(model, ids, mask, (mask.cumsum(-1) - 1).clamp(min=0), None)
    make_room(state.past_key_values, samples, sampling.max_tokens)
    logits = state.logits[:, -1].repeat_interleave(samples, 0)
    mask = mask.repeat_interleave(samples, 0)
    tokens = torch.full((len(mask), sampling.max_tokens), -1, device=device)
    row = torch.arange(len(mask), device=device)
    going = torch.ones_like(row, dtype=torch.bool)
    for t in range(sampling.max_tokens):
        token = choose(logits, uniform[row, t], sampling)
        tokens[row, t] = token.where(going, -1)
        going &= torch.isin(token, ends, invert=True)
        left = int(going.sum())
        if left == 0 or t + 1 == sampling.max_tokens:
            break
        if left < 0.5 * len(row):  # dropping copies the cache, so not for a few
            kept = going.nonzero()[:, 0]
            state.past_key_values.batch_select_indices(kept)
            row, mask, token, going = row[kept], mask[kept], token[kept], going[kept]
        position = mask.sum(-1, keepdim=True)
        mask = torch.nn.functional.pad(mask, (0, 1), value=1)
        # In four dimensions the model takes the mask as it is, instead of building it anew.
        seen = torch.log(mask[:, None, None].to(logits.dtype))
        state = _forward(model, token[:, None], seen, position, state.past_key_values)
        logits = state.logits[:, -1]
    return [[token for token in ids if token >= 0] for ids in tokens.tolist()]


class RoomyLayer(DynamicLayer):
    """A cache layer with room for the whole response, so that no step copies the past."""

    def __init__(self, layer: DynamicLayer, samples: int, steps: int) -> None:
        super().__init__()
        self.is_initialized = True
        self.dtype, self.device = layer.dtype, layer.device
        past = layer.get_seq_length()
        self.room_keys = _with_room(layer.keys, samples, steps)
        self.room_values = _with_room(layer.values, samples, steps)
        self._show(past)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new states behind the past ones."""
        past = self.get_seq_length()
        self._show(past + key_states.shape[-2])
        self.keys[:, :, past:] = key_states
        self.values[:, :, past:] = value_states
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep only these rows."""
        past = self.get_seq_length()
        self.room_keys = self.room_keys.index_select(0, indices)
        self.room_values = self.room_values.index_select(0, indices)
        self._show(past)

    def _show(self, length: int) -> None:
        self.keys: torch.Tensor
        self.values: torch.Tensor
        self.keys, self.values = self.room_keys[:, :, :length], self.room_values[:, :, :length]


def _with_room(states: Any, samples: int, steps: int) -> torch.Tensor:
    """Repeat (P, heads, past, width) to P * samples rows, and past to past + steps places."""
    rows, heads, past, width = states.shape
    room = states.new_empty((rows, samples, heads, past + steps, width))
    room[:, :, :, :past] = states[:, None]
    return room.flatten(0, 1)


def make_room(cache: Any, samples: int, steps: int) -> None:
    """Repeat a prompt cache for its samples, with room for the responses where that can be."""
    for i, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[i] = RoomyLayer(layer, samples, steps)
        else:
            layer.batch_repeat_interleave(samples)


def _forward(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Any
) -> Any:
    return model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )


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
