"""Prioritised level replay and its descendants: PLR, robust PLR, ACCEL.

A level is a prompt. A round is of one kind: it has new prompts, replayed ones, or edited ones.
Every round scores its prompts into a buffer, from which replay rounds draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.stats import rankdata

from agents.base import THREES, Logs
from agents.creators.estimate import SignalCreator, average
from agents.creators.human import human_prompts
from agents.evolution.buffer import PromptBuffer
from agents.evolution.evolve import Lineage, evolve, operator_weights, publish
from agents.evolution.selection import greedy, mix_staleness, share, weighted
from eva_env.require import require
from eva_env.types import Floats, Proposal, Round, Task

Kind = Literal["new", "replay", "edit"]


@dataclass
class PLR(SignalCreator):
    """Prioritised level replay: play prompts again that the signal finds informative.

    Jiang et al. 2021 (arXiv 2010.03934), Sec. 3. A round replays with some probability, else it
    draws new prompts. A replay round draws n prompts without replacement by (1 - rho) P_score +
    rho P_staleness, where P_score depends on the rank of the last score and P_staleness on the
    rounds since then. The buffer keeps the highest scores. Replay begins once the buffer is
    full or holds n prompts, or once a round of new prompts adds none. Ranks and ages all change
    every round, so a round costs O(Q log Q) for Q prompts in the buffer.
    """

    grid = {"replay": (0.5, 1.0, 1.5), "beta": THREES, "rho": THREES}

    signal: str = "a_star_avg"
    """Score of a prompt: a registered signal, or package.module.function or
    path/to/file.py:function for your own. payoff is what the game pays for the prompt."""

    distribution: str = "human"
    """Distribution of the task to draw new prompts from. "uniform" is privileged: a generator
    of all levels, which the paper has."""

    capacity: int = 4096
    """Number of prompts that the buffer holds."""

    replay: float = 0.5
    """Probability of a replay round, once replay has begun."""

    beta: float = 0.1
    """Temperature of the ranks: P_score is proportional to rank^(-1 / beta); the best has rank
    1."""

    rho: float = 0.3
    """Weight of staleness, in [0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[1, inf)", "capacity")
        require(self, "[0, 1]", "replay", "rho")
        require(self, "(0, inf]", "beta")
        self.buffer = PromptBuffer(self.capacity)
        self.kind: Kind = "new"
        self.step = 0
        self.exhausted = False
        self.last: dict[Any, Lineage] = {}

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish n new prompts, or n drawn from the buffer; fewer if it holds fewer."""
        ready = self.exhausted or len(self.buffer) >= min(n, self.capacity)
        if ready and rng.random() < self.replay:
            self.kind = "replay"
            return self._publish(self._draw(min(n, len(self.buffer)), rng))
        self.kind = "new"
        return self._publish(human_prompts(task, n, rng, distribution=self.distribution))

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Score the round's prompts into the buffer."""
        prompts, values = average(round.prompts, self.measure(round))
        # 1. Prompts that the buffer holds get a new score, and age 0.
        slots = self.buffer.find(prompts)
        in_buffer = slots >= 0
        self.buffer.update(slots[in_buffer], values[in_buffer], self.step)
        # 2. The others enter. A guard, or the game, may have added prompts to the proposal.
        new = [prompts[i] for i in np.flatnonzero(~in_buffer)]
        self._insert([self.last.get(p, Lineage(p)) for p in new], values[~in_buffer])
        # 3. A task whose new prompts are all in the buffer has no others: replay may begin.
        if self.kind == "new":
            self.exhausted = not new
        self.step += 1
        replayed = float(self.kind == "replay")
        size = float(len(self.buffer))
        return {"signal": float(values.mean()), "replay": replayed, "buffer": size}

    def priorities(self) -> Floats:
        """Return the log-probability of replay of each slot of ``buffer.slots``, (Q,)."""
        slots = self.buffer.slots
        ranks = rankdata(-self.buffer.values[slots])
        scores = -np.log(ranks) / self.beta
        scores -= np.logaddexp.reduce(scores)
        return mix_staleness(scores, self.step - self.buffer.steps[slots], self.rho)

    def _draw(self, n: int, rng: np.random.Generator) -> list[Lineage]:
        """Draw n prompts of the buffer by priority, without replacement."""
        chosen = self.buffer.slots[weighted(self.priorities(), n, rng)]
        return [self.buffer.items[slot] for slot in chosen]

    def _publish(self, lineages: Sequence[Lineage]) -> Proposal:
        """Publish prompts and remember their lineage."""
        self.last = {lineage.prompt: lineage for lineage in lineages}
        return publish(lineages)

    def _insert(self, lineages: list[Lineage], values: Floats) -> None:
        """Add prompts; beyond the capacity, those of the lowest scores leave, old or new."""
        slots = self.buffer.slots
        over = len(slots) + len(values) - self.capacity
        if over > 0:
            # Rank old and new prompts together; indices from len(slots) on are new ones.
            scores = np.concatenate([self.buffer.values[slots], values])
            lowest = np.argsort(scores, kind="stable")[:over]
            self.buffer.remove(slots[lowest[lowest < len(slots)]])
            stay = np.setdiff1d(np.arange(len(values)), lowest - len(slots))
            lineages, values = [lineages[i] for i in stay], values[stay]
        prompts = [lineage.prompt for lineage in lineages]
        self.buffer.add(prompts, lineages, values, self.step)


@dataclass
class RobustPLR(PLR):
    """PLR whose solver learns from replayed prompts alone (Jiang et al. 2021b).

    New prompts are only scored (arXiv 2110.02439, PLR with stop-gradient), so training follows
    the distribution of the buffer. Scoring costs responses all the same.
    """

    def should_train_solver(self, round: Round) -> bool:
        """Return True in replay rounds."""
        return self.kind == "replay"


@dataclass
class ACCEL(RobustPLR):
    """Robust PLR that edits replayed prompts (Parker-Holder et al. 2022, arXiv 2203.01302).

    After a replay round, the task's operators rewrite its prompts of highest score. The next
    round answers these edits, without learning, to score them into the buffer. A round is of
    one kind, as in the authors' batched code, since the solver learns from all of it or
    nothing.
    """

    edited: float = 0.25
    """Share of a replayed round, with the highest scores, that is edited; at least one
    prompt."""

    operators: dict[str, float] = field(default_factory=dict)
    """Relative probability of each rewrite operator. Empty: the task's own weights, or all
    equally likely."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, 1]", "edited")
        self.parents: list[Any] = []

    def check_task(self, task: Task) -> None:
        """Raise ValueError if the task lacks operators that the creator edits by."""
        operator_weights(task, self.operators)

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish edits of the last replay round if there are any, else as PLR does."""
        parents, self.parents = self.parents, []
        if parents:
            edits = evolve(
                task,
                parents,
                -(-n // len(parents)),
                rng,
                sequential=False,
                taken=self.buffer,
                operators=self.operators,
            )[:n]
            if edits:
                self.kind = "edit"
                taken = {edit.prompt for edit in edits}
                fill = human_prompts(task, n - len(edits), rng, taken, self.distribution)
                return self._publish(edits + fill)
        return super().propose(task, n, rng)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Score the round's prompts; after a replay round, choose those to edit."""
        logs = super().learn(round, rng)
        if self.kind == "replay":
            prompts, values = average(round.prompts, self.measure(round))
            best = greedy(values, max(1, share(self.edited, len(prompts))), rng)
            self.parents = [prompts[i] for i in best]
        return logs
