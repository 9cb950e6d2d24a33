"""Draws of tokens from logits by inverse CDF, with the log-probabilities of what was drawn."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from agents.policies.sampling import Sampling

LIKELIEST = 512
"""Tokens among which the nucleus is looked for before the whole vocabulary is sorted."""

BLOCK = 256
"""Tokens of a block, where a draw finds the block before the token."""


class Choice(NamedTuple):
    """Drawn tokens (R,), and their log-probabilities (R,) under the drawing distribution."""

    token: Tensor
    logprob: Tensor


def choose(logits: Tensor, uniform: Tensor, sampling: "Sampling") -> Choice:
    """Draw a token for each row of logits (R, V) by inverse CDF of one uniform each (R,).

    Log-probabilities are in nats, with temperature and nucleus; 0 at temperature 0.
    """
    if sampling.temperature == 0:
        token = logits.argmax(-1)
        return Choice(token, torch.zeros(token.shape, device=token.device))
    logits = logits.float()
    if sampling.temperature != 1:
        logits = logits / sampling.temperature
    if sampling.top_p < 1:
        return from_nucleus(logits, uniform, sampling.top_p)
    probabilities = torch.softmax(logits, -1)
    token = inverse_cdf(probabilities, uniform)
    return Choice(token, probabilities.gather(-1, token[:, None])[:, 0].log())


def from_nucleus(
    logits: Tensor, uniform: Tensor, top_p: float, likeliest: int = LIKELIEST
) -> Choice:
    """Draw from the nucleus: the likeliest tokens whose mass first reaches ``top_p``.

    Tokens of equal probability are in the order of their ids. The draws are those of a full
    sort, which is only made for rows whose nucleus may reach beyond the likeliest tokens.
    """
    k = min(likeliest, logits.shape[-1])
    values, tokens = _largest(logits, k)
    ordered = (values - logits.logsumexp(-1, keepdim=True)).exp()
    cdf = ordered.cumsum(-1, dtype=torch.float64)
    inside = cdf - ordered < top_p
    # Draw by inverse CDF; the tokens inside the nucleus come first.
    size = inside.sum(-1, keepdim=True).clamp(min=1)
    mass = cdf.gather(-1, size - 1)
    place = torch.searchsorted(cdf, uniform[:, None] * mass, right=True).minimum(size - 1)
    token = tokens.gather(-1, place)[:, 0]
    logprob = (ordered.gather(-1, place).double() / mass).log().float()[:, 0]
    # Tokens as likely as the k-th one may be missing: the nucleus has to end before them.
    fits = values.gather(-1, size - 1)[:, 0] > values[:, -1]
    if k < logits.shape[-1] and not fits.all():
        rest = (~fits).nonzero()[:, 0]
        sorted_fully = from_nucleus(logits[rest], uniform[rest], top_p, logits.shape[-1])
        token[rest], logprob[rest] = sorted_fully
    return Choice(token, logprob)


def _largest(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest logits (R, k), in order, and their places; ties by place."""
    if k == logits.shape[-1]:
        return logits.sort(stable=True, dim=-1, descending=True)
    places = logits.topk(k, sorted=False).indices.sort(-1).values
    values, order = logits.gather(-1, places).sort(stable=True, dim=-1, descending=True)
    return values, places.gather(-1, order)


def inverse_cdf(weights: Tensor, uniform: Tensor) -> Tensor:
    """Return the places (R,) where the cumulated weights (R, V) pass a share of their sum.

    A place with weight 0 is never returned. For a large vocabulary, a block of tokens is found
    first, so that a few cumulated weights are enough.
    """
    rows, size = weights.shape
    # The largest share stays below 1 after rounding.
    share = uniform.clamp(max=1 - 1e-12)[:, None]
    if size < 8 * BLOCK:
        return _first_past(weights.cumsum(-1, dtype=torch.float64), share)[0][:, 0]
    # 1. Find the block: whole ones, and the rest of the vocabulary.
    whole = size // BLOCK * BLOCK
    sums = weights[:, :whole].view(rows, -1, BLOCK).sum(-1)
    if whole < size:
        sums = torch.cat([sums, weights[:, whole:].sum(-1, keepdim=True)], -1)
    block, share = _first_past(sums.cumsum(-1, dtype=torch.float64), share)
    # 2. Find the token in it, by the share of the block's weight that is left.
    places = block * BLOCK + torch.arange(BLOCK, device=weights.device)
    inside = weights.gather(-1, places.clamp(max=size - 1)).where(places < size, 0.0)
    place, _ = _first_past(inside.cumsum(-1, dtype=torch.float64), share)
    return (block * BLOCK + place)[:, 0]


def _first_past(cdf: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first place (R, 1) past a share of the sum, and the share within it."""
    target = share * cdf[:, -1:]
    place = torch.searchsorted(cdf, target, right=True).clamp(max=cdf.shape[-1] - 1)
    start = cdf.gather(-1, (place - 1).clamp(min=0)).where(place > 0, 0.0)
    within = (target - start) / (cdf.gather(-1, place) - start)
    return place, within.clamp(0.0, 1 - 1e-12)
