"""Prompts of several turns: a text that holds a conversation, so that every part can carry it.

A prompt of one user message is that message. A prompt of several messages is the JSON of their
list, as TRL and chat templates have it: ``[{"role": "user", "content": "Hi"}, ...]``.
"""

import json
from collections.abc import Mapping, Sequence

Message = dict[str, str]
"""A message with its ``role`` (system, user or assistant) and ``content``."""

START = '[{"role": "'


def as_prompt(messages: Sequence[Mapping[str, str]]) -> str:
    """Return the prompt of a conversation; a single user message is the prompt itself."""
    plain = [{"role": turn["role"], "content": turn["content"]} for turn in messages]
    if len(plain) == 1 and plain[0]["role"] == "user":
        return plain[0]["content"]
    return json.dumps(plain, ensure_ascii=False)


def messages_of(prompt: str) -> list[Message]:
    """Return the messages of a prompt: those that ``as_prompt`` wrote, or one of the user."""
    if prompt.startswith(START):
        try:
            turns = json.loads(prompt)
        except (ValueError, RecursionError):
            turns = None
        if isinstance(turns, list) and all(_is_message(turn) for turn in turns):
            return turns
    return [{"role": "user", "content": prompt}]


def last_request(prompt: str) -> str:
    """Return the content of a conversation's last user message."""
    return next(
        (turn["content"] for turn in reversed(messages_of(prompt)) if turn["role"] == "user"),
        "",
    )


def with_last_request(prompt: str, request: str) -> str:
    """Return the conversation with another last user message, which ends it."""
    turns = messages_of(prompt)
    last = max(
        (i for i, turn in enumerate(turns) if turn["role"] == "user"), default=len(turns)
    )
    return as_prompt([*turns[:last], {"role": "user", "content": request}])


def readable(prompt: str) -> str:
    """Return a prompt as a person reads it: each message on lines of its own, with its role."""
    turns = messages_of(prompt)
    if len(turns) == 1 and turns[0]["role"] == "user":
        return turns[0]["content"]
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)


def _is_message(turn: object) -> bool:
    return (
        isinstance(turn, dict)
        and turn.keys() == {"role", "content"}
        and all(isinstance(value, str) for value in turn.values())
    )
