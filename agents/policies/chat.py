"""From a prompt to the token ids that a model reads, and the tokens that end its answers."""

from collections.abc import Sequence
from typing import Any

CACHED_TEXTS = 1 << 17
"""Prompts whose token ids are cached."""


class Chat:
    """A tokenizer with the chat template that prompts are put into.

    Args:
        tokenizer: its chat template is applied if it has one.

    ``encode`` gives token ids of prompts. ``end`` is the token that closes an answer in the
    template, or None; text that was not sampled is encoded with it.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.end: int | None = tokenizer.eos_token_id
        self._ids: dict[str, list[int]] = {}

    def encode(self, prompts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of prompts in their chat template."""
        return [chat_ids(self.tokenizer, prompt, self._ids) for prompt in prompts]


def chat_ids(tokenizer: Any, prompt: str, cache: dict[str, list[int]]) -> list[int]:
    """Return the token ids of a prompt in the tokenizer's chat template, if it has one."""
    if prompt not in cache:
        text, special = prompt, True
        if tokenizer.chat_template:
            message = [{"role": "user", "content": prompt}]
            text = tokenizer.apply_chat_template(
                message, tokenize=False, add_generation_prompt=True
            )
            special = False
        if len(cache) >= CACHED_TEXTS:
            cache.clear()
        (cache[prompt],) = token_ids(tokenizer, [text], special)
    return cache[prompt]


def token_ids(tokenizer: Any, texts: list[str], special: bool) -> list[list[int]]:
    """Return the token ids of texts; ValueError for characters that the tokenizer lacks."""
    try:
        return tokenizer(texts, add_special_tokens=special)["input_ids"]
    except Exception as error:  # the tokenizers library raises no narrower one
        shown = ", ".join(map(repr, texts[:3]))
        raise ValueError(
            f"the tokenizer cannot read {shown} ({error}); keep to the characters it knows"
        ) from error
