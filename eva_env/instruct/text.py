"""Read a response: its words, sentences and list items, and how sane it is as English text."""

import re
from collections import Counter

import numpy as np

LEAST_WORDS = 4
"""Shorter texts have a sanity of 0."""

LEAST_PLAIN = 0.8
"""Share of letters, digits, spaces and usual punctuation at which a text's sanity is 0."""

MOST_COPIED = 0.5
"""Greatest share of trigrams that a response may take from its prompt."""

PLAIN = frozenset(" .,;:!?'\"-\n\t<>{}[]()*#_$%&/+=@~`\u2019\u201c\u201d\u2014\u2013")


def words_of(text: str) -> list[str]:
    r"""Return the words of a text as IFEval counts them: runs of ``\w``."""
    return re.findall(r"\w+", text)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, split after ``.``, ``!`` and ``?``."""
    parts = re.split(r"(?<=[.!?])[\"'\u201d\u2019]?\s+", text.strip())
    return [part for part in parts if re.search(r"\w", part)]


def sanity(text: str) -> float:
    """Return how much a text looks like running English, in [0, 1], by counts alone.

    It is less than 1 for trigrams of words that repeat, for few distinct words, and for unusual
    characters. Text without sense may have 1: only a language model can tell.
    """
    words = [word.lower() for word in words_of(text)]
    if len(words) < LEAST_WORDS:
        return 0.0
    trigrams = Counter(_trigrams(text))
    repeated = 1 - len(trigrams) / trigrams.total()
    distinct = len(set(words)) / len(words)
    plain = sum(
        character in PLAIN or (character.isascii() and character.isalnum())
        for character in text
    )
    plain_excess = (plain / len(text) - LEAST_PLAIN) / (0.95 - LEAST_PLAIN)
    factors = np.clip([(0.7 - repeated) / 0.4, distinct / 0.5, plain_excess], 0, 1)
    return float(factors.prod())


def copied(prompt: str, text: str) -> float:
    """Return the share of a text's trigrams of words that the prompt has, in [0, 1]."""
    trigrams, known = _trigrams(text), set(_trigrams(prompt))
    return sum(trigram in known for trigram in trigrams) / max(len(trigrams), 1)


def _trigrams(text: str) -> list[tuple[str, str, str]]:
    words = [word.lower() for word in words_of(text)]
    return list(zip(words, words[1:], words[2:], strict=False))
