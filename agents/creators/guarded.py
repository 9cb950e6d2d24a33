"""A creator behind guards: the prompts that they reject are replaced before publication."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Creator, Logs, Replay, Solver
from agents.evolution.evolve import Lineage
from agents.evolution.similarity import Embed
from agents.guards import REDRAWS, Admission, Contamination, Guards, spread_topics
from eva_env.distributions import softmax
from eva_env.types import Proposal, Round, Task


def guarded(creator: Creator, guards: Guards, embed: Embed | None = None) -> Creator:
    """Return the creator behind the guards; the creator itself if all guards are off.

    ``embed`` gives sentence embeddings, by which near-duplicates are found.
    """
    off = Guards(shingle=guards.shingle, ngram=guards.ngram)
    return creator if guards == off else Guarded(creator, guards, embed)


@dataclass
class Guarded(Creator):
    """A creator whose proposals pass guards before they are published.

    A rejected prompt is replaced by a human prompt of the task, which has no parent and keeps
    the logit of the slot. The creator does not propose a second time, since proposing changes
    its state. A slot without a replacement is dropped; ValueError if that holds for all slots.
    The logs count the replaced prompts by guard. Integer prompts have no length and no
    near-duplicates (ValueError if such a guard is on), and are decontaminated as a whole.
    """

    creator: Creator
    """The creator that proposes."""

    guards: Guards
    """The guards that its proposals pass."""

    embed: Embed | None = None
    """Gives sentence embeddings, by which near-duplicates are found; None compares words."""

    def __post_init__(self) -> None:
        self.published: dict[Any, None] = {}
        self.past = self.guards.index(self.embed)
        self.counts: dict[str, float] = {}
        self._suites: tuple[Task | None, Contamination | Collection[Any]] = (None, ())

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish the creator's proposal, with human prompts in place of rejected ones."""
        # 1. Sort out the rejected prompts.
        proposal = self.creator.propose(task, n, rng)
        self.guards.check(proposal.prompts)
        contaminated = self._contaminated(task)
        admission = Admission(self.guards, contaminated, self.published, self.past, self.embed)
        slots = _lineages(proposal)
        missing = [i for i, slot in enumerate(slots) if not admission.admits(slot.prompt)]
        rejected = dict(admission.rejected)
        # 2. Replace them by human prompts, which must pass as well; a limit ends the search.
        redraws = REDRAWS * len(missing)
        while missing and redraws > 0:
            redraws -= len(missing)
            for prompt in task.seed(len(missing), rng):
                if admission.admits(prompt):
                    slots[missing.pop(0)] = Lineage(prompt)
        # 3. Drop the slots that are still empty.
        kept = np.setdiff1d(np.arange(len(slots)), missing)
        if not len(kept):
            raise ValueError(
                f"no prompt of the proposal, nor any human one, gets past the guards, which "
                f"kept out {dict(admission.rejected)}; loosen them"
            )
        logits = np.asarray(proposal.logits)[kept]
        slots = [slots[i] for i in kept]
        self.counts = {f"guard_{name}": float(count) for name, count in rejected.items()}
        self.counts["guard_dropped"] = float(len(missing))
        # 4. Raise the entropy of topics to its floor.
        floor = self.guards.topic_entropy
        if floor:
            entropy, swapped = spread_topics(
                task, slots, softmax(logits), floor, admission, rng
            )
            self.counts |= {"topic_entropy": entropy, "guard_topic_entropy": float(swapped)}
        self._remember([slot.prompt for slot in slots])
        prompts, parents, operators = zip(*slots, strict=True)
        return Proposal(prompts, logits, parents, operators)

    def check_task(self, task: Task) -> None:
        """Raise ValueError if the creator cannot play the task."""
        self.creator.check_task(task)

    def on_start(self, solver: Solver) -> None:
        """Pass the solver to the creator."""
        self.creator.on_start(solver)

    def should_train_solver(self, round: Round) -> bool:
        """Return the creator's decision."""
        return self.creator.should_train_solver(round)

    @property
    def counts_passes(self) -> bool:
        """True if the creator counts passes."""
        return self.creator.counts_passes

    @property
    def needs_logprobs(self) -> bool:
        """True if the creator needs log-probabilities."""
        return self.creator.needs_logprobs

    def observe_round(self, round: Round, replay: Replay, rng: np.random.Generator) -> Round:
        """Return the round that the creator learns from."""
        return self.creator.observe_round(round, replay, rng)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Let the creator learn; return its logs and the prompts that each guard replaced."""
        return {**self.creator.learn(round, rng), **self.counts}

    def state_dict(self) -> dict[str, Any]:
        """Return the creator's state and the prompts published so far."""
        return {
            "creator": self.creator.state_dict(),
            "published": list(self.published),
            "counts": dict(self.counts),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a ``state_dict()``."""
        self.creator.load_state_dict(state["creator"])
        self.published, self.past = {}, self.guards.index(self.embed)
        self._remember(state["published"])
        self.counts = dict(state["counts"])

    def _remember(self, prompts: Collection[Any]) -> None:
        """Store published prompts, if a guard compares with them."""
        if self.guards.deduplicate != "history" and self.past is None:
            return
        for prompt in prompts:
            if self.past is not None and prompt not in self.published:
                self.past.add(prompt)
            self.published[prompt] = None

    def _contaminated(self, task: Task) -> Contamination | Collection[Any]:
        """Return the prompts of the task's suites that must not be shown; computed once."""
        share = self.guards.decontaminate
        if share is not None and self._suites[0] is not task:
            self._suites = task, Contamination(task, share, self.guards.ngram)
        return self._suites[1]


def _lineages(proposal: Proposal) -> list[Lineage]:
    """Prompts with parent and operator, both None if the proposal has no genealogy."""
    missing = [None] * len(proposal.prompts)
    parents = proposal.parents if len(proposal.parents) else missing
    operators = proposal.operators if len(proposal.operators) else missing
    rows = zip(proposal.prompts, parents, operators, strict=True)
    return [Lineage(*row) for row in rows]
