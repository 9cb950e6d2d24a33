"""Instructions of the micro-language: the record, its sentence, and the parser.

An example of a sentence:

List five animals and two foods, without the letter e, in alphabetical order, ending with wolf.
"""

import re
from dataclasses import dataclass, fields
from functools import lru_cache

from eva_env.wordlist.lexicon import LETTERS, NUMBERS, TOPIC_NAMES, WORD_ID

VERBS = ("list", "name", "write", "give")
ORDERS = ("alphabetical", "reverse", "length")
SIZES = ("short", "long")

FAMILIES = ("mix", "avoid", "contain", "size", "unique", "order", "start", "end", "include")
"""The constraint families; an instruction holds each at most once."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """The parts of an instruction; the field of a constraint family is None if it is absent.

    ``mix`` is (number, topic) of a second topic, ``avoid`` and ``contain`` are letters,
    ``order`` is one of ORDERS, ``size`` one of SIZES; ``start``, ``end`` and ``include`` are
    words. No response can aim at ``lucky``: its reward is a coin toss.
    """

    count: int
    topic: str
    verb: str = "list"
    mix: tuple[int, str] | None = None
    avoid: str | None = None
    contain: str | None = None
    size: str | None = None
    unique: bool | None = None
    order: str | None = None
    start: str | None = None
    end: str | None = None
    include: str | None = None
    lucky: bool | None = None

    @property
    def constraints(self) -> tuple[str, ...]:
        """Return the families that this instruction constrains, without ``lucky``."""
        return tuple(family for family in FAMILIES if getattr(self, family) is not None)

    @property
    def total(self) -> int:
        """Return the number of words that the instruction requires."""
        return self.count + (self.mix[0] if self.mix else 0)

    def __str__(self) -> str:
        """Return the sentence, which ``parse`` reads back."""
        head = f"{self.verb.capitalize()} {NUMBERS[self.count]} {self.topic}"
        if self.mix:
            head += f" and {NUMBERS[self.mix[0]]} {self.mix[1]}"
        clauses = []
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.name in _SENTENCES and value is not None:
                clauses.append(_SENTENCES[spec.name].format(_SPOKEN.get(value, value)))
        return ", ".join([head, *clauses]) + "."


_SENTENCES = {
    "avoid": "without the letter {}",
    "contain": "each with the letter {}",
    "size": "only {} words",
    "unique": "with no repeats",
    "order": "{}",
    "start": "starting with {}",
    "end": "ending with {}",
    "include": "including {}",
    "lucky": "in a lucky mood",
}
_SPOKEN = {
    "alphabetical": "in alphabetical order",
    "reverse": "in reverse alphabetical order",
    "length": "from short to long",
}
_NUMBER = {word: number for number, word in NUMBERS.items()}
_WORD = "|".join(WORD_ID)
_VALUES = {
    "avoid": f"[{LETTERS}]",
    "contain": f"[{LETTERS}]",
    "size": "|".join(SIZES),
    "order": "|".join(_SPOKEN.values()),
    "start": _WORD,
    "end": _WORD,
    "include": _WORD,
}
_CLAUSE = re.compile(
    "|".join(
        sentence.format(f"(?P<{family}>{_VALUES[family]})")
        if family in _VALUES
        else f"(?P<{family}>{sentence})"
        for family, sentence in _SENTENCES.items()
    )
)
_HEAD = re.compile(
    rf"({'|'.join(VERBS)}) ({'|'.join(_NUMBER)}) ({'|'.join(TOPIC_NAMES)})"
    rf"(?: and ({'|'.join(_NUMBER)}) ({'|'.join(TOPIC_NAMES)}))?"
)
_WRITTEN = {spoken: order for order, spoken in _SPOKEN.items()}


@lru_cache(maxsize=1 << 17)
def parse(prompt: str) -> Instruction | None:
    """Parse a sentence, in any case and any order of clauses; None if it is no instruction."""
    head, *clauses = " ".join(prompt.lower().split()).removesuffix(".").split(", ")
    match = _HEAD.fullmatch(head)
    if match is None:
        return None
    verb, number, topic, mix_number, mix_topic = match.groups()
    if mix_topic == topic:
        return None
    values: dict[str, object] = {}
    for clause in clauses:
        clause_match = _CLAUSE.fullmatch(clause)
        family = clause_match and clause_match.lastgroup
        if clause_match is None or family is None or family in values:
            return None
        value = clause_match[family]
        values[family] = _WRITTEN.get(value, value) if family in _VALUES else True
    if mix_topic:
        values["mix"] = (_NUMBER[mix_number], mix_topic)
    return Instruction(_NUMBER[number], topic, verb, **values)  # type: ignore[arg-type]
