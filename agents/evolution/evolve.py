"""Evolving: rewrite prompts by the task's operators, and remember who descends from whom."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.evolution.operators import mutate_all, preferences
from eva_env.types import Floats, Proposal, Task

Step = tuple[Any, str]
"""A rewrite and the operator that made it."""

Score = Callable[[Sequence[Any]], Floats]
"""Prompts (Q,) -> scores (Q,), higher is better; NaN where there is none."""

TRIES = 2
"""How often each operator may be tried before a rewrite that is known already is taken."""


class Lineage(NamedTuple):
    """A prompt and where it comes from; a human prompt has neither parent nor operator.

    ``operator`` names the path from the parent, "deepening > mix" if a rewrite between them
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
    branches: int = 1,
    score: Score | None = None,
) -> list[Lineage]:
    """Rewrite each of P parents R = ``rewrites`` times (Ye et al. 2025, App. A).

    All chains grow together, a rewrite at a time, so that operators that ask a language model
    are called with batches (``mutate_all``).

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
        branches: rewrites made for each that stays, which is the one of highest ``score``.
        score: what to choose among branches by.

    A chain ends where no operator applies, so that fewer rewrites may come back. Raises
    ValueError if the task has no operators, or not those that are asked for.
    """
    if branches > 1 and score is None:
        raise ValueError(f"{branches} branches need a score to choose by; give one to evolve")
    names, weights = preferences(task, operators)
    if keep is None:
        keep = np.ones((len(parents), rewrites), dtype=bool)
    if not sequential:
        parents = [
            p for p, wanted in zip(parents, keep, strict=True) for _ in range(wanted.sum())
        ]
        keep = np.ones((len(parents), 1), dtype=bool)
    born: set[Any] = set()

    def step(prompts: Sequence[Any]) -> list[Step | None]:
        tried = [prompt for prompt in prompts for _ in range(branches)]
        orders = (-weights - rng.gumbel(size=(len(tried), len(names)))).argsort(1)
        plans = [[names[k] for k in order] for order in orders.tolist()]
        steps = rewrite(task, tried, plans, rng, taken, born)
        return steps if score is None else _best(steps, branches, score)

    return _grow(parents, keep, step)


def _grow(
    parents: Sequence[Any],
    keep: NDArray[np.bool_],
    step: Callable[[Sequence[Any]], list[Step | None]],
) -> list[Lineage]:
    """Lineages of the kept links of the chains, parent by parent; ``step`` gives all a link."""
    tips, anchors = list(parents), list(parents)
    paths: list[list[str]] = [[] for _ in parents]
    evolved: list[list[Lineage]] = [[] for _ in parents]
    alive = range(len(parents))
    for level in range(keep.shape[1]):
        alive = [i for i in alive if keep[i, level:].any()]
        links = step([tips[i] for i in alive]) if alive else []
        grown = [(i, link) for i, link in zip(alive, links, strict=True) if link is not None]
        for i, (prompt, operator) in grown:
            tips[i] = prompt
            paths[i].append(operator)
            if keep[i, level]:
                evolved[i].append(Lineage(prompt, anchors[i], " > ".join(paths[i])))
                anchors[i], paths[i] = prompt, []
        alive = [i for i, _ in grown]
    return [lineage for chain in evolved for lineage in chain]


def rewrite(
    task: Task,
    prompts: Sequence[Any],
    plans: Sequence[Sequence[str]],
    rng: np.random.Generator,
    taken: Container[Any] | None,
    born: set[Any],
) -> list[Step | None]:
    """For each prompt its first valid rewrite that is new, by the operators of its plan.

    New is what is neither ``taken`` nor ``born``, to which all rewrites are added. After
    ``TRIES`` rounds of a plan the first that had come out is taken though known: in a task of
    few prompts, repeats are all there is. None where no operator applies.
    """
    steps: list[Step | None] = [None] * len(prompts)
    pending = list(range(len(prompts)))
    attempts = [k for _ in range(TRIES) for k in range(max(map(len, plans), default=0))]
    for k in attempts:
        operators = [plans[i][k] for i in pending]
        children = mutate_all(task, [prompts[i] for i in pending], operators, rng)
        again = []
        for i, operator, child in zip(pending, operators, children, strict=True):
            if child is None or child == prompts[i] or not task.valid(child):
                again.append(i)
            elif taken is None or not (child in taken or child in born):
                steps[i] = child, operator
                born.add(child)
            else:
                steps[i] = steps[i] or (child, operator)
                again.append(i)
        pending = again
        if not pending:
            break
    return steps


def _best(steps: Sequence[Step | None], branches: int, score: Score) -> list[Step | None]:
    """Of each run of ``branches`` steps the one of highest score; NaN is the lowest."""
    made = [(i, step[0]) for i, step in enumerate(steps) if step is not None]
    scores = np.full(len(steps), -np.inf)
    if made:
        rows, prompts = zip(*made, strict=True)
        scores[list(rows)] = np.nan_to_num(score(prompts), nan=np.finfo(np.float64).min)
    best = scores.reshape(-1, branches).argmax(1) + branches * np.arange(len(steps) // branches)
    return [steps[i] for i in best]
