"""The prompt, topic and suite in a row of a file.

A prompt is text, or a list of messages as TRL and chat templates have them. Messages of the
assistant at the end are cut off, because the solver writes that response.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from eva_env.chat import as_prompt
from eva_env.prompt_files.reading import Row

COLUMNS = ("prompt", "messages")
"""Columns that hold the prompt unless another one is named."""

ROLES = ("system", "user", "assistant")


def prompt_column(row: Row, column: str | None, others: Collection[str | None]) -> str:
    """Return the column of the prompts, by the first row of a file.

    Without a ``column`` it is ``prompt``, else ``messages``, else the only column of text or
    lists that is not among ``others``. Raises ValueError with the columns that exist.
    """
    names = list(row.values)
    if column is not None:
        require_column(row, column, "--task.column")
        return column
    for usual in COLUMNS:
        if usual in names:
            return usual
    texts = [
        name
        for name in names
        if name not in others and isinstance(row.values[name], str | list)
    ]
    if len(texts) == 1:
        return texts[0]
    raise ValueError(
        f"{row.where}: no column is called prompt or messages; name one of "
        f"{', '.join(names) or 'none'} by --task.column"
    )


def require_column(row: Row, column: str, option: str) -> None:
    """Raise ValueError, with the columns that exist, if the row lacks the column."""
    if column not in row.values:
        names = ", ".join(map(str, row.values)) or "no columns"
        raise ValueError(f"{row.where}: no column {column!r} ({option}); it has {names}")


def prompt_of(row: Row, column: str) -> tuple[str, bool]:
    """Return the prompt of a row, and whether messages of the assistant were cut off.

    An empty cell gives "". Raises ValueError, with file and line, for anything that is neither
    text nor messages.
    """
    value = row.values[column]
    if isinstance(value, str):
        value = _messages_in(value)
    if value is None:
        return "", False
    if isinstance(value, str):
        _require_utf8(value, row)
        return value, False
    if not isinstance(value, list):
        raise ValueError(
            f"{row.where}: {column} must be text or a list of messages, got "
            f"{type(value).__name__}"
        )
    messages = [_message(turn, row, column) for turn in value]
    kept = list(messages)
    while kept and kept[-1]["role"] == "assistant":
        kept.pop()
    if messages and (not kept or kept[-1]["role"] != "user"):
        raise ValueError(
            f"{row.where}: the messages of {column} must end with one of the user, or of the "
            f"user and then the assistant"
        )
    if not kept or not kept[-1]["content"].strip():
        return "", False
    prompt = as_prompt(kept)
    _require_utf8(prompt, row)
    return prompt, len(kept) < len(messages)


def label_of(row: Row, column: str | None, option: str) -> str:
    """Return the text of a topic or suite column; "" for an empty cell or without a column."""
    if column is None:
        return ""
    require_column(row, column, option)
    value = row.values[column]
    return "" if value is None else str(value).strip()


def _messages_in(text: str) -> Any:
    """The messages that a text holds as JSON, as cells of CSV files do; otherwise the text."""
    if not text.startswith("["):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    is_conversation = isinstance(value, list) and value and all(map(_is_message, value))
    return value if is_conversation else text


def _is_message(turn: Any) -> bool:
    return isinstance(turn, dict) and turn.get("role") in ROLES and "content" in turn


def _message(turn: Any, row: Row, column: str) -> dict[str, str]:
    """A message with its role and text; parts of text are joined."""
    if not isinstance(turn, Mapping) or not {"role", "content"} <= turn.keys():
        raise ValueError(
            f'{row.where}: a message of {column} must be {{"role": ..., "content": ...}}, got '
            f"{_short(turn)}"
        )
    role, content = turn["role"], turn["content"]
    if role not in ROLES:
        raise ValueError(f"{row.where}: a role must be {', '.join(ROLES)}, got {role!r}")
    if isinstance(content, list) and all(_is_text_part(part) for part in content):
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise ValueError(
            f"{row.where}: the content of a message must be text, got {_short(content)}"
        )
    return {"role": role, "content": content}


def _is_text_part(part: Any) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("text"), str)


def _require_utf8(text: str, row: Row) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{row.where}: character {error.start} of the prompt is half of a surrogate pair"
        ) from error


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
