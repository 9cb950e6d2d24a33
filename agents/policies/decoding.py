"""Batched sampling from a Hugging Face causal LM with its own KV cache.

Leaner than ``model.generate``: a prompt is encoded once for its n samples, rows that have
ended leave the batch, and each request has its own random stream, so that a response does not
depend on which other requests are decoded in the same batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import chain
from typing import Any

import numpy as np
import torch

from eva_env.hashing import GOLDEN_GAMMA, mix64
from eva_env.require import require
from eva_env.types import Floats

SAMPLES_PER_ROW = 8
"""Most samples of a prompt that share a row of the batch; each must mask out the others."""


@dataclass(frozen=True)
class Sampling:
    """Settings by which responses are drawn."""

    temperature: float = 1.0
    """Divisor of the logits; 0 picks the most likely token."""
    top_p: float = 1.0
    """Mass of the nucleus that tokens are drawn from, in (0, 1] (Holtzman et al. 2020)."""
    max_tokens: int = 16
    """A response ends after this many tokens even without an end-of-text token."""

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
    """Sample token ids: P prompts -> P * samples responses, those of a prompt in succession.

    ``seeds`` (P,) unsigned integers start the requests' random streams; ``rows`` bounds the
    rows, of at most ``SAMPLES_PER_ROW`` samples each, that are decoded at a time. A response
    that ended holds its end-of-text token.
    """
    # 1. Spread a prompt's samples evenly over as many rows as they need.
    rows_per_prompt = -(-samples // SAMPLES_PER_ROW)
    width = -(-samples // rows_per_prompt)
    random = uniforms(seeds, rows_per_prompt * width, sampling.max_tokens)
    random = random.reshape(-1, width, sampling.max_tokens)
    # 2. Decode rows of similar length together, so that little is padding.
    lengths = np.repeat([len(prompt) for prompt in prompts], rows_per_prompt)
    order = np.argsort(lengths, kind="stable")
    drawn: list[list[list[int]]] = [[]] * len(order)
    for start in range(0, len(order), rows):
        chunk = order[start : start + rows]
        chunk_prompts = [prompts[i // rows_per_prompt] for i in chunk]
        tokens = _decode_chunk(model, chunk_prompts, torch.from_numpy(random[chunk]), sampling)
        for i, responses in zip(chunk, tokens.tolist(), strict=True):
            drawn[i] = [[token for token in ids if token >= 0] for ids in responses]
    # 3. Rows may have room for more samples than were requested.
    return [
        response
        for i in range(0, len(drawn), rows_per_prompt)
        for response in list(chain(*drawn[i : i + rows_per_prompt]))[:samples]
    ]


def _decode_chunk(
    model: Any,
    prompts: Sequence[Sequence[int]],
    uniform: torch.Tensor,
    sampling: Sampling,
) -> torch.Tensor:
    """Return tokens (P, n, max_tokens), -1 after the end, from uniforms of that shape.

    The n samples of a prompt are decoded side by side in one row of the batch: n tokens a step
    at the same position, each of which sees the prompt and the tokens of its own sample. So the
    prompt's states are held once, and an ordinary cache and a mask are enough.
    """
    device, eos = model.device, model.generation_config.eos_token_id
    ends = torch.tensor([eos] if isinstance(eos, int) else eos, device=device)
    uniform = uniform.to(device)
    n = uniform.shape[1]

    # 1. Read each prompt once; all n samples start from the same next-token logits.
    ids, mask = left_pad(prompts, device)
    read = _step(ids, mask, (mask.cumsum(-1) - 1).clamp(min=0), 1)
    logits, cache = forward(model, None, **read)
    logits = logits.expand(-1, n, -1)
    position = mask.sum(-1, keepdim=True).expand(-1, n)

    # 2. ``seen`` is the additive mask (P, 1, n, cached): each sample sees the prompt now, and
    #    ``same_sample`` will let it see, of the n tokens that a step adds, only its own.
    seen = torch.log(mask[:, None, None].to(logits.dtype)).expand(-1, 1, n, -1)
    same_sample = torch.log(torch.eye(n, dtype=logits.dtype, device=device))

    tokens = torch.full(uniform.shape, -1, device=device)
    row = torch.arange(len(mask), device=device)  # the row of ``tokens`` of each batch row
    unfinished = torch.ones(uniform.shape[:2], dtype=torch.bool, device=device)
    for t in range(sampling.max_tokens):
        # 3. Draw a token for every sample; those of finished samples are thrown away.
        token = choose(logits.flatten(0, 1), uniform[row, :, t].flatten(), sampling).view(-1, n)
        tokens[row, :, t] = token.where(unfinished, -1)
        unfinished &= torch.isin(token, ends, invert=True)
        # 4. A row leaves when all its samples have ended. That copies the cache, so it waits
        #    until a fifth of the rows can leave together.
        kept = unfinished.any(1).nonzero()[:, 0]
        if len(kept) == 0 or t + 1 == sampling.max_tokens:
            break
        if len(kept) < 0.8 * len(row):
            cache.batch_select_indices(kept)
            row, token, unfinished = row[kept], token[kept], unfinished[kept]
            position, seen = position[kept], seen[kept]
        # 5. Read the n new tokens of every row in one step, all at the same position.
        seen = torch.cat([seen, same_sample.expand(len(row), 1, n, n)], -1)
        logits, cache = forward(model, cache, **_step(token, seen, position, n))
        position = position + 1
    return tokens


def _step(
    ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, last: int
) -> dict[str, Any]:
    """Return the arguments of a model's step that gives the logits of the last positions."""
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": positions,
        "use_cache": True,
        "logits_to_keep": last,
    }


def forward(model: Any, cache: Any, **arguments: Any) -> tuple[torch.Tensor, Any]:
    """Return a model's logits and its updated cache; the first call has cache None."""
    name = "cache" if "cache" in signature(model.forward).parameters else "past_key_values"
    state = model(**arguments, **{name: cache})
    return state.logits, getattr(state, name)


def left_pad(
    prompts: Sequence[Sequence[int]], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids and attention mask, both (P, longest); masked ids are 0."""
    width = max(len(prompt) for prompt in prompts)
    ids = torch.zeros((len(prompts), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
