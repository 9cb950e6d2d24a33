"""A prompt of ``Instruct``, taken apart: a request and its constraints."""

import re
from dataclasses import dataclass
from functools import lru_cache

from eva_env.instruct.families import CONFLICTS, FAMILIES, GROUP_OF, GROUPS, Value
from eva_env.instruct.requests import FORMS, SUBJECTS

MAX_CONSTRAINTS = 5

HELD_OUT = (
    frozenset({"no_commas", "include"}),
    frozenset({"at_most", "start"}),
    frozenset({"avoid", "title"}),
)
"""Pairs of families that occur together in the suite ``unseen`` and nowhere else."""

Constraint = tuple[str, Value]
"""A family and its value."""


@dataclass(frozen=True)
class Instruction:
    """A request of a form on a topic, under constraints of different families."""

    form: int
    """Index of its form in ``FORMS``."""
    topic: str
    constraints: tuple[Constraint, ...]
    """In the order of ``FAMILIES``."""

    def __str__(self) -> str:
        sentences = [FORMS[self.form].format(self.topic), *map(sentence_of, self.constraints)]
        return " ".join(sentences)

    @property
    def families(self) -> tuple[str, ...]:
        """The families of the constraints."""
        return tuple(family for family, _ in self.constraints)

    @property
    def core(self) -> str:
        """The family that makes the prompt hard: the first one of the hardest group."""
        ranks = list(GROUPS)
        return max(self.families, key=lambda family: ranks.index(GROUP_OF[family]))

    def with_constraints(self, constraints: dict[str, Value]) -> "Instruction":
        """Return the instruction under other constraints."""
        ordered = tuple((f, constraints[f]) for f in FAMILIES if f in constraints)
        return Instruction(self.form, self.topic, ordered)


def sentence_of(constraint: Constraint) -> str:
    """Return the sentence of a constraint."""
    family, value = constraint
    return FAMILIES[family].sentence.format(value)


def is_compatible(families: tuple[str, ...]) -> bool:
    """Return True for 1 to 5 different families of which no two conflict."""
    present = frozenset(families)
    return (
        1 <= len(families) <= MAX_CONSTRAINTS
        and len(present) == len(families)
        and not any(len(conflict & present) > 1 for conflict in CONFLICTS)
    )


def is_held_out(families: tuple[str, ...]) -> bool:
    """Return True if the families are combined only in the suite ``unseen``."""
    return any(pair <= frozenset(families) for pair in HELD_OUT)


REQUESTS = {
    form.format(topic): (index, topic) for index, form in enumerate(FORMS) for topic in SUBJECTS
}
SENTENCES = {
    sentence_of((name, value)): (name, value)
    for name, family in FAMILIES.items()
    for value in family.values
}
# Longer sentences first, so that none is read as the beginning of another.
_SENTENCE = re.compile("|".join(map(re.escape, sorted(SENTENCES, key=len, reverse=True))))


@lru_cache(maxsize=1 << 16)
def parse(prompt: str) -> Instruction | None:
    """Return the instruction that a text is; None for any other text.

    The inverse of ``str``: one request, then 1 to 5 compatible constraints in the order of
    ``FAMILIES``, one space between sentences.
    """
    instruction = read(prompt)
    return instruction if str(instruction) == prompt else None


def read(text: str) -> Instruction | None:
    """Return the instruction of a text, whatever the order of its constraints.

    What is neither the request nor a constraint is skipped. None without an instruction.
    """
    end = re.search(r"[.?]", text)
    request = text[: end.end()] if end else text
    if request not in REQUESTS:
        return None
    constraints = [SENTENCES[sentence] for sentence in _SENTENCE.findall(text[len(request) :])]
    instruction = Instruction(*REQUESTS[request], ()).with_constraints(dict(constraints))
    return instruction if is_compatible(instruction.families) else None
