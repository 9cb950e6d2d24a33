"""Draw distinct prompts of a world's distributions, and its fixed suites, by rejection."""

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType

MISSES = 1000
"""Number of draws without a new prompt after which a distribution counts as exhausted."""


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
