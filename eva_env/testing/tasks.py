"""The contract of a task, and of its optional hooks."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from eva_env.testing.rules import rule
from eva_env.types import (
    RatesComplexity,
    RatesComplexityInBatch,
    RewritesInBatch,
    Task,
    offers,
)


def check_task(task: Task, prompts: int = 64) -> None:
    """Check seeding, mutating, suites, topics and optional hooks on that many prompts.

    ``seed`` and ``mutate`` must draw only from their generator, ``valid`` must accept seed
    prompts and reject suite prompts, and every operator must give some valid prompt. Example::

        check_task(Wordlist(), prompts=200)
    """
    for name in ("operators", "suites", "seed", "mutate", "valid", "topic"):
        rule(hasattr(task, name), f"a task needs {name}; see eva_env.types.Task")
    seeds = _check_seed(task, prompts)
    _check_suites(task, seeds)
    _check_mutate(task, seeds)
    _check_hooks(task, seeds)
    for prompt in seeds:
        topic = task.topic(prompt)
        rule(isinstance(topic, str), f"topic({prompt!r}) must be a string, got {topic!r}")


def _check_seed(task: Task, n: int) -> list[Any]:
    seeds, again = (list(task.seed(n, np.random.default_rng(0))) for _ in range(2))
    rule(len(seeds) == n, f"seed({n}, rng) must give {n} prompts, got {len(seeds)}")
    rule(seeds == again, "seed must draw only from its rng: the same rng, the same prompts")
    other = list(task.seed(n, np.random.default_rng(1)))
    rule(seeds != other, "seed must use its rng: two generators gave the same prompts")
    for prompt in seeds:
        rule(isinstance(prompt, Hashable), f"prompts must be hashable, got {prompt!r}")
        rule(prompt != "", 'seed must not give "", which stands for an unused slot')
        named = task.suites if isinstance(task.suites, Mapping) else {}
        suites = [name for name, suite in named.items() if prompt in suite]
        where = f"is in the suite {suites[0]!r}" if suites else "valid rejects"
        rule(bool(task.valid(prompt)), f"seed gave {prompt!r}, which {where}")
    return seeds


def _check_suites(task: Task, seeds: Sequence[Any]) -> None:
    rule(isinstance(task.suites, Mapping), f"suites must be a mapping, got {task.suites!r}")
    suite_of: dict[Any, str] = {}
    for name, suite in task.suites.items():
        rule(len(suite) > 0, f"suite {name!r} is empty")
        rule(
            list(suite) == list(task.suites[name]), f"suite {name!r} changes from call to call"
        )
        for prompt in suite:
            first = suite_of.setdefault(prompt, name)
            rule(first == name, f"{prompt!r} is in the suites {first!r} and {name!r}")
            rule(
                not task.valid(prompt),
                f"valid must reject {prompt!r} of the suite {name!r}, which no creator may see",
            )
    leaked = [prompt for prompt in seeds if prompt in suite_of]
    rule(not leaked, f"seed gave {leaked[:1]}, which is in a suite")


def _check_mutate(task: Task, seeds: Sequence[Any]) -> None:
    for operator in task.operators:
        rewrites, again = (
            [task.mutate(prompt, operator, rng) for prompt in seeds]
            for rng in (np.random.default_rng(2), np.random.default_rng(2))
        )
        rule(rewrites == again, f"operator {operator!r} must draw only from its rng")
        children = [child for child in rewrites if child is not None]
        rule(bool(children), f"operator {operator!r} applies to none of {len(seeds)} prompts")
        rule(
            any(task.valid(child) for child in children),
            f"operator {operator!r} makes valid prompts from none of {len(seeds)}",
        )
    try:
        task.mutate(seeds[0], "no such operator", np.random.default_rng(0))
    except ValueError:
        return
    raise AssertionError(
        "mutate must raise ValueError for an operator that is not in operators"
    )


def _check_hooks(task: Task, seeds: Sequence[Any]) -> None:
    for kind in ("depth", "breadth", "quality"):  # each is optional on its own
        unknown = [name for name in getattr(task, kind, ()) if name not in task.operators]
        rule(not unknown, f"{kind} names {unknown}, which are not among the operators")
    if offers(task, RewritesInBatch):
        names = [task.operators[i % len(task.operators)] for i in range(len(seeds))]
        children = list(task.mutate_all(seeds, names, np.random.default_rng(2)))
        rule(
            len(children) == len(seeds),
            f"mutate_all must give a rewrite or None for each of {len(seeds)} prompts, got "
            f"{len(children)}",
        )
    if offers(task, RatesComplexity):
        values = [task.complexity(prompt) for prompt in seeds]
        rule(bool(np.isfinite(values).all()), f"complexity must be finite, got {values}")
    if offers(task, RatesComplexityInBatch):
        try:
            ratings = np.asarray(task.complexity_all(seeds, np.random.default_rng(3)))
        except ValueError:  # a wrapper refuses where neither a judge nor its task rates
            return
        rule(
            ratings.shape == (len(seeds),) and bool(np.isfinite(ratings).all()),
            f"complexity_all must give {len(seeds)} finite numbers, got shape {ratings.shape}",
        )
