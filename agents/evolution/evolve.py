"""The evolve step: rewrite prompts by the task's operators, and record their lineage."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.evolution.operators import require_operators, weights_of
from eva_env.types import (
    Floats,
    LimitsAttempts,
    Proposal,
    RewritesInBatch,
    Task,
    offers,
)

Step = tuple[Any, str]
"""A rewrite and the operator that made it."""

Score = Callable[[Sequence[Any]], Floats]
"""Prompts (Q,) -> scores (Q,), higher is better; NaN for a prompt without a score."""

TRIES = 2
"""Attempts with each operator before a rewrite that repeats a prompt is accepted."""


class Lineage(NamedTuple):
    """A prompt and its origin; a human prompt has neither parent nor operator.

    ``operator`` names the path from the parent: "deepening > mix" if the rewrite between the
    two was not published.
    """

    prompt: Any
    parent: Any = None
    operator: str | None = None


def publish(lineages: Sequence[Lineage]) -> Proposal:
    """Return a proposal of the prompts with equal logits."""
    return Proposal(
        prompts=tuple(lineage.prompt for lineage in lineages),
        logits=np.zeros(len(lineages)),
        parents=tuple(lineage.parent for lineage in lineages),
        operators=tuple(lineage.operator for lineage in lineages),
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

    All chains grow together, one rewrite at a time, so that operators that ask a language
    model are called with batches (``mutate_all``).

    Args:
        task: has the operators.
        parents: the P prompts to start from.
        rewrites: R.
        rng: draws the operators; they draw from it as well.
        keep: (P, R), which rewrites to return; the others only link their chain. None: all.
        sequential: rewrite k + 1 rewrites rewrite k (the paper's default) and descends from
            it; else every rewrite starts from the parent.
        taken: prompts that a rewrite should not repeat, in addition to those of this call;
            None allows any repeat.
        operators: relative probability by operator, 0 to leave one out; None or empty: the
            task's weights, or equal ones.
        branches: rewrites made in each step, of which the one with the highest ``score`` stays.
        score: rates the branches.

    A chain ends when no operator applies, so fewer rewrites may come back. Raises ValueError if
    the task has no operators, or lacks one that ``operators`` names.
    """
    if branches > 1 and score is None:
        raise ValueError(f"{branches} branches need a score to choose by; give one to evolve")
    names, log_weights = operator_weights(task, operators)
    if keep is None:
        keep = np.ones((len(parents), rewrites), dtype=bool)
    if not sequential:
        # Independent rewrites are chains of one link: repeat each parent for every kept one.
        parents = [p for p, kept in zip(parents, keep, strict=True) for _ in range(kept.sum())]
        keep = np.ones((len(parents), 1), dtype=bool)
    born: set[Any] = set()

    def step(prompts: Sequence[Any]) -> list[Step | None]:
        """Rewrite each prompt once, trying the operators in a random order (Gumbel top-k)."""
        tried = [prompt for prompt in prompts for _ in range(branches)]
        orders = (-log_weights - rng.gumbel(size=(len(tried), len(names)))).argsort(1)
        plans = [[names[k] for k in order] for order in orders.tolist()]
        steps = rewrite(task, tried, plans, rng, taken, born)
        return steps if score is None else _best(steps, branches, score)

    return _grow(parents, keep, step)


def operator_weights(
    task: Task, operators: Mapping[str, float] | None
) -> tuple[list[str], Floats]:
    """Return the operators that may be drawn, and their log-weights.

    Raises ValueError if the task has no operators, and for weights that it cannot use.
    """
    require_operators(task)
    operators = operators or weights_of(task)
    unknown = sorted(set(operators) - set(task.operators))
    if unknown or max(operators.values()) <= 0 or min(operators.values()) < 0:
        raise ValueError(
            f"operators must give weights >= 0, one of them positive, to some of "
            f"{', '.join(task.operators)}; got {dict(operators)}"
        )
    names = [name for name in task.operators if operators.get(name, 0) > 0]
    return names, np.log([operators[name] for name in names])


