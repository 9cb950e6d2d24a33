"""The loop of offline eva, draw -> evolve -> mix, and its play without a preference."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from agents.base import THREES, Creator, Logs
from agents.creators.estimate import average
from agents.creators.human import human_prompts
from agents.evolution.evolve import Lineage, evolve, publish
from agents.evolution.operators import Kind, of_kind
from agents.evolution.selection import share, weighted
from eva_env.types import Floats, Ints, Proposal, Round, Task


@dataclass
class Evolving(Creator):
    """The loop that ``UniformEvolve`` and ``Eva`` share (Ye et al. 2025, Alg. 1, App. A).

    The first round publishes human prompts. From then on a share of the prompts that were
    answered last is drawn, rewritten, and mixed with old prompts. What the paper leaves open
    is decided by the fields; besides: the rewrites that enter the mix are drawn before they
    are made and answered, uniformly over chains and depths; parents are rewritten again if
    ``fraction * rewrites`` falls short; where the operators fail, human prompts fill up.
    """

    grid = {"depth": THREES, "fraction": THREES, "old_share": (0.5, 1.0, 2.0)}

    fraction: float = 0.25
    """Share of the distinct answered prompts that is drawn for rewriting; at least one is."""

    rewrites: int = 4
    """Rewrites of each drawn prompt."""

    sequential: bool = True
    """Rewrite k + 1 rewrites rewrite k, instead of all rewriting the drawn prompt."""

    keep_all: bool = True
    """Keep all rewrites of a drawn prompt, not the last one alone."""

    old_share: float = 0.2
    """Share of old prompts in a round, rounded to whole prompts; the rest is evolved."""

    old_from: Literal["last", "history"] = "last"
    """Draw old prompts from the last round's (the paper) or from all published so far."""

    seeds: Literal["mixed", "evolved"] = "mixed"
    """Draw parents among all prompts of the last round, or only among its rewrites."""

    deduplicate: bool = True
    """Avoid rewrites that equal any prompt published before, as far as the task has others;
    where its operators have none, new human prompts take the place of repeats in a round."""

    operators: dict[str, float] = field(default_factory=dict)
    """Relative probability of each rewrite operator; empty: all alike."""

    depth: float = 1.0
    """The drift: probability of each operator that the task declares to go in depth, relative
    to the others; only without ``operators``."""

    kind: ClassVar[Kind | None] = None
    """Rewrite by the task's operators of one kind alone."""

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction must lie in (0, 1], got {self.fraction}")
        if self.rewrites < 1:
            raise ValueError(f"rewrites must be at least 1, got {self.rewrites}")
        if not 0 <= self.old_share <= 1:
            raise ValueError(f"old_share must lie in [0, 1], got {self.old_share}")
        if not 0 < self.depth < math.inf:
            raise ValueError(f"depth must be positive and finite, got {self.depth}")
        if self.depth != 1 and (self.operators or self.kind):
            raise ValueError(
                f"depth={self.depth} would weigh operators that {type(self).__name__} has "
                f"chosen already; leave it at 1, or the operators to the task"
            )
        self.answered: list[Any] = []
        self.values: Floats = np.zeros(0)
        self.last: list[Lineage] = []
        self.rewritten: set[Any] = set()
        self.history: list[Lineage] = []
        self.seen: set[Any] = set()

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish n prompts: human ones first, then the mix of rewrites and old prompts."""
        mix: list[Lineage] = []
        if self.answered:
            pool = self.last if self.old_from == "last" else self.history
            old = rng.choice(len(pool), min(round(self.old_share * n), len(pool)), False)
            mix = self.rewrite(task, n - len(old), rng)
            self.rewritten = {one.prompt for one in mix}
            mix += [pool[i] for i in old]
            if self.deduplicate:
                self._replace_repeats(task, mix, rng)
        mix += human_prompts(task, n - len(mix), rng, taken={one.prompt for one in mix})
        self.last = mix
        if self.old_from == "history":
            self.history += [one for one in mix if one.prompt not in self.seen]
        self.seen.update(one.prompt for one in mix)
        return publish(mix)

    def rewrite(self, task: Task, quota: int, rng: np.random.Generator) -> list[Lineage]:
        """Draw parents and at most ``quota`` rewrites of them."""
        size = max(1, share(self.fraction, len(self.answered)))
        parents = [self.answered[i] for i in self.select(task, size, rng)]
        chains = -(-quota // (self.rewrites if self.keep_all else 1))
        parents = (parents * -(-chains // size))[: max(chains, size)] if chains else []
        return evolve(
            task,
            parents,
            self.rewrites,
            rng,
            keep=self._keep(len(parents), quota, rng),
            sequential=self.sequential,
            taken=self.seen if self.deduplicate else None,
            operators=self.preferences(task),
            **self.branching(task, rng),
        )

    def branching(self, task: Task, rng: np.random.Generator) -> dict[str, Any]:
        """Arguments ``branches`` and ``score`` of ``agents.evolution.evolve.evolve``; none here."""
        return {}

    def preferences(self, task: Task) -> Mapping[str, float]:
        """Relative probability of each rewrite operator; empty: all alike.

        Raises ValueError if the task does not say which operators are of a kind that is asked.
        """
        if self.operators or (self.kind is None and self.depth == 1):
            return self.operators
        if self.kind:
            return of_kind(task, self.kind)
        return dict.fromkeys(task.operators, 1.0) | dict.fromkeys(
            of_kind(task, "depth"), self.depth
        )

    def _keep(self, parents: int, quota: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Which of the (parents, rewrites) enter the mix: ``quota`` of them, uniformly."""
        keep = np.zeros((parents, self.rewrites), dtype=bool)
        slots = keep if self.keep_all else keep[:, -1:]
        chosen = rng.choice(slots.size, quota, replace=False)
        slots[np.unravel_index(chosen, slots.shape)] = True
        return keep

    def _replace_repeats(
        self, task: Task, mix: list[Lineage], rng: np.random.Generator
    ) -> None:
        """Put new human prompts in the place of rewrites that occur twice, if there are any."""
        place = {one.prompt: i for i, one in enumerate(mix)}
        repeats = [i for i, one in enumerate(mix) if place[one.prompt] != i]
        taken = self.seen.union(place) if repeats else set()
        fresh = human_prompts(task, len(repeats), rng, taken)
        new = [one for one in fresh if one.prompt not in taken]
        for i, one in zip(repeats, new, strict=False):
            mix[i] = one

    def select(self, task: Task, size: int, rng: np.random.Generator) -> Ints:
        """Indices of the answered prompts to rewrite, drawn uniformly here."""
        return weighted(np.zeros(len(self.answered)), size, rng)

    def measure(self, round: Round) -> Floats:
        """How informative each prompt of a round is, (B,); alike here."""
        return np.ones(len(round.prompts))

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Note which prompts were answered, with the mean of the signal over repeats."""
        prompts, values = average(round.prompts, self.measure(round))
        evolved = np.array([prompt in self.rewritten for prompt in prompts])
        if self.seeds == "evolved" and evolved.any():
            prompts = [prompt for prompt, new in zip(prompts, evolved, strict=True) if new]
            values = values[evolved]
        self.answered, self.values = prompts, values
        return {"evolved": float(evolved.mean()), "signal": float(values.mean())}


@dataclass
class UniformEvolve(Evolving):
    """Evolve without a preference: eva's loop, its parents drawn uniformly (Table 4)."""


@dataclass
class UniformLite(UniformEvolve):
    """UniformEvolve with old prompts from all earlier rounds, as ``EvaLite`` has them.

    The two differ in the signal alone.
    """

    old_from: Literal["last", "history"] = "history"
    """Draw old prompts from the last round's (the paper) or from all published so far."""
