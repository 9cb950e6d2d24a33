"""Creators that do not evolve: a fixed human set, new human prompts, and the ceiling."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Creator
from agents.evolution.evolve import Lineage, publish
from eva_env.types import Proposal, Task

REDRAWS = 4
"""Times that prompts which are already taken are drawn again."""


@dataclass
class Static(Creator):
    """One fixed set of human prompts, drawn once: ordinary alignment training."""

    def __post_init__(self) -> None:
        self.prompts: list[Any] = []

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish the same prompts every round, as many as the first round could hold."""
        if not self.prompts:
            self.prompts = list(task.seed(n, rng))
        return publish([Lineage(prompt) for prompt in self.prompts[:n]])


@dataclass
class Fresh(Creator):
    """New human prompts every round: the gain from more annotation."""

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish n prompts of the human distribution."""
        return publish(human_prompts(task, n, rng))


@dataclass
class DomainRandomisation(Creator):
    """New prompts of all levels, with equal probability (Tobin et al. 2017, arXiv 1703.06907).

    Privileged: it uses the task's distribution over all levels, which creators that start from
    human prompts must discover.
    """

    distribution: str = "uniform"
    """Distribution of the task to draw from."""

    def check_task(self, task: Task) -> None:
        """Raise ValueError if the task does not have the distribution."""
        task.seed(1, np.random.default_rng(0), self.distribution)

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish n prompts of the distribution; ValueError if the task does not have it."""
        return publish([Lineage(p) for p in task.seed(n, rng, self.distribution)])


@dataclass
class Oracle(Creator):
    """New prompts of an evaluation suite's own distribution: the ceiling, not a method."""

    suite: str = "hard"
    """Suite whose distribution the prompts are drawn from. The prompts of the suite itself stay
    unseen."""

    def check_task(self, task: Task) -> None:
        """Raise ValueError if the task does not have the suite's distribution."""
        task.seed(1, np.random.default_rng(0), self.suite)

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish n prompts of the distribution; ValueError if the task accepts none."""
        prompts = task.seed(n, rng, self.suite)
        if not any(task.valid(prompt) for prompt in prompts):
            raise ValueError(
                f"{type(task).__name__} reserves all prompts of the distribution "
                f"{self.suite!r} for evaluation; give Oracle another suite"
            )
        return publish([Lineage(prompt) for prompt in prompts])


def human_prompts(
    task: Task,
    n: int,
    rng: np.random.Generator,
    taken: Container[Any] = (),
    distribution: str = "human",
) -> list[Lineage]:
    """Draw n prompts of a distribution; those in ``taken`` are drawn again, a few times."""
    prompts = list(task.seed(n, rng, distribution)) if n else []
    for _ in range(REDRAWS):
        new = [prompt for prompt in prompts if prompt not in taken]
        if len(new) == n:
            break
        prompts = new + list(task.seed(n - len(new), rng, distribution))
    return [Lineage(prompt) for prompt in prompts]
