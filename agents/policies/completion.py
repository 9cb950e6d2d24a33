"""Plain continuation of a text by a causal LM: no chat template, and an end at a line break."""

from collections.abc import Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from agents.policies.chat import token_ids
from agents.policies.decoding import Sampling, decode
from agents.policies.sampled import Sampled

NO_VOCABULARY = -1
"""The key of a vocabulary that no policy has."""


class Stopping:
    """A causal LM whose responses also end with other tokens than its own end tokens.

    Args:
        model: the Hugging Face model; everything but the end tokens is read from it.
        stop: token ids that end a response too.
    """

    def __init__(self, model: Any, stop: Sequence[int]) -> None:
        self.model = model
        ends = model.generation_config.eos_token_id
        ids = [] if ends is None else [ends] if isinstance(ends, int) else [*ends]
        self.generation_config = SimpleNamespace(eos_token_id=[*ids, *stop])

    def __call__(self, **arguments: Any) -> Any:
        """Return the model's output."""
        return self.model(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def complete(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    n: int,
    seeds: np.ndarray,
    sampling: Sampling,
    *,
    one_line: bool = False,
) -> list[Sampled]:
    """Return n continuations of each of P texts, those of a text in a row.

    ``seeds`` (P,) start the random streams. With ``one_line``, a continuation ends with the
    first token that holds a line break. Continuations are no responses to a prompt, so no
    policy reads their tokens.
    """
    ids = [
        _open_ended(tokenizer, text_ids) for text_ids in token_ids(tokenizer, [*texts], True)
    ]
    stopping = Stopping(model, line_breaks(tokenizer) if one_line else ())
    ends = {*stopping.generation_config.eos_token_id}
    drawn = decode(stopping, ids, n, seeds, sampling)
    replies = tokenizer.batch_decode(drawn, skip_special_tokens=True)
    return [
        Sampled(text, tokens, bool(ends.intersection(tokens[-1:])), NO_VOCABULARY)
        for text, tokens in zip(replies, drawn, strict=True)
    ]


@lru_cache(maxsize=8)
def line_breaks(tokenizer: Any) -> tuple[int, ...]:
    """Return the ids of all tokens whose text holds a line break, increasing."""
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    return tuple(token for token, text in enumerate(texts) if "\n" in text)


def _open_ended(tokenizer: Any, ids: list[int]) -> list[int]:
    """The token ids without an end-of-text token, which some tokenizers append."""
    return ids[:-1] if len(ids) > 1 and ids[-1] == tokenizer.eos_token_id else ids
