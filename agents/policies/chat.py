"""From a prompt to the token ids that a model reads, and the token that ends a response."""

from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property
from typing import Any, Literal, Self

from eva_env.chat import Message, as_prompt, messages_of

CACHED_TEXTS = 1 << 17
"""Prompts whose token ids are cached."""

CONTENT = "Content0"
"""A message by which a template is tried out; no template contains it."""

Truncation = Literal["refuse", "left", "right"]
"""What happens to a prompt that does not fit: it is refused, or loses its start or its end."""


class Chat:
    """A tokenizer with the chat template that prompts are put into.

    A tokenizer without a template reads the plain text, with the special tokens that it adds
    itself. With a template, the special tokens are those of the template.

    Args:
        tokenizer: its chat template is applied if it has one.
        system: a system message before every prompt that has none.
        limit: tokens that the model can read, prompt and response together; None: any number.
        max_tokens: tokens that a response may have.
        truncation: what happens to a prompt that does not fit. "left" drops the oldest messages
            and then the start of the last user message, "right" the end of the last user
            message. The template's tokens and the system message stay.

    Raises ValueError for a system message without a template to hold it.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        system: str | None = None,
        limit: int | None = None,
        max_tokens: int = 0,
        truncation: Truncation = "refuse",
    ) -> None:
        if system and not tokenizer.chat_template:
            raise ValueError(
                "the tokenizer has no chat template, so it cannot hold a system message; give "
                "--policy.template FILE, or leave out --policy.system"
            )
        self.tokenizer, self.system = tokenizer, system
        self.limit, self.max_tokens, self.truncation = limit, max_tokens, truncation
        self._ids: dict[str, list[int]] = {}

    def encode(self, prompts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of prompts in their chat template, at least one each.

        Raises ValueError, in one line, for a prompt that does not fit into the model's context,
        for a conversation that the template refuses, and for several messages without a
        template.
        """
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._ids]
        if len(self._ids) + len(new) > CACHED_TEXTS:
            self._ids.clear()
            new = list(dict.fromkeys(prompts))
        messages = [messages_of(prompt) for prompt in new]
        encoded = self._encoded([self._text(turns) for turns in messages]) if new else []
        for prompt, turns, ids in zip(new, messages, encoded, strict=True):
            self._ids[prompt] = self._fitted(turns, ids)
        return [self._ids[prompt] for prompt in prompts]

    def with_max_tokens(self, max_tokens: int) -> Self:
        """Return the same template for responses of another length."""
        twin = copy(self)
        twin.max_tokens, twin._ids = max_tokens, {}
        return twin

    def fits(self, prompt: str) -> bool:
        """Return True if the model can read the prompt and a response of ``max_tokens``."""
        try:
            self.encode([prompt])
        except ValueError:
            return False
        return True

    def exchange(self, prompt: str, response: str) -> str:
        """Return the text of a prompt and a finished response in the template."""
        messages = messages_of(prompt)
        if messages[-1]["role"] == "assistant":  # the response continues this message
            response = messages.pop()["content"] + response
        return self._rendered([*messages, {"role": "assistant", "content": response}], True)

    @cached_property
    def end(self) -> int | None:
        """The token that closes a response in the template, or else the tokenizer's EOS.

        Text that was not sampled is encoded with it. None if there is neither.
        """
        eos = self.tokenizer.eos_token_id
        if not self.tokenizer.chat_template:
            return eos
        # 1. Render a finished exchange; what follows the response closes it.
        exchange = [_user(CONTENT), {"role": "assistant", "content": CONTENT}]
        try:
            text = self._rendered(exchange, closed=True)
        except ValueError:
            return eos
        closing = token_ids(self.tokenizer, [text.rpartition(CONTENT)[2]], special=False)[0]
        # 2. The first special token of it, such as Gemma's <end_of_turn>.
        special = {*self.tokenizer.all_special_ids, *self.tokenizer.added_tokens_decoder}
        return next((token for token in closing if token in special), eos)

    def _fitted(self, messages: list[Message], ids: list[int]) -> list[int]:
        """The token ids of messages, truncated if they are too many and the settings allow."""
        if self.limit is None or len(ids) + self.max_tokens <= self.limit:
            return ids
        remedy = "lower --sampling.max-tokens"  # truncation leaves the template's tokens
        if self.truncation == "refuse":
            remedy = f"shorten it, {remedy}, or set --policy.truncation left"
        refused = ValueError(
            f"prompt of {len(ids)} tokens + {self.max_tokens} for the response exceed the "
            f"model's context of {self.limit}; {remedy} (the prompt begins "
            f"{messages[-1]['content'][:40]!r})"
        )
        if self.truncation == "refuse":
            raise refused
        room = self.limit - self.max_tokens
        # 1. From the left, the oldest messages go first; a conversation begins with the user.
        head = [turn for turn in messages[:1] if turn["role"] == "system"]
        turns = messages[len(head) :]
        last = max((i for i, turn in enumerate(turns) if turn["role"] == "user"), default=0)
        while self.truncation == "left" and last and len(ids) > room:
            turns, last = turns[1:], last - 1
            if turns[0]["role"] == "user":
                ids = self._encoded([self._text([*head, *turns])])[0]
        if len(ids) <= room:
            return ids
        # 2. Then the last user message, to the most characters that fit.
        content = turns[last]["content"]

        def cut(kept: int) -> list[int]:
            start = len(content) - kept if self.truncation == "left" else 0
            shorter = {**turns[last], "content": content[start : start + kept]}
            text = self._text([*head, *turns[:last], shorter, *turns[last + 1 :]])
            return self._encoded([text])[0]

        kept = _largest(lambda kept: len(cut(kept)) <= room, len(content))
        if kept is None:
            raise refused
        return cut(kept)

    def _text(self, messages: list[Message]) -> str:
        """The text of messages up to the response, in the template if there is one."""
        if self.tokenizer.chat_template:
            return self._rendered(messages, closed=False)
        if len(messages) == 1 and messages[0]["role"] == "user":
            return messages[0]["content"]
        raise ValueError(
            f"the tokenizer has no chat template for the {len(messages)} messages of the "
            f"prompt {as_prompt(messages)[:60]!r}; give --policy.template FILE"
        )

    def _encoded(self, texts: list[str]) -> list[list[int]]:
        """The token ids of texts, of any length but 0."""
        encoded = token_ids(self.tokenizer, texts, special=not self.tokenizer.chat_template)
        if all(encoded):
            return encoded
        starts = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        start = next((token for token in starts if token is not None), None)
        if start is None:
            raise ValueError(
                "an empty prompt has no token for the model to start from, since the tokenizer "
                "has neither BOS nor EOS; leave out empty prompts, or give --policy.template "
                "FILE"
            )
        return [ids or [start] for ids in encoded]

    def _rendered(self, messages: list[Message], closed: bool) -> str:
        """The text of messages in the template: up to the response, or closed after it.

        A conversation whose last message is the assistant's is continued, as in TRL.
        """
        if self.system and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": self.system}, *messages]
        if messages[0]["role"] == "system" and not self._has_system_role:
            messages = _without_system(messages)
        is_begun = not closed and messages[-1]["role"] == "assistant"
        return self._template(
            messages,
            add_generation_prompt=not closed and not is_begun,
            continue_final_message=is_begun,
        )

    @cached_property
    def _has_system_role(self) -> bool:
        """True if the template shows a system message; Gemma's refuses it, others skip it."""
        messages = [{"role": "system", "content": CONTENT}, _user("")]
        try:
            return CONTENT in self._template(messages, add_generation_prompt=True)
        except ValueError:
            return False

    def _template(self, messages: list[Message], **options: bool) -> str:
        """The text that the chat template gives; ValueError if it refuses the messages."""
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False, **options)
        except Exception as error:  # a template may raise anything
            roles = ", ".join(turn["role"] for turn in messages)
            raise ValueError(
                f"the chat template refuses messages of {roles} ({_one_line(error)}); change "
                f"the prompt, or give --policy.template FILE"
            ) from error


