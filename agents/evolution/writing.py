"""A language model as a writer of prompts and ratings: its interface, and what it has written."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol, Self

import numpy as np

Form = Literal["examples", "instructions"]
"""The form of a request to a writer: examples that it continues as plain text, or an
instruction in its chat template."""


class Writer(Protocol):
    """The part of a policy that rewriters and judges use; every ``Policy`` has it.

    The form ``examples`` also needs ``complete`` of ``agents.policies.causal_lm.CausalLM``, and
    tokens are counted if there is an attribute ``tokens``.
    """

    def sample(self, prompts: Sequence[str], n: int, rng: np.random.Generator) -> Any:
        """Draw n responses to each of B prompts, (B, n) strings."""
        ...


@dataclass
class Written:
    """Counts of what a writer has written; the difference of two is that of a round."""

    tokens: int = 0
    """Tokens of all replies."""
    rewrites: int = 0
    """Replies that should be rewrites."""
    rewrites_failed: int = 0
    """Those of them that gave no valid prompt."""
    ratings: int = 0
    """Replies that should be ratings."""
    ratings_missing: int = 0
    """Those of them without one rating."""

    @classmethod
    def of(cls, part: Any) -> Self:
        """Return a copy of the counts that a part keeps as ``written``; zeros without any."""
        return cls() + getattr(part, "written", cls())

    def add(self, **counts: int) -> None:
        """Add counts by name."""
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)

    def __add__(self, other: Self) -> Self:
        return type(self)(*(left + right for left, right in self._pairs(other)))

    def __sub__(self, other: Self) -> Self:
        return type(self)(*(left - right for left, right in self._pairs(other)))

    def _pairs(self, other: Self) -> list[tuple[int, int]]:
        return [(getattr(self, spec.name), getattr(other, spec.name)) for spec in fields(self)]

    def logs(self) -> dict[str, float]:
        """Return the shares, in [0, 1], of failed rewrites and of missing ratings.

        Nothing for what was not written.
        """
        shares = {}
        if self.rewrites:
            shares["rewrites_failed"] = self.rewrites_failed / self.rewrites
        if self.ratings:
            shares["ratings_missing"] = self.ratings_missing / self.ratings
        return shares


def replies_of(
    writer: Writer,
    requests: Sequence[str],
    form: Form,
    rng: np.random.Generator,
    written: Written,
    *,
    one_line: bool = False,
) -> list[str]:
    """Return a writer's reply to each request, (P,), and add its tokens to ``written``.

    In the form ``examples``, requests are continued as plain text, to the end of the line if
    ``one_line``. A writer that cannot do that raises ValueError.
    """
    before = getattr(writer, "tokens", 0)
    if form == "instructions":
        drawn = writer.sample(requests, 1, rng)
    else:
        require_completion(writer)
        drawn = writer.complete(requests, 1, rng, one_line=one_line)  # type: ignore[attr-defined]
    written.add(tokens=getattr(writer, "tokens", 0) - before)
    return [reply for (reply,) in drawn]


def require_completion(writer: Any) -> None:
    """Raise ValueError for a writer that cannot continue plain text."""
    if not hasattr(writer, "complete"):
        raise ValueError(
            f"{type(writer).__name__} cannot continue plain text, which examples need; give "
            f"--rewriting.form instructions, or a causal language model"
        )
