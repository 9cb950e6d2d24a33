"""Evolving: rewrite prompts by the task's operators, and remember who descends from whom."""

from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.weights import weighted
from eva_env.types import Proposal, Task

TRIES = 2
"""How often each operator may be tried before a rewrite that is known already is taken."""


class Lineage(NamedTuple):
    """A prompt and where it comes from; a human prompt has neither parent nor operator.

    ``operator`` names the path from the parent, "deepening > shift" if a rewrite between them
    was not published.
    """

    prompt: Any
    parent: Any = None
    operator: str | None = None


def publish(lineages: Sequence[Lineage]) -> Proposal:
    """A proposal of the prompts with equal logits."""
    return Proposal(
        prompts=tuple(one.prompt for one in lineages),
        logits=np.zeros(len(lineages)),
        parents=tuple(one.parent for one in lineages),
        operators=tuple(one.operator for one in lineages),
    )


def evolve(
    task: Task,
    parents: Sequence[Any],
    rewrites: int,
    rng: np.random.Generator,
    *,
    keep: NDArray[np.bool_] | None = None,
    sequential: bool = True,
    taken: Container[Any] | None = (),
    operators: Mapping[str, float] | None = None,
) -> list[Lineage]:
    """Rewrite each of P parents R = ``rewrites`` times (Ye et al. 2025, App. A).

    Args:
        task: whose operators rewrite.
        parents: the P prompts to start from.
        rewrites: R.
        rng: draws operators, and is handed to them.
        keep: (P, R), which rewrites to return; the others only link their chain. None: all.
        sequential: rewrite k + 1 rewrites rewrite k (the paper's default) and descends from
            it, else all rewrite the parent.
        taken: prompts that a rewrite should not repeat, besides those of this call; None
            lets any repeat pass.
        operators: relative probability by operator, 0 for one left out; None or empty: equal.

    A chain ends where no operator applies, so that fewer rewrites may come back. Raises
    ValueError if the task has no operators, or not those that are asked for.
    """
    names, weights = _preferences(task, operators)
    if keep is None:
        keep = np.ones((len(parents), rewrites), dtype=bool)
    if not sequential:
        parents = [
            p for p, wanted in zip(parents, keep, strict=True) for _ in range(wanted.sum())
        ]
        keep = np.ones((len(parents), 1), dtype=bool)
    born: set[Any] = set()
    evolved: list[Lineage] = []
    for anchor, wanted in zip(parents, keep, strict=True):
        prompt, path = anchor, []
        for kept in wanted[: wanted.nonzero()[0].max(initial=-1) + 1]:
            order = [names[i] for i in weighted(weights, len(names), rng)]
            known = None if taken is None else (taken, born)
            step = rewrite(task, prompt, order, rng, known)
            if step is None:
                break
            prompt, operator = step
            born.add(prompt)
            path.append(operator)
            if kept:
                evolved.append(Lineage(prompt, anchor, " > ".join(path)))
                anchor, path = prompt, []
    return evolved


def rewrite(
    task: Task,
    prompt: Any,
    order: Sequence[str],
    rng: np.random.Generator,
    known: Sequence[Container[Any]] | None,
) -> tuple[Any, str] | None:
    """The first valid rewrite that is not known, trying operators in order; with its operator.

    After ``TRIES`` rounds the first that had come out is taken though known: in a task of few
    prompts, repeats are all there is. None where no operator applies.
    """
    repeat = None
    for operator in [*order] * TRIES:
        child = task.mutate(prompt, operator, rng)
        if child is None or child == prompt or not task.valid(child):
            continue
        if not any(child in prompts for prompts in known or ()):
            return child, operator
        repeat = repeat or (child, operator)
    return repeat


def _preferences(task: Task, operators: Mapping[str, float] | None) -> tuple[list[str], Any]:
    """Operators that may be drawn, and their log-weights."""
    if not task.operators:
        raise ValueError(
            f"{type(task).__name__} has no rewrite operators; play Static or Fresh instead"
        )
    if not operators:
        return list(task.operators), np.zeros(len(task.operators))
    unknown = sorted(set(operators) - set(task.operators))
    if unknown or max(operators.values()) <= 0 or min(operators.values()) < 0:
        raise ValueError(
            f"operators must give weights >= 0, one of them positive, to some of "
            f"{', '.join(task.operators)}; got {dict(operators)}"
        )
    names = [name for name in task.operators if operators.get(name, 0) > 0]
    return names, np.log([operators[name] for name in names])
