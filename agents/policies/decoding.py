"""Batched sampling from a Hugging Face causal LM.

Leaner than ``model.generate``: a prompt is read once for its n samples, which are decoded side
by side, and rows that have ended leave the batch. ``plain_decoding`` is for models that cannot
do that. Each request has its own random stream, so that a response does not depend on which
other requests are decoded in the same batch.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from agents.policies.attention import device_of, unwrap
from agents.policies.plain_decoding import decode_rows
from agents.policies.sampling import SHARED, Sampling, Tokens, Way, uniforms
from agents.policies.side_by_side import decode_side_by_side

SAMPLES_PER_ROW = 8
"""Most samples of a prompt that share a row of the batch; each must mask out the others."""


class Drawn(NamedTuple):
    """A response as token ids, with the end token if it ended, and their log-probabilities.

    ``logprobs`` are those of the distribution that drew the tokens, in nats: temperature and
    nucleus count. None for greedy decoding.
    """

    ids: list[int]
    ended: bool
    logprobs: list[float] | None


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
    most = SAMPLES_PER_ROW if way in SHARED else 1
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
        if way in SHARED:
            result = decode_side_by_side(model, chunk_prompts, uniform, sampling, ends, way)
        else:
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
    """Return the responses of each row, cut after their last token.

    Raises ValueError for NaN probabilities, by which the draws mean nothing.
    """
    is_token = result.tokens >= 0
    if result.logprobs[is_token].isnan().any():
        raise ValueError("the policy's probabilities are NaN: take another checkpoint")
    sizes = is_token.sum(-1).tolist()
    rows = zip(sizes, result.tokens.tolist(), result.logprobs.tolist(), strict=True)
    greedy, responses = sampling.temperature == 0, []
    for row in rows:
        responses.append([])
        for size, tokens, logprobs in zip(*row, strict=True):
            ids = tokens[:size]
            ended = ids[-1] in ends
            responses[-1].append(Drawn(ids, ended, None if greedy else logprobs[:size]))
    return responses
