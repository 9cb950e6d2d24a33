"""Several responses after one prompt in a row of the batch, so that it is read once."""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

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

    The last token of a response predicts nothing and is left out of ``ids``.
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
    stored = sizes - 1
    row = np.repeat(np.arange(len(members)), counts)
    first = np.concatenate([[0], counts.cumsum()[:-1]])  # a row's first response
    before = stored.cumsum() - stored
    start = prompt_sizes[row] + before - before[first][row]
    width = int((prompt_sizes + np.add.reduceat(stored, first)).max())

    # 3. From here on, one entry per response token. The prompt's last token predicts the first
    #    token of every response, and each stored token predicts the next one.
    index = np.repeat(np.arange(len(order)), sizes)  # the token's response among the S
    token = np.array([token for i in order for token in responses[i]])
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


def attention(segments: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the additive mask (R, 1, W, W): causal, and no response sees another one."""
    width = segments.shape[1]
    causal = torch.ones(width, width, dtype=torch.bool, device=segments.device).tril()
    seen = (segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None])
    mask = torch.zeros(len(segments), 1, width, width, dtype=dtype, device=segments.device)
    return mask.masked_fill(~(seen & causal)[:, None], torch.finfo(dtype).min)


def packed_logprobs(model: Any, packed: Packed) -> torch.Tensor:
    """Return log-probabilities of the responses' tokens, (P, L) nats, 0 after the end."""
    device = model.device
    ids, positions, segments, row, source, token, response, step = (
        torch.from_numpy(part).to(device) for part in packed[:-1]
    )
    # 1. Rows of one response each are causal without a mask, and padding is to their right.
    mask = attention(segments, model.dtype) if (packed.segments > 1).any() else None
    # 2. No logits are needed before the last token of the shortest prompt: they are the largest
    #    tensor here, (R, W, vocabulary).
    skipped = int(packed.source.min())
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        use_cache=False,
        logits_to_keep=ids.shape[1] - skipped,
    ).logits
    # 3. Normalise only the places that predict a response token, and put each token's
    #    log-probability where its response and step say.
    predictions = logits[row, source - skipped].float().log_softmax(-1)
    chosen = predictions.gather(-1, token[:, None])[:, 0]
    return chosen.new_zeros(packed.shape).index_put((response, step), chosen)
