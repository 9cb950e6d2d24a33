"""The rule by which responses are called collapsed: four signs, each with a bound.

A policy can score well on IFEval by writing little: a constant text beats a small language
model. A gain counts as one only if the responses still read like the starting policy's. The
bounds are conventions. They are wide: two decodings of one model differ by far less, and the
constant text of ``constant.py`` shows all signs but the repeats.
"""

from collections.abc import Mapping
from typing import Any

SHORTEST = 0.5
"""Least mean number of words, as a share of the starting policy's."""

MORE_REPEATS = 0.1
"""Most that the share of repeated trigrams may rise."""

MORE_COPIES = 0.1
"""Most that the share of responses may rise that are a response to another prompt too."""

LEAST_SURPRISE, MOST_SURPRISE = 0.5, 2.0
"""Bounds on the mean surprise, as a share of the starting policy's own. Surprise is minus the
log-probability per token under the starting policy. Loops have little of it, fragments much:
the constant text has 2.9 times that of SmolLM2-135M-Instruct at temperature 0.7."""


def signs(after: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Return the signs of collapse, each as a clause with its numbers.

    ``after`` and ``before`` are the ``reading`` of the responses with their ``logprob``, of the
    checkpoint and of the starting policy. A value that is None shows nothing.
    """
    clauses = []
    if after["words"] < SHORTEST * before["words"]:
        clauses.append(
            f"responses have {after['words']:.0f} words instead of {before['words']:.0f} "
            f"(below {SHORTEST:.0%})"
        )
    repeats = after["repeated_trigrams"] - before["repeated_trigrams"]
    if repeats > MORE_REPEATS:
        clauses.append(
            f"the share of repeated trigrams rose by {repeats:.2f} (above {MORE_REPEATS})"
        )
    copies = after["copied"] - before["copied"]
    if copies > MORE_COPIES:
        clauses.append(
            f"the share of responses that are given to several prompts rose by {copies:.2f} "
            f"(above {MORE_COPIES})"
        )
    if after["logprob"] is not None and before["logprob"] is not None:
        share = after["logprob"] / min(before["logprob"], -1e-9)
        if not LEAST_SURPRISE <= share <= MOST_SURPRISE:
            clauses.append(
                f"the log-probability per token under the starting policy went from "
                f"{before['logprob']:.2f} to {after['logprob']:.2f} nats (outside "
                f"{LEAST_SURPRISE:g} to {MOST_SURPRISE:g} times)"
            )
    return clauses
