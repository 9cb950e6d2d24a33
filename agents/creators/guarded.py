"""A creator behind guards: what they reject is replaced before it is published."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Creator, Logs, Replay, Solver
from agents.evolution.evolve import Lineage
from agents.guards import REDRAWS, Admission, Contamination, Guards, spread_topics
from eva_env.distributions import softmax
from eva_env.types import Proposal, Round, Task


def guarded(creator: Creator, guards: Guards) -> Creator:
    """The creator behind the guards; the creator itself if all guards are off."""
    off = Guards(shingle=guards.shingle, ngram=guards.ngram)
    return creator if guards == off else Guarded(creator, guards)


@dataclass
class Guarded(Creator):
    """A creator whose proposals pass guards before they are published.

    What they keep out is replaced by human prompts of the task, which have no parent and take
    over the logit of the slot; the creator is not asked a second time, since asking changes
    it. A slot that no prompt is found for is dropped, and ValueError raised if all are. The
    logs count what was replaced by guard. Prompts that are integers have no length and no near
    twins (ValueError if asked for), and are decontaminated as a whole.
    """

    creator: Creator
    """Who proposes."""

    guards: Guards
    """What is kept out."""

    def __post_init__(self) -> None:
        self.published: dict[Any, None] = {}
        self.past = self.guards.index()
        self.counts: dict[str, float] = {}
        self._suites: tuple[Task | None, Contamination | Collection[Any]] = (None, ())

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish what the creator proposes, with human prompts for what is kept out."""
        proposal = self.creator.propose(task, n, rng)
        self.guards.check(proposal.prompts)
        admission = Admission(self.guards, self._contaminated(task), self.published, self.past)
        slots = _lineages(proposal)
        missing = [i for i, one in enumerate(slots) if not admission.admits(one.prompt)]
        replaced, asked = dict(admission.rejected), REDRAWS * len(missing)
        while missing and asked > 0:
            asked -= len(missing)
            for prompt in task.seed(len(missing), rng):
                if admission.admits(prompt):
                    slots[missing.pop(0)] = Lineage(prompt)
        kept = np.setdiff1d(np.arange(len(slots)), missing)
        if not len(kept):
            raise ValueError(
                f"no prompt of the proposal, nor any human one, gets past the guards, which "
                f"kept out {dict(admission.rejected)}; loosen them"
            )
        logits = np.asarray(proposal.logits)[kept]
        slots = [slots[i] for i in kept]
        self.counts = {f"guard_{name}": float(count) for name, count in replaced.items()}
        self.counts["guard_dropped"] = float(len(missing))
        floor = self.guards.topic_entropy
        if floor:
            entropy, swapped = spread_topics(
                task, slots, softmax(logits), floor, admission, rng
            )
            self.counts |= {"topic_entropy": entropy, "guard_topic_entropy": float(swapped)}
        self._remember([one.prompt for one in slots])
        prompts, parents, operators = zip(*slots, strict=True)
        return Proposal(prompts, logits, parents, operators)

    def on_start(self, solver: Solver) -> None:
        """Let the creator know the solver."""
        self.creator.on_start(solver)

    def should_train_solver(self, round: Round) -> bool:
        """Whether the creator says so."""
        return self.creator.should_train_solver(round)

    def observe_round(self, round: Round, replay: Replay, rng: np.random.Generator) -> Round:
        """What the creator wants to look at."""
        return self.creator.observe_round(round, replay, rng)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Let the creator learn; its logs, and how many prompts each guard replaced."""
        return {**self.creator.learn(round, rng), **self.counts}

    def state_dict(self) -> dict[str, Any]:
        """The creator's state, and the prompts published so far."""
        return {
            "creator": self.creator.state_dict(),
            "published": list(self.published),
            "counts": dict(self.counts),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state_dict()``."""
        self.creator.load_state_dict(state["creator"])
        self.published, self.past = {}, self.guards.index()
        self._remember(state["published"])
        self.counts = dict(state["counts"])

    def _remember(self, prompts: Collection[Any]) -> None:
        """Note what is published, in so far as a guard will want to know."""
        if self.guards.deduplicate != "history" and self.past is None:
            return
        for prompt in prompts:
            if self.past is not None and prompt not in self.published:
                self.past.add(prompt)
            self.published[prompt] = None

    def _contaminated(self, task: Task) -> Contamination | Collection[Any]:
        """What must not be shown of the task's suites; read off once."""
        share = self.guards.decontaminate
        if share is not None and self._suites[0] is not task:
            self._suites = task, Contamination(task, share, self.guards.ngram)
        return self._suites[1]


def _lineages(proposal: Proposal) -> list[Lineage]:
    """Prompts with parent and operator, both None where the proposal has no genealogy."""
    if not len(proposal.parents):
        return [Lineage(prompt) for prompt in proposal.prompts]
    rows = zip(proposal.prompts, proposal.parents, proposal.operators, strict=True)
    return [Lineage(*row) for row in rows]
