"""Several responses after one prompt in a row of the batch, so that it is read once."""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from agents.policies.attention import device_of, packed_masks, text_config
from agents.policies.logits import Head, chosen, hidden_states, logprobs_of, tokens_in
from eva_env.types import Ints

RESPONSES_PER_ROW = 8
"""Most responses in a row; with more, masking out the others costs more than packing saves."""


class Packed(NamedTuple):
    """R rows of width W that hold P responses of at most L tokens.

    ``ids`` and ``positions`` (R, W); ``segments`` (R, W), 0 on prompt and padding, else the
    number of the response in its row, from 1. The T response tokens, response after response:
    ``row``, ``source`` (the place in the row that predicts the token), ``token``, ``response``
    and ``step``, (T,). ``shape`` is (P, L).
    """

    ids: Ints
    positions: Ints
    segments: Ints
    row: Ints
    source: Ints
    token: Ints
    response: Ints
    step: Ints
    shape: tuple[int, int]


def pack(
    keys: Sequence[Hashable],
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
) -> Packed:
    """Pack the token ids of P prompts and responses; those of equal key share their prompt.

    The last token of a response predicts nothing and is left out of ``ids``. A response may
    have no tokens.
    """
    # 1. Assign responses to rows: a row fills up before the same key opens another one.
    members: list[list[int]] = []
    open_row: dict[Hashable, int] = {}
    for i, key in enumerate(keys):
        if key not in open_row or len(members[open_row[key]]) == RESPONSES_PER_ROW:
            open_row[key] = len(members)
            members.append([])
        members[open_row[key]].append(i)

    # 2. Lay out responses: S of them in the order of the rows, each right after the one before.
    order = [i for row_members in members for i in row_members]
    counts = np.array([len(row_members) for row_members in members])
    prompt_sizes = np.array([len(prompts[row_members[0]]) for row_members in members])
    sizes = np.array([len(responses[i]) for i in order])
    stored = np.maximum(sizes - 1, 0)
    row = np.repeat(np.arange(len(members)), counts)
    first = np.concatenate([[0], counts.cumsum()[:-1]])  # a row's first response
    before = stored.cumsum() - stored
    start = prompt_sizes[row] + before - before[first][row]
    width = int((prompt_sizes + np.add.reduceat(stored, first)).max())

    # 3. From here on, one entry per response token. The prompt's last token predicts the first
    #    token of every response, and each stored token predicts the next one.
    index = np.repeat(np.arange(len(order)), sizes)  # the token's response among the S
    token = np.array([token for i in order for token in responses[i]], np.int64)
    step = np.arange(len(token)) - np.repeat(sizes.cumsum() - sizes, sizes)
    token_row = row[index]
    source = np.where(step == 0, prompt_sizes[token_row] - 1, start[index] + step - 1)

    # 4. Write the rows. All responses of a row continue the prompt, so their positions run on
    #    from its end, wherever they lie in the row.
    ids, segments = (np.zeros((len(members), width), np.int64) for _ in range(2))
    positions = np.tile(np.arange(width), (len(members), 1))
    for r, row_members in enumerate(members):
        ids[r, : prompt_sizes[r]] = prompts[row_members[0]]
    is_stored = step < stored[index]
    cells = token_row[is_stored], (start[index] + step)[is_stored]
    ids[cells] = token[is_stored]
    positions[cells] = (prompt_sizes[token_row] + step)[is_stored]
    segments[cells] = (index - first[token_row] + 1)[is_stored]
    shape = (len(order), int(sizes.max()))
    response = np.array(order)[index]
    return Packed(ids, positions, segments, token_row, source, token, response, step, shape)


def packed_logprobs(
    model: Any,
    packed: Packed,
    *,
    head: bool = True,
    megabytes: float = 256.0,
    temperature: float = 1.0,
) -> Tensor:
    """Return log-probabilities of responses by token, (P, L) nats in float32, 0 after the end.

    Args:
        model: a causal LM. Several responses in a row need one that reads custom masks.
        packed: the rows.
        head: the logits are those of ``Head``; False takes the model's own.
        megabytes: a bound on the memory of logits that exist together.
        temperature: divisor of the logits.
    """
    device = device_of(model)
    row, source, token, response, step = (
        torch.from_numpy(part).to(device) for part in packed[3:-1]
    )
    if not len(token):
        return next(iter(model.parameters())).float().sum() * torch.zeros(packed.shape).to(
            device
        )
    # 1. Rows of one response each are causal without a mask, and padding is to their right.
    arguments = {"input_ids": torch.from_numpy(packed.ids).to(device)}
    if (packed.segments > 1).any():
        segments, positions = (
            torch.from_numpy(part).to(device) for part in (packed.segments, packed.positions)
        )
        arguments["position_ids"] = positions
        arguments["attention_mask"] = packed_masks(model, segments, positions)
    # 2. Only the states that predict a response token go through the head.
    if head:
        states = hidden_states(model, **arguments)[row, source]
        logprobs = logprobs_of(Head(model), states, token, megabytes, temperature)
    else:
        logprobs = _own_logprobs(model, arguments, packed, megabytes, temperature)
    # 3. Put each token's log-probability where its response and step say.
    return logprobs.new_zeros(packed.shape).index_put((response, step), logprobs)


def _own_logprobs(
    model: Any, arguments: dict[str, Any], packed: Packed, megabytes: float, temperature: float
) -> Tensor:
    """Return log-probabilities (T,) by the model's own logits, some rows at a time."""

    def read(rows: slice, places: Tensor, sources: Tensor, tokens: Tensor) -> Tensor:
        logits = model(**_rows(arguments, rows), use_cache=False).logits
        return chosen(logits[places, sources], tokens, temperature)

    device, (count, width) = device_of(model), packed.ids.shape
    size = max(1, tokens_in(megabytes, text_config(model).vocab_size) // width)
    keep_logits = size >= count or not torch.is_grad_enabled()
    parts, order = [], []
    for start in range(0, count, size):
        places = np.flatnonzero((packed.row >= start) & (packed.row < start + size))
        tensors = (packed.row[places] - start, packed.source[places], packed.token[places])
        call = [slice(start, start + size), *(torch.from_numpy(x).to(device) for x in tensors)]
        if keep_logits:
            parts.append(read(*call))
        else:  # one chunk's logits exist at a time; the backward pass reads its rows again
            parts.append(checkpoint(read, *call, use_reentrant=False))
        order.append(places)
    return torch.cat(parts)[torch.from_numpy(np.concatenate(order).argsort()).to(device)]


def _rows(arguments: dict[str, Any], rows: slice) -> dict[str, Any]:
    """Return a model's arguments for some rows of the batch."""
    return {
        name: {kind: mask[rows] for kind, mask in value.items()}
        if isinstance(value, dict)
        else value[rows]
        for name, value in arguments.items()
    }