def token_ids(tokenizer: Any, texts: list[str], special: bool) -> list[list[int]]:
    """Return the token ids of texts; ValueError for characters that the tokenizer lacks."""
    try:
        return tokenizer(texts, add_special_tokens=special)["input_ids"]
    except Exception as error:  # the tokenizers library raises no narrower one
        shown = ", ".join(map(repr, texts[:3]))
        raise ValueError(
            f"the tokenizer cannot read {shown} ({error}); keep to the characters it knows"
        ) from error


def context_length(config: Any) -> int | None:
    """Return the tokens that a model of a Hugging Face configuration can read.

    None for models without positions, recurrent ones and those with ALiBi: they read any
    number.
    """
    config = config.get_text_config()
    attention = getattr(config, "attn_config", None)
    if getattr(attention, "alibi", False) or getattr(config, "alibi", False):
        return None
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")
    lengths = (getattr(config, name, None) for name in names)
    return next((length for length in lengths if isinstance(length, int) and length > 0), None)


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _without_system(messages: list[Message]) -> list[Message]:
    """The messages with the system message at the start of the first user message."""
    system, *turns = messages
    for place, turn in enumerate(turns):
        if turn["role"] == "user":
            joined = _user(f"{system['content']}\n\n{turn['content']}")
            return [*turns[:place], joined, *turns[place + 1 :]]
    return [_user(system["content"]), *turns]


def _largest(holds: Callable[[int], bool], most: int) -> int | None:
    """The largest number in 0..most for which a decreasing condition holds, or None."""
    if not holds(0):
        return None
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
