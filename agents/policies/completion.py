"""Plain continuation of a text by a causal LM: no chat template, and an end at a line break."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from agents.policies.chat import token_ids

NO_VOCABULARY = -1
"""The key of a vocabulary that no policy has."""


def plain_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of texts that go on, without the end token that some append."""
    encoded = token_ids(tokenizer, [*texts], True)
    end = tokenizer.eos_token_id
    return [ids[:-1] if len(ids) > 1 and ids[-1] == end else ids for ids in encoded]


@lru_cache(maxsize=8)
def line_breaks(tokenizer: Any) -> tuple[int, ...]:
    """Return the ids of all tokens whose text holds a line break, increasing."""
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    return tuple(token for token, text in enumerate(texts) if "\n" in text)
