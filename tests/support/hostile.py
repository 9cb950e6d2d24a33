"""Text that attacks terminals and spreadsheets."""

from eva_env.plain_text import clean_lines

ATTACK = "[/red][link=a]:x:\x1b[2J\x1b]0;t\x07\r\x9b1m\u202eb\u2066\ud800 $x_{$"
SHOWN = "[/red][link=a]:x:[2J]0;t 1mb $x_{$"
"""ATTACK as a terminal shows it."""


def poisoned(value, kept=(), keys=()):
    """JSON whose strings, but for those of ``kept``, are formulas that end in ATTACK.

    Of the keys only those of ``keys`` are changed.
    """
    if isinstance(value, dict):
        return {
            poisoned(key, kept) if key in keys else key: poisoned(item, kept, keys)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [poisoned(item, kept, keys) for item in value]
    return f"={value}{ATTACK}" if isinstance(value, str) and value not in kept else value


def is_plain(printed):
    """Whether a text holds nothing that controls a terminal."""
    return printed == clean_lines(printed)
