"""Numbers and lists as parts of an English sentence."""

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural: 1 vote, 2 votes."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def join(items: Sequence[str]) -> str:
    """Return the items as a list in a sentence: a, b and c."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def decimal(value: float | None, digits: int = 3) -> str:
    """Return a number with some decimals; "unknown" for None, as where no reward was given."""
    return "unknown" if value is None else f"{value:.{digits}f}"


def size(count: float) -> str:
    """Return a number of bytes with its unit."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
