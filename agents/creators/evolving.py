"""The loop of offline eva: draw parents, rewrite them, mix in old prompts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from agents.base import THREES, Creator, Logs
from agents.creators.estimate import average
from agents.creators.human import human_prompts
from agents.evolution.evolve import Lineage, Score, evolve, operator_weights, publish
from agents.evolution.operators import Kind, of_kind, weights_of
from agents.evolution.selection import share, weighted
from eva_env.require import require
from eva_env.types import Floats, Ints, Proposal, Round, Task


@dataclass
class Evolving(Creator):
    """The loop that ``UniformEvolve`` and ``Eva`` share (Ye et al. 2025, Alg. 1, App. A).

    The first round publishes human prompts. Each later round draws a share of the prompts that
    were answered last, rewrites them, and mixes the rewrites with old prompts. The fields
    decide most of what the paper leaves open. Decided here: the rewrites that enter the mix are
    drawn before they are made and answered, uniformly over chains and depths; parents are
    rewritten again if ``fraction * rewrites`` is too few; human prompts fill the slots of
    operators that fail.
    """

    grid = {"depth": THREES, "fraction": THREES, "old_share": (0.5, 1.0, 2.0)}

    fraction: float = 0.25
    """Share of the distinct answered prompts that is drawn for rewriting; at least one
    prompt."""

    rewrites: int = 4
    """Rewrites of each drawn prompt."""

    sequential: bool = True
    """Rewrite in a chain: each rewrite starts from the one before. False: all rewrites start
    from the drawn prompt."""

    keep_all: bool = True
    """Keep all rewrites of a drawn prompt. False: keep only the last."""

    old_share: float = 0.2
    """Share of old prompts in a round, rounded to whole prompts; the rest is evolved."""

    old_from: Literal["last", "history"] = "last"
    """Draw old prompts from the last round (the paper), or from all rounds so far."""

    seeds: Literal["mixed", "evolved"] = "mixed"
    """Draw parents from all prompts of the last round, or only from its rewrites."""

    deduplicate: bool = True
    """Avoid rewrites that repeat a published prompt. If the operators give no others, new human
    prompts replace the repeats within a round."""

    operators: dict[str, float] = field(default_factory=dict)
    """Relative probability of each rewrite operator. Empty: the task's own weights, or all
    equally likely."""

    depth: float = 1.0
    """Relative probability of the operators that make prompts harder; the others have 1. Has no
    use together with operators."""

    kind: ClassVar[Kind | None] = None
    """The one kind of the task's operators to rewrite by; None: all operators."""

    def __post_init__(self) -> None:
        require(self, "(0, 1]", "fraction")
        require(self, "[1, inf)", "rewrites")
        require(self, "[0, 1]", "old_share")
        require(self, "(0, inf)", "depth")
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
        super().__post_init__()

    def check_task(self, task: Task) -> None:
        """Raise ValueError if the task lacks operators that the creator rewrites by."""
        operator_weights(task, self.preferences(task))

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish n prompts: human ones first, then the mix of rewrites and old prompts."""
        mix: list[Lineage] = []
        if self.answered:
            # 1. Draw the old prompts, so that the number of rewrites is known.
            pool = self.last if self.old_from == "last" else self.history
            old = rng.choice(len(pool), min(round(self.old_share * n), len(pool)), False)
            # 2. Draw parents and rewrite them.
            mix = self.rewrite(task, n - len(old), rng)
            self.rewritten = {lineage.prompt for lineage in mix}
            # 3. Mix, without repeats.
            mix += [pool[i] for i in old]
            if self.deduplicate:
                self._replace_repeats(task, mix, rng)
        # 4. Human prompts fill the slots that are left: all of them in the first round.
        taken = {lineage.prompt for lineage in mix}
        mix += human_prompts(task, n - len(mix), rng, taken=taken)
        self.last = mix
        if self.old_from == "history":
            self.history += [lineage for lineage in mix if lineage.prompt not in self.seen]
        self.seen.update(lineage.prompt for lineage in mix)
        return publish(mix)

    def rewrite(self, task: Task, quota: int, rng: np.random.Generator) -> list[Lineage]:
        """Draw parents and return at most ``quota`` rewrites of them."""
        size = max(1, share(self.fraction, len(self.answered)))
        parents = [self.answered[i] for i in self.select(task, size, rng)]
        # As many chains as the quota needs: parents are repeated if there are fewer.
        chains = -(-quota // (self.rewrites if self.keep_all else 1))
        parents = (parents * -(-chains // size))[: max(chains, size)] if chains else []
        keep = self._keep(len(parents), quota, rng)
        branches, score = self.branching(task, rng)
        return evolve(
            task,
            parents,
            self.rewrites,
            rng,
            keep=keep,
            sequential=self.sequential,
            taken=self.seen if self.deduplicate else None,
            operators=self.preferences(task),
            branches=branches,
            score=score,
        )

    def branching(self, task: Task, rng: np.random.Generator) -> tuple[int, Score | None]:
        """Return how many rewrites each step makes, and the score of the one that stays."""
        return 1, None

    def preferences(self, task: Task) -> Mapping[str, float]:
        """Return the relative probability of each operator; empty: that of the task.

        Raises ValueError if the task does not declare operators of the kind in question.
        """
        if self.operators or (self.kind is None and self.depth == 1):
            return self.operators
        if self.kind:
            return of_kind(task, self.kind)
        harder = of_kind(task, "depth")
        return weights_of(task) | {name: harder[name] * self.depth for name in harder}

    def _keep(self, parents: int, quota: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Choose ``quota`` of the (parents, rewrites) uniformly, to enter the mix."""
        keep = np.zeros((parents, self.rewrites), dtype=bool)
        slots = keep if self.keep_all else keep[:, -1:]
        chosen = rng.choice(slots.size, quota, replace=False)
        slots[np.unravel_index(chosen, slots.shape)] = True
        return keep

    def _replace_repeats(
        self, task: Task, mix: list[Lineage], rng: np.random.Generator
    ) -> None:
        """Replace rewrites that occur twice in the mix by new human prompts, if possible."""
        last_place = {lineage.prompt: i for i, lineage in enumerate(mix)}
        repeats = [i for i, lineage in enumerate(mix) if last_place[lineage.prompt] != i]
        taken = self.seen.union(last_place) if repeats else set()
        candidates = human_prompts(task, len(repeats), rng, taken)
        new = [lineage for lineage in candidates if lineage.prompt not in taken]
        for i, lineage in zip(repeats, new, strict=False):
            mix[i] = lineage

    def select(self, task: Task, size: int, rng: np.random.Generator) -> Ints:
        """Draw the indices of the answered prompts to rewrite: here uniformly."""
        return weighted(np.zeros(len(self.answered)), size, rng)

    def measure(self, round: Round) -> Floats:
        """Return how informative each prompt of a round is, (B,): here the same for all."""
        return np.ones(len(round.prompts))

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Store the answered prompts, with the mean of the signal over repeats."""
        prompts, values = average(round.prompts, self.measure(round))
        evolved = np.array([prompt in self.rewritten for prompt in prompts])
        if self.seeds == "evolved" and evolved.any():
            prompts = [prompts[i] for i in np.flatnonzero(evolved)]
            values = values[evolved]
        self.answered, self.values = prompts, values
        return {"evolved": float(evolved.mean()), "signal": float(values.mean())}


@dataclass
class UniformEvolve(Evolving):
    """eva's loop without a signal: parents are drawn uniformly (Ye et al. 2025, Table 4)."""


@dataclass
class UniformLite(UniformEvolve):
    """UniformEvolve with old prompts from all rounds, as ``EvaLite`` has them.

    The two differ in the signal alone.
    """

    old_from: Literal["last", "history"] = "history"
    """Draw old prompts from the last round (the paper), or from all rounds so far."""
