"""Optional parts of a task that evolving uses: groups of operators, and complexity."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from eva_env.types import (
    Floats,
    RatesComplexity,
    RatesComplexityInBatch,
    Task,
    WeighsOperators,
    offers,
)

Kind = Literal["depth", "breadth", "quality"]


def weights_of(task: Task) -> dict[str, float]:
    """Return the task's own weights of its operators; equal ones if it has none."""
    if offers(task, WeighsOperators):
        return dict(task.operator_weights)
    return dict.fromkeys(task.operators, 1.0)


def of_kind(task: Task, kind: Kind) -> dict[str, float]:
    """Return the weights of the operators that the task declares to be of a kind.

    Raises ValueError if it declares none.
    """
    require_operators(task)
    # The three groups of eva_env.types.GroupsOperators are optional one by one.
    names = getattr(task, kind, ())
    if not names:
        raise ValueError(
            f"{type(task).__name__} does not say which of its operators are for {kind}; give "
            f"it a property {kind} that names them, or set the creator's operators"
        )
    weights = weights_of(task)
    return {name: weights[name] for name in names}


def require_operators(task: Task) -> None:
    """Raise ValueError, with the remedy, if the task has no operators."""
    if not task.operators:
        raise ValueError(
            f"{type(task).__name__} has no rewrite operators; give --rewriter solver for text, "
            f"or play creator:static or creator:fresh"
        )


def complexity(task: Task, prompts: Sequence[Any], rng: np.random.Generator) -> Floats:
    """Return the complexity of each of Q prompts, (Q,), in the task's own units.

    One call if the task has ``complexity_all``, else a call of ``complexity`` for each;
    ValueError if it has neither.
    """
    check_complexity(task)
    if offers(task, RatesComplexityInBatch):
        return task.complexity_all(prompts, rng)
    assert offers(task, RatesComplexity)
    return np.array([task.complexity(prompt) for prompt in prompts], dtype=np.float64)


def check_complexity(task: Task) -> None:
    """Raise ValueError if the task does not rate the complexity of prompts."""
    if not (offers(task, RatesComplexityInBatch) or offers(task, RatesComplexity)):
        world = getattr(task, "task", task)  # of prompts that a language model rewrites
        raise ValueError(
            f"{type(world).__name__} does not say how complex a prompt is; give it a method "
            f"complexity(prompt), or let a language model rate prompts: --rewriter solver "
            f"--rewriting.judge, in Python RewrittenTask with a judge"
        )
