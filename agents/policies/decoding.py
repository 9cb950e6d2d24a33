"""Batched sampling from a Hugging Face causal LM.

Leaner than ``model.generate``: a prompt is read once for its n samples, which are decoded side
by side, and rows that have ended leave the batch. ``plain_decoding`` is for models that cannot
do that. Each request has its own random stream, so that a response does not depend on which
other requests are decoded in the same batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.policies.attention import StepMasks, device_of, unwrap
from agents.policies.choosing import choose
from agents.policies.mixture import Caches, Mixture
from eva_env.hashing import GOLDEN_GAMMA, mix64
from eva_env.require import require
from eva_env.types import Floats

Way = Literal["side by side", "padded", "equal lengths", "recomputed"]
"""How samples are decoded: n samples of a prompt in one row; one sample a row by the library's
own cache, with padding or among prompts of equal length; or without any cache."""

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


class Drawn(NamedTuple):
    """A response as token ids, with the end token if it ended, and their log-probabilities.

    ``logprobs`` are those of the distribution that drew the tokens, in nats: temperature and
    nucleus count. None for greedy decoding.
    """

    ids: list[int]
    ended: bool
    logprobs: list[float] | None


class Tokens(NamedTuple):
    """Drawn tokens (R, n, steps), -1 after the end, and their log-probabilities in nats."""

    tokens: Tensor
    logprobs: Tensor


def end_ids(model: Any, *others: int | None) -> tuple[int, ...]:
    """Return the ids that end a response: those of the generation config, and others."""
    eos = getattr(unwrap(model).generation_config, "eos_token_id", None)
    listed = eos if isinstance(eos, list | tuple) else [eos]
    return tuple(sorted({int(end) for end in (*listed, *others) if end is not None}))


def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    samples: int,
    seeds: np.ndarray,
    sampling: Sampling,
    rows: int = 128,
    *,
    ends: Sequence[int] | None = None,
    way: Way = "side by side",
) -> list[Drawn]:
    """Sample token ids: P prompts -> P * samples responses, those of a prompt in succession.

    Args:
        model: a causal LM or a ``Mixture``.
        prompts: token ids.
        samples: responses to each prompt.
        seeds: unsigned integers (P,) that start the requests' random streams.
        sampling: how tokens are drawn.
        rows: most rows, of at most ``SAMPLES_PER_ROW`` samples each, decoded at a time.
        ends: ids that end a response; by default those of the model's generation config.
        way: how the model reads several samples; see ``agents.policies.layout``.
    """
    ends = end_ids(model) if ends is None else ends
    # 1. Spread a prompt's samples evenly over as many rows as they need. A row of the plain
    #    ways holds one sample.
    most = SAMPLES_PER_ROW if way == "side by side" else 1
    rows_per_prompt = -(-samples // most)
    width = -(-samples // rows_per_prompt)
    random = uniforms(seeds, rows_per_prompt * width, sampling.max_tokens)
    random = random.reshape(-1, width, sampling.max_tokens)
    # 2. Decode rows of similar length together, so that little is padding.
    lengths = np.repeat([len(prompt) for prompt in prompts], rows_per_prompt)
    chunks = _chunks(lengths, rows * SAMPLES_PER_ROW // most, way == "equal lengths")
    drawn: list[list[Drawn]] = [[]] * len(lengths)
    for chunk in chunks:
        chunk_prompts = [prompts[i // rows_per_prompt] for i in chunk]
        uniform = torch.from_numpy(random[chunk]).to(device_of(model))
        if way == "side by side":
            result = _decode_side_by_side(model, chunk_prompts, uniform, sampling, ends)
        else:
            from agents.policies.plain_decoding import decode_rows

            result = decode_rows(model, chunk_prompts, uniform, sampling, ends, way)
        for i, responses in zip(chunk, _drawn(result, ends, sampling), strict=True):
            drawn[i] = responses
    # 3. Rows may have room for more samples than were requested.
    by_prompt = (drawn[i : i + rows_per_prompt] for i in range(0, len(drawn), rows_per_prompt))
    return [
        response
        for prompt_rows in by_prompt
        for response in [drawn for row in prompt_rows for drawn in row][:samples]
    ]


def _chunks(lengths: np.ndarray, rows: int, equal: bool) -> list[np.ndarray]:
    """Return the places of rows to decode together, sorted by length, at most ``rows`` each."""
    order = np.argsort(lengths, kind="stable")
    groups = [order]
    if equal:
        groups = np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1)
    return [
        group[start : start + rows] for group in groups for start in range(0, len(group), rows)
    ]


def _drawn(result: Tokens, ends: Sequence[int], sampling: Sampling) -> list[list[Drawn]]:
    """Return the responses of each row, cut after their last token."""
    sizes = (result.tokens >= 0).sum(-1).tolist()
    rows = zip(sizes, result.tokens.tolist(), result.logprobs.tolist(), strict=True)
    greedy, responses = sampling.temperature == 0, []
    for row in rows:
        responses.append([])
        for size, tokens, logprobs in zip(*row, strict=True):
            ids = tokens[:size]
            ended = ids[-1] in ends
            responses[-1].append(Drawn(ids, ended, None if greedy else logprobs[:size]))
    return responses


@torch.inference_mode()
def _decode_side_by_side(
    model: Any,
    prompts: Sequence[Sequence[int]],
    uniform: Tensor,
    sampling: Sampling,
    ends: Sequence[int],
) -> Tokens:
    """Draw a response for each uniform stream, (P, n, max_tokens), n to a prompt."""
    n, steps = uniform.shape[1:]
    end = torch.tensor(ends, dtype=torch.long, device=uniform.device)
    state = SideBySide(model, prompts, n, steps)
    tokens = torch.full(uniform.shape, -1, device=uniform.device)
    logprobs = torch.zeros(uniform.shape, device=uniform.device)
    row = torch.arange(len(prompts), device=uniform.device)  # the place of each batch row
    unfinished = torch.ones(uniform.shape[:2], dtype=torch.bool, device=uniform.device)
    for t in range(steps):
        # 1. Draw a token for every sample; those of finished samples are thrown away.
        choice = choose(state.logits.flatten(0, 1), uniform[row, :, t].flatten(), sampling)
        token = choice.token.view(-1, n)
        tokens[row, :, t] = token.where(unfinished, -1)
        logprobs[row, :, t] = choice.logprob.view(-1, n)
        unfinished &= torch.isin(token, end, invert=True)
        # 2. A row leaves when all its samples have ended. That copies the cache, so it waits
        #    until a fifth of the rows can leave together.
        kept = unfinished.any(1).nonzero()[:, 0]
        if len(kept) == 0 or t + 1 == steps:
            break
        if len(kept) < 0.8 * len(row):
            state.keep(kept)
            row, token, unfinished = row[kept], token[kept], unfinished[kept]
        # 3. Read the n new tokens of every row in one step, all at the same position.
        state.advance(token)
    return Tokens(tokens, logprobs)


class SideBySide:
    """A batch of P rows, each with a prompt and n samples that continue it.

    A step reads n tokens at the same position, each of which sees the prompt and the tokens of
    its own sample. So the prompt's states are held once, and an ordinary cache and a mask are
    enough. ``logits`` (P, n, V) are those of the next tokens.
    """

    def __init__(
        self, model: Any, prompts: Sequence[Sequence[int]], n: int, steps: int
    ) -> None:
        ids, mask = left_pad(prompts, device_of(model))
        position = (mask.cumsum(-1) - 1).clamp(min=0)
        arguments = {"input_ids": ids, "attention_mask": mask, "position_ids": position}
        # All n samples start from the same next-token logits.
        logits, self.cache = forward(model, None, 1, **arguments)
        self.logits = logits.expand(-1, n, -1)
        self.model, self.t = model, 0
        self.position = mask.sum(-1, keepdim=True).expand(-1, n)
        self.masks = StepMasks(model, mask, n, steps)

    def advance(self, tokens: Tensor) -> None:
        """Read the next token of every sample, (P, n)."""
        mask = self.masks.step(self.t)
        self.logits, self.cache = forward(
            self.model,
            self.cache,
            None,
            input_ids=tokens,
            attention_mask=mask,
            position_ids=self.position + self.t,
        )
        self.t += 1

    def keep(self, rows: Tensor) -> None:
        """Keep some rows of the batch."""
        self.cache.batch_select_indices(rows)
        self.masks.keep(rows)
        self.position = self.position[rows]


def forward(model: Any, cache: Any, last: int | None, **arguments: Any) -> tuple[Tensor, Any]:
    """Return a model's logits at the last places (None: all of them), and its updated cache.

    The first call has cache None: the new cache keeps all tokens, even those that a sliding
    window has passed, since the masks count on their places.
    """
    if isinstance(model, Mixture):
        caches = cache or Caches(None, None)
        first, first_cache = forward(model.first, caches.first, last, **arguments)
        second, second_cache = forward(model.second, caches.second, last, **arguments)
        return model.mix(first, second), Caches(first_cache, second_cache)
    from transformers import DynamicCache

    model = unwrap(model)
    cache = DynamicCache() if cache is None else cache
    name = "cache" if "cache" in signature(model.forward).parameters else "past_key_values"
    hook = None
    if last is not None:
        hook = model.get_output_embeddings().register_forward_pre_hook(
            lambda _, inputs: (inputs[0][:, -last:], *inputs[1:])
        )
    try:
        logits = model(**arguments, use_cache=True, **{name: cache}).logits
    finally:
        if hook is not None:
            hook.remove()
    return logits, cache


def left_pad(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return token ids and attention mask, both (P, longest); masked ids are 0."""
    width = max(len(prompt) for prompt in prompts)
    ids = torch.zeros((len(prompts), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