def _grow(
    parents: Sequence[Any],
    keep: NDArray[np.bool_],
    step: Callable[[Sequence[Any]], list[Step | None]],
) -> list[Lineage]:
    """Grow a chain from each parent; return the lineages of its kept links, by parent.

    ``step`` makes the next link of many chains at once; None ends a chain.
    """
    tips = list(parents)  # the last link of each chain, which the next step rewrites
    published = list(parents)  # the last link that is published: the parent of the next one
    paths: list[list[str]] = [[] for _ in parents]  # operators since that link
    chains: list[list[Lineage]] = [[] for _ in parents]
    alive = range(len(parents))
    for level in range(keep.shape[1]):
        # 1. A chain grows on only if a link from here on is kept.
        alive = [i for i in alive if keep[i, level:].any()]
        if not alive:
            break
        # 2. One step for all living chains; those without an applicable operator end.
        links = step([tips[i] for i in alive])
        grown = [(i, link) for i, link in zip(alive, links, strict=True) if link is not None]
        # 3. Advance each tip; publish it if it is kept.
        for i, (prompt, operator) in grown:
            tips[i] = prompt
            paths[i].append(operator)
            if keep[i, level]:
                chains[i].append(Lineage(prompt, published[i], " > ".join(paths[i])))
                published[i], paths[i] = prompt, []
        alive = [i for i, _ in grown]
    return [lineage for chain in chains for lineage in chain]


def rewrite(
    task: Task,
    prompts: Sequence[Any],
    plans: Sequence[Sequence[str]],
    rng: np.random.Generator,
    taken: Container[Any] | None,
    born: set[Any],
) -> list[Step | None]:
    """Return each prompt's first valid rewrite that is new, by the operators of its plan.

    New is what is neither in ``taken`` nor in ``born``, to which all rewrites are added. After
    ``TRIES`` passes over a plan, the first rewrite that came out is accepted though it repeats:
    a task of few prompts may have no others. A task that limits its attempts has others, so
    there a repeat is no rewrite. None if no operator applies.
    """
    steps: list[Step | None] = [None] * len(prompts)
    pending = list(range(len(prompts)))
    longest = max(map(len, plans), default=0)
    is_limited = offers(task, LimitsAttempts)
    attempts = task.attempts if is_limited and longest else TRIES * longest
    for attempt in range(attempts):
        if not pending:
            break
        # 1. Rewrite all pending prompts by the next operator of their plans.
        operators = [plans[i][attempt % longest] for i in pending]
        children = mutate_all(task, [prompts[i] for i in pending], operators, rng)
        still_pending = []
        for i, operator, child in zip(pending, operators, children, strict=True):
            # 2. Nothing usable came out: try the next operator.
            if child is None or child == prompts[i] or not task.valid(child):
                still_pending.append(i)
            # 3. A new prompt: done.
            elif taken is None or not (child in taken or child in born):
                steps[i] = child, operator
                born.add(child)
            # 4. A repeat: keep the first one, in case nothing new follows.
            else:
                steps[i] = None if is_limited else steps[i] or (child, operator)
                still_pending.append(i)
        pending = still_pending
    return steps


def mutate_all(
    task: Task, prompts: Sequence[Any], operators: Sequence[str], rng: np.random.Generator
) -> list[Any | None]:
    """Rewrite each prompt by its operator, in one call if the task has ``mutate_all``."""
    if offers(task, RewritesInBatch):
        return task.mutate_all(prompts, operators, rng)
    return [task.mutate(p, name, rng) for p, name in zip(prompts, operators, strict=True)]


def _best(steps: Sequence[Step | None], branches: int, score: Score) -> list[Step | None]:
    """Return the step of highest score of each ``branches`` successive ones; NaN is lowest."""
    scores = np.full(len(steps), -np.inf)
    rows = [i for i, step in enumerate(steps) if step is not None]
    if rows:
        prompts = tuple(step[0] for step in steps if step is not None)
        scores[rows] = np.nan_to_num(score(prompts), nan=np.finfo(np.float64).min)
    first = branches * np.arange(len(steps) // branches)
    return [steps[i] for i in first + scores.reshape(-1, branches).argmax(1)]
