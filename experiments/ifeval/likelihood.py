"""The mean log-probability per token of responses under the starting policy, in nats.

A policy that collapses writes what the starting policy finds improbable (fragments, a constant)
or all too probable (loops). Reading a response costs about half of drawing it, so the first
response to at most ``READ`` prompts is read; values are kept next to the responses.
"""

from collections.abc import Sequence
from typing import Any

import torch

from experiments.ifeval.official import Item
from experiments.ifeval.responses import Advance, Row, stored, stored_rows
from experiments.ifeval.subset import stratified
from experiments.run.schema import StoredLikelihood

READ = 64
"""Prompts whose first responses are read, the first of the stratified order."""

BATCH = 8
"""Responses that are read at a time."""


def mean_logprob(
    start: Any,
    name: str,
    items: Sequence[Item],
    responses: Sequence[Sequence[str]],
    advance: Advance,
) -> dict[str, float]:
    """Return ``logprob``, nats per token of first responses (P, n), and how many were ``read``.

    The sum over the tokens of all read responses, divided by their number; the end counts.
    Log-probabilities are those at temperature 1 without a nucleus. ``name`` is the file of the
    cache that keeps them.
    """
    places = {item.key: place for place, item in enumerate(items)}
    chosen = sorted(places[item.key] for item in stratified(items, READ))
    rows = {row["prompt"]: row for row in stored_rows(name, StoredLikelihood)}
    missing = [place for place in chosen if place not in rows]
    advance(len(chosen) - len(missing))
    missing.sort(key=lambda place: len(responses[place][0]))
    for first in range(0, len(missing), BATCH):
        batch = missing[first : first + BATCH]
        read = _read(start, items, responses, batch)
        stored().append(name, read)
        rows |= {row["prompt"]: row for row in read}
        advance(len(batch))
    nats = sum(rows[place]["nats"] for place in chosen)
    tokens = sum(rows[place]["tokens"] for place in chosen)
    return {"logprob": nats / max(tokens, 1), "read": len(chosen)}


@torch.no_grad()
def _read(
    start: Any, items: Sequence[Item], responses: Sequence[Sequence[str]], places: list[int]
) -> list[Row]:
    """Return a row per response: the sum of its log-probabilities, and its tokens."""
    texts = [responses[place][0] for place in places]
    nats = start.logprobs([items[place].prompt for place in places], texts).tolist()
    tokens = start.lengths(texts).tolist()
    return [
        {"prompt": place, "nats": value, "tokens": int(length)}
        for place, value, length in zip(places, nats, tokens, strict=True)
    ]
