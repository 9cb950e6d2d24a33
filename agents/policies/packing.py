"""Several answers behind one prompt in a row of the batch, so that the prompt is read once."""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from eva_env.types import Ints

ABREAST = 8
"""Most answers in a row: each looks past the others, which costs more than it saves then."""


class Packed(NamedTuple):
    """R rows of width W that hold P answers of at most L tokens.

    ``ids`` and ``positions`` (R, W); ``segments`` (R, W), 0 on prompt and padding, else the
    number of the answer in its row. Answer tokens in order of the answers: ``row``, ``source``
    (the place in the row that predicts the token), ``token``, ``answer`` and ``step``, (T,).
    """

    ids: Ints
    positions: Ints
    segments: Ints
    row: Ints
    source: Ints
    token: Ints
    answer: Ints
    step: Ints
    shape: tuple[int, int]


def pack(
    keys: Sequence[Hashable], prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
) -> Packed:
    """Token ids of P prompts and answers, those of equal key behind a prompt they share.

    The last token of an answer predicts nothing and is left out of ``ids``.
    """
    rows: list[list[int]] = []
    place: dict[Hashable, int] = {}
    for i, key in enumerate(keys):
        at = place.get(key)
        if at is None or len(rows[at]) == ABREAST:
            place[key] = len(rows)
            rows.append([i])
        else:
            rows[at].append(i)
    order = [i for members in rows for i in members]
    sizes = np.array([len(answers[i]) for i in order])
    heads = np.array([len(prompts[members[0]]) for members in rows])
    counts = np.array([len(members) for members in rows])
    row = np.repeat(np.arange(len(rows)), counts)
    kept = sizes - 1
    before = kept.cumsum() - kept
    first = np.concatenate([[0], counts.cumsum()[:-1]])
    start = heads[row] + before - before[first][row]  # where an answer begins in its row
    width = int((heads + np.add.reduceat(kept, first)).max())
    flat = np.array([token for i in order for token in answers[i]])
    which = np.repeat(np.arange(len(order)), sizes)
    step = np.arange(len(flat)) - np.repeat(sizes.cumsum() - sizes, sizes)
    source = np.where(step == 0, heads[row[which]] - 1, start[which] + step - 1)
    ids, positions, segments = (np.zeros((len(rows), width), np.int64) for _ in range(3))
    for r, members in enumerate(rows):
        ids[r, : heads[r]] = prompts[members[0]]
    positions[:] = np.arange(width)
    inner = step < kept[which]
    cells = row[which][inner], (start[which] + step)[inner]
    ids[cells] = flat[inner]
    positions[cells] = (heads[row[which]] + step)[inner]
    segments[cells] = (which - first[row[which]] + 1)[inner]
    shape = (len(order), int(sizes.max()))
    answer = np.array(order)[which]
    return Packed(ids, positions, segments, row[which], source, flat, answer, step, shape)


def attention(segments: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Additive mask (R, 1, W, W): causal, and no answer sees another one."""
    width = segments.shape[1]
    causal = torch.ones(width, width, dtype=torch.bool, device=segments.device).tril()
    seen = (segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None])
    mask = torch.zeros(len(segments), 1, width, width, dtype=dtype, device=segments.device)
    return mask.masked_fill(~(seen & causal)[:, None], torch.finfo(dtype).min)


def packed_logprobs(model: Any, packed: Packed) -> torch.Tensor:
    """Log-probabilities of the answers' tokens, (P, L) nats, 0 behind the end."""
    device = model.device
    ids, positions, segments, row, source, token, answer, step = (
        torch.from_numpy(part).to(device) for part in packed[:-1]
    )
    keep = int(packed.source.min())  # no prompt's logits are needed before its last token
    # Rows of one answer each are causal as they stand, and padding is to their right.
    mask = attention(segments, model.dtype) if (packed.segments > 1).any() else None
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        use_cache=False,
        logits_to_keep=ids.shape[1] - keep,
    ).logits
    chosen = logits[row, source - keep].float().log_softmax(-1).gather(-1, token[:, None])[:, 0]
    return chosen.new_zeros(packed.shape).index_put((answer, step), chosen)
