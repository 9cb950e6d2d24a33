"""What a task offers evolving: kinds of operators, rewrites in batches, complexity."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from eva_env.types import Floats, Task

Kind = Literal["depth", "breadth", "quality"]


def of_kind(task: Task, kind: Kind) -> dict[str, float]:
    """Equal weights for the operators that the task declares to be of a kind.

    Raises ValueError if it declares none.
    """
    names = getattr(task, kind, ())
    if not names:
        raise ValueError(
            f"{type(task).__name__} does not say which of its operators are for {kind}; give "
            f"it a property {kind} that names them, or set the creator's operators"
        )
    return dict.fromkeys(names, 1.0)


def mutate_all(
    task: Task, prompts: Sequence[Any], operators: Sequence[str], rng: np.random.Generator
) -> list[Any | None]:
    """Each prompt rewritten by its operator: in one call where the task has ``mutate_all``."""
    batched = getattr(task, "mutate_all", None)
    if batched is not None:
        return batched(prompts, operators, rng)
    return [task.mutate(p, name, rng) for p, name in zip(prompts, operators, strict=True)]


def complexity(task: Task, prompts: Sequence[Any], rng: np.random.Generator) -> Floats:
    """How much each of Q prompts asks for, (Q,), in the task's own units.

    One call where the task has ``complexity_all``, else its ``complexity`` of each; ValueError
    if it has neither.
    """
    batched = getattr(task, "complexity_all", None)
    if batched is not None:
        return batched(prompts, rng)
    one = getattr(task, "complexity", None)
    if one is None:
        raise ValueError(
            f"{type(task).__name__} does not say how complex a prompt is; give it a method "
            f"complexity(prompt), or wrap it in agents.evolution.lm_operators.RewrittenTask with a judge"
        )
    return np.array([one(prompt) for prompt in prompts], dtype=np.float64)


def preferences(task: Task, operators: Mapping[str, float] | None) -> tuple[list[str], Any]:
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
