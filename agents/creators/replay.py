"""Prioritised level replay and its children: PLR, robust PLR, ACCEL.

A level is a prompt. Rounds are of one kind each: of new prompts, of replayed ones, or of edited
ones. All score their prompts into a buffer, from which replay rounds draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.stats import rankdata

from agents.base import THREES, Creator, Logs, Replay
from agents.creators.estimate import average, check_signal, measure, with_logprobs
from agents.creators.human import human_prompts
from agents.evolution.buffer import PromptBuffer
from agents.evolution.evolve import Lineage, evolve, publish
from agents.evolution.selection import greedy, mix_staleness, share, weighted
from eva_env.types import Floats, Proposal, Round, Task

Kind = Literal["new", "replay", "edit"]


@dataclass
class PLR(Creator):
    """Prioritised level replay: play again what the signal finds worth it.

    Jiang et al. 2021 (arXiv 2010.03934), Sec. 3. A round replays with some probability, else
    draws new prompts. Replayed are n prompts, without replacement, by (1 - rho) P_score + rho
    P_staleness, where P_score goes by the rank of the last score and P_staleness by the rounds
    since then. The buffer keeps the highest scores. Replay begins once the buffer is full or
    holds n prompts, or a round of new prompts brought none that it had not. Ranks and ages
    all change with every round, so that a round costs O(Q log Q) for Q prompts in the buffer.
    """

    grid = {"replay": (0.5, 1.0, 1.5), "beta": THREES, "rho": THREES}

    signal: str = "a_star_avg"
    """The score: a name in ``eva_env.signals``, or ``payoff``, what the game pays."""

    distribution: str = "human"
    """Where new prompts come from. "uniform" is privileged: a generator of all levels, which
    the paper has."""

    capacity: int = 4096
    """Prompts that the buffer holds."""

    replay: float = 0.5
    """Probability of a replay round, once there is enough to replay."""

    beta: float = 0.1
    """Temperature of the ranks: P_score is proportional to rank^(-1 / beta), best rank 1."""

    rho: float = 0.3
    """Weight of staleness, in [0, 1]."""

    def __post_init__(self) -> None:
        check_signal(self.signal)
        if self.capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {self.capacity}")
        for name in ("replay", "rho"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if not self.beta > 0:
            raise ValueError(f"beta must be positive, got {self.beta}")
        self.buffer = PromptBuffer(self.capacity)
        self.kind: Kind = "new"
        self.step = 0
        self.exhausted = False
        self.last: dict[Any, Lineage] = {}

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish n new prompts, or n drawn from the buffer: fewer if it holds fewer."""
        ready = self.exhausted or len(self.buffer) >= min(n, self.capacity)
        if ready and rng.random() < self.replay:
            self.kind = "replay"
            return self._publish(self._draw(min(n, len(self.buffer)), rng))
        self.kind = "new"
        return self._publish(human_prompts(task, n, rng, distribution=self.distribution))

    def observe_round(self, round: Round, replay: Replay, rng: np.random.Generator) -> Round:
        """The round as played, with log-probabilities where the signal reads them."""
        return with_logprobs(self.signal, round, replay)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Score the round's prompts into the buffer."""
        prompts, values = average(round.prompts, measure(self.signal, round))
        slots = self.buffer.find(prompts)
        self.buffer.update(slots[slots >= 0], values[slots >= 0], self.step)
        new = [prompts[i] for i in np.flatnonzero(slots < 0)]
        # A guard, or the game, may have put prompts in that were not proposed here.
        self._insert([self.last.get(p, Lineage(p)) for p in new], values[slots < 0])
        self.exhausted = not new if self.kind == "new" else self.exhausted
        self.step += 1
        replayed = float(self.kind == "replay")
        size = float(len(self.buffer))
        return {"signal": float(values.mean()), "replay": replayed, "buffer": size}

    def priorities(self) -> Floats:
        """Log-probabilities of replay, by ``buffer.slots``, (Q,)."""
        slots = self.buffer.slots
        ranks = rankdata(-self.buffer.values[slots])
        scores = -np.log(ranks) / self.beta
        scores -= np.logaddexp.reduce(scores)
        return mix_staleness(scores, self.step - self.buffer.steps[slots], self.rho)

    def _draw(self, n: int, rng: np.random.Generator) -> list[Lineage]:
        chosen = self.buffer.slots[weighted(self.priorities(), n, rng)]
        return [self.buffer.items[slot] for slot in chosen]

    def _publish(self, lineages: Sequence[Lineage]) -> Proposal:
        self.last = {one.prompt: one for one in lineages}
        return publish(lineages)

    def _insert(self, lineages: list[Lineage], values: Floats) -> None:
        """Add prompts; the lowest scores, old or new, leave what is over capacity."""
        slots = self.buffer.slots
        over = len(slots) + len(values) - self.capacity
        if over > 0:
            both = np.concatenate([self.buffer.values[slots], values])
            lowest = np.argsort(both, kind="stable")[:over]
            self.buffer.remove(slots[lowest[lowest < len(slots)]])
            stay = np.setdiff1d(np.arange(len(values)), lowest - len(slots))
            lineages, values = [lineages[i] for i in stay], values[stay]
        self.buffer.add([one.prompt for one in lineages], lineages, values, self.step)


@dataclass
class RobustPLR(PLR):
    """PLR whose solver learns from replayed prompts alone (Jiang et al. 2021b).

    New prompts are only scored (arXiv 2110.02439, PLR with stop-gradient), so that training
    follows the buffer's distribution; they cost responses all the same.
    """

    def should_train_solver(self, round: Round) -> bool:
        """In replay rounds."""
        return self.kind == "replay"


@dataclass
class ACCEL(RobustPLR):
    """Robust PLR that edits what it replays (Parker-Holder et al. 2022, arXiv 2203.01302).

    After a replay round the highest scores of it are rewritten by the task's operators, and the
    next round answers these edits, without learning, to score them into the buffer. Rounds are
    of one kind, as in the authors' batched code, since a round teaches as a whole or not.
    """

    edited: float = 0.25
    """Share of a replayed round, its highest scores, that is edited; at least one prompt is."""

    operators: dict[str, float] = field(default_factory=dict)
    """Relative probability of each rewrite operator; empty: all alike."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.edited <= 1:
            raise ValueError(f"edited must lie in (0, 1], got {self.edited}")
        self.parents: list[Any] = []

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish edits of what was replayed last, else as PLR does."""
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
                known = {one.prompt for one in edits}
                fill = human_prompts(task, n - len(edits), rng, known, self.distribution)
                return self._publish(edits + fill)
        return super().propose(task, n, rng)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Score the round's prompts, and choose what to edit."""
        logs = super().learn(round, rng)
        if self.kind == "replay":
            prompts, values = average(round.prompts, measure(self.signal, round))
            best = greedy(values, max(1, share(self.edited, len(prompts))), rng)
            self.parents = [prompts[i] for i in best]
        return logs
