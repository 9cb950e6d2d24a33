"""Draws of tokens from logits by inverse CDF, with the log-probabilities of what was drawn."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from agents.policies.decoding import Sampling

LIKELIEST = 512
"""Tokens among which the nucleus is looked for before the whole vocabulary is sorted."""


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
    """Return the places (R,) where the cumulated weights (R, V) pass a share of their sum."""
    cdf = weights.cumsum(-1, dtype=torch.float64)
    place = torch.searchsorted(cdf, (uniform * cdf[:, -1])[:, None], right=True)[:, 0]
    return place.clamp(max=cdf.shape[-1] - 1)
