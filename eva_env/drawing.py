"""Draw prompts of a world, its fixed suites and its rewrites, by rejection."""

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

import numpy as np

Instruction = TypeVar("Instruction")

MISSES = 1000
"""Number of draws without a new prompt after which a distribution counts as exhausted."""

TRIES = 8
"""Rewrites by an operator, which draws at random, before it counts as not applicable."""


def draw_distinct(
    n: int, distribution: str, known: Collection[str], draw: Callable[[], str | None]
) -> list[str]:
    """Return n distinct prompts of ``draw``, which returns None for a prompt of a suite.

    Raises ValueError for a distribution that is not ``known``, and for one with fewer prompts.
    """
    if distribution not in known:
        raise ValueError(f"unknown distribution {distribution!r}; known: {', '.join(known)}")
    prompts: dict[str, None] = {}
    misses = 0
    while len(prompts) < n and misses < MISSES:
        prompt = draw()
        misses = misses + 1 if prompt is None or prompt in prompts else 0
        if prompt is not None:
            prompts[prompt] = None
    if len(prompts) == n:
        return list(prompts)
    raise ValueError(
        f"the distribution {distribution!r} has only {len(prompts)} distinct prompts, got n={n}"
    )


def draw_disjoint(
    names: Iterable[str], size: int, draw: Callable[[str], str]
) -> Mapping[str, tuple[str, ...]]:
    """Return suites of ``size`` prompts each, without common prompts; ``draw`` takes a name."""
    taken: set[str] = set()
    suites = {}
    for name in names:
        prompts: dict[str, None] = {}
        while len(prompts) < size:
            prompt = draw(name)
            if prompt not in taken:
                prompts[prompt] = None
        taken |= set(prompts)
        suites[name] = tuple(prompts)
    return MappingProxyType(suites)


def draw_rewrite(
    instruction: Instruction,
    operator: Callable[[Instruction, np.random.Generator], Instruction | None],
    rng: np.random.Generator,
    admits: Callable[[Instruction], bool],
) -> str | None:
    """Return a rewrite that differs and is admitted; None if the operator gives none."""
    for _ in range(TRIES):
        child = operator(instruction, rng)
        if child is None:
            return None
        if child != instruction and admits(child):
            return str(child)
    return None
