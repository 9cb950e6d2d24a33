"""Text of others (prompts, responses, names, records) without what controls a terminal."""

import unicodedata
from typing import TextIO


def say(text: str = "", file: TextIO | None = None) -> None:
    """Print a text with each of its lines cleaned; on standard output for None."""
    print(clean_lines(text), file=file)


def clean(text: str) -> str:
    """Return the text on one line, without characters that control a terminal.

    Line ends and tabs become blanks. Escapes, other control and formatting characters (some
    change the direction of writing) and lone surrogates are dropped.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if char.isspace() else char for char in text if _is_visible(char))


def clean_lines(text: str) -> str:
    """Return the text with each of its lines cleaned."""
    return "\n".join(map(clean, text.split("\n")))


def _is_visible(char: str) -> bool:
    return char.isspace() or not unicodedata.category(char).startswith("C")
