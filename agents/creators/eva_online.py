"""Online eva: a bounded buffer of rewrites, renewed with every batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from agents.base import Logs
from agents.creators.estimate import SignalCreator, average
from agents.creators.human import human_prompts
from agents.evolution.buffer import PromptBuffer
from agents.evolution.evolve import evolve, operator_weights, publish
from agents.evolution.selection import ROUNDING, Weighting, greedy, share, weigh, weighted
from eva_env.require import require
from eva_env.types import Floats, Ints, Proposal, Round, Task

Phase = Literal["warm-up", "mix-up", "bootstrap"]


@dataclass
class EvaOnline(SignalCreator):
    """eva with a prioritised buffer of rewrites (Ye et al. 2025, Sec. 3.3, App. A).

    A round's n prompts (8 in the paper) depend on the phase; the best of each batch are then
    rewritten:

    - warm-up: n human prompts, until the buffer has once held ``capacity`` rewrites;
    - mix-up: a share from the buffer, drawn by priority, the others human;
    - bootstrap, once ``human_prompts`` have been drawn: all n from the buffer.

    Rewrites enter the buffer unanswered and leave it when they are answered; the oldest leave
    when it is full. Proportional weights cost O(log n) a draw; the others depend on all
    priorities and cost O(n) a round. Decided where the paper is silent: capacity ends the
    warm-up (its 400 steps would take 2 rewrites, not 4); draws are without replacement;
    rewrites are independent of each other, so every parent has been answered; human prompts
    fill a round that the buffer cannot.
    """

    grid = {"evolve_fraction": (0.5, 1.0, 2.0), "ratio_evol": (0.5, 1.0, 1.5)}

    capacity: int = 3200
    """Number of rewrites that the buffer holds."""

    human_prompts: int = 10_000
    """Number of human prompts to draw in all, the paper's |D|."""

    evolve_fraction: float = 0.5
    """Share of the batch, with the highest signals, that is rewritten; at least one prompt."""

    evolve_from: Literal["batch", "human", "buffer"] = "batch"
    """Part of a mixed batch that is rewritten; the share is that of the whole batch."""

    n_new: int = 4
    """Rewrites of each such prompt in warm-up and mix-up."""

    n_new_bootstrap: int = 2
    """Rewrites of each such prompt in bootstrap."""

    ratio_evol: float = 0.5
    """Share of a mix-up batch that comes from the buffer."""

    signal: str = "a_star_avg"
    """Measure of how informative a prompt is: a registered signal, or package.module.function
    or path/to/file.py:function for your own. payoff is what the game pays for the prompt."""

    priority: Literal["parent", "max"] = "parent"
    """Priority of a rewrite: the signal of its parent, or the highest signal so far."""

    weighting: Weighting = "proportional"
    """Turns priorities into weights."""

    tau: float = 1.0
    """Temperature of the softmax weighting, in units of the signal."""

    alpha: float = 1.0
    """Exponent of the rank weighting."""

    deduplicate: bool = True
    """Avoid rewrites that repeat an earlier prompt, as long as the task has others."""

    operators: dict[str, float] = field(default_factory=dict)
    """Relative probability of each rewrite operator. Empty: the task's own weights, or all
    equally likely."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[1, inf)", "capacity", "human_prompts", "n_new", "n_new_bootstrap")
        require(self, "[0, 1]", "evolve_fraction", "ratio_evol")
        self.phase: Phase = "warm-up"
        self.buffer = PromptBuffer(self.capacity)
        self.drawn: Ints = np.zeros(0, dtype=np.int64)
        self.parents: list[tuple[Any, float]] = []
        self.seen: set[Any] = set()
        self.humans, self.step, self.made, self.highest = 0, 0, 0, -np.inf

    def check_task(self, task: Task) -> None:
        """Raise ValueError if the task lacks operators that the creator rewrites by."""
        operator_weights(task, self.operators)

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Rewrite the best of the last batch into the buffer; publish the phase's batch."""
        # 1. Rewrite, which may end the warm-up.
        self._insert(task, rng)
        # 2. Choose the phase.
        if self.humans >= self.human_prompts:
            self.phase = "bootstrap"
        elif len(self.buffer) == self.capacity:
            self.phase = "mix-up"
        # 3. Draw the rewrites; human prompts fill the batch.
        rewrites = {"warm-up": 0, "mix-up": round(self.ratio_evol * n), "bootstrap": n}
        humans_left = max(0, self.human_prompts - self.humans)
        human = min(n - rewrites[self.phase], humans_left)
        self.drawn = self._draw(n - human, rng)
        batch = [self.buffer.items[slot] for slot in self.drawn]
        taken = {lineage.prompt for lineage in batch}
        batch += human_prompts(task, n - len(batch), rng, taken)
        self.humans += n - len(self.drawn)
        self.seen.update(lineage.prompt for lineage in batch)
        return publish(batch)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Drop the answered rewrites from the buffer; choose the parents of the next ones."""
        prompts, values = average(round.prompts, self.measure(round))
        size = max(1, share(self.evolve_fraction, len(prompts)))
        rewrites = self._drop_answered(prompts)
        candidates = self._candidates(prompts, rewrites)
        best = candidates[greedy(values[candidates], min(size, len(candidates)), rng)]
        self.parents = [(prompts[i], float(values[i])) for i in best]
        self.highest = max(self.highest, float(values[candidates].max()))
        self.step += 1
        return {
            "buffer": float(len(self.buffer)),
            "signal": float(values[candidates].mean()),
        }

    def _candidates(self, prompts: Sequence[Any], rewrites: set[Any]) -> Ints:
        """Indices of the prompts that may be rewritten (``evolve_from``)."""
        if self.evolve_from == "batch" or not 0 < len(rewrites) < len(prompts):
            return np.arange(len(prompts))
        from_buffer = np.array([prompt in rewrites for prompt in prompts])
        return np.flatnonzero(from_buffer == (self.evolve_from == "buffer"))

    def _drop_answered(self, prompts: Sequence[Any]) -> set[Any]:
        """Remove the drawn rewrites that were answered from the buffer, and return them."""
        answered = set(prompts)
        drawn = [self.buffer.items[slot].prompt for slot in self.drawn]
        self.buffer.remove(self.drawn[[prompt in answered for prompt in drawn]])
        self.drawn = self.drawn[:0]
        return answered.intersection(drawn)

    def _insert(self, task: Task, rng: np.random.Generator) -> None:
        """Rewrite the parents into the buffer, the rewrites of the best parent first."""
        if not self.parents:
            return
        children = evolve(
            task,
            [parent for parent, _ in self.parents],
            self.n_new_bootstrap if self.phase == "bootstrap" else self.n_new,
            rng,
            sequential=False,
            taken=self.seen if self.deduplicate else None,
            operators=self.operators,
        )
        priorities = self._priorities([child.parent for child in children])
        # The key of an entry is a number, since a small world repeats its prompts.
        numbers = range(self.made, self.made + len(children))
        self.buffer.add(numbers, children, priorities, self.step)
        self.made += len(children)
        self.seen.update(child.prompt for child in children)
        self.parents = []

    def _priorities(self, parents: Sequence[Any]) -> Floats:
        """Return the priority of a rewrite of each parent; ValueError if one is invalid."""
        signal = dict(self.parents)
        if self.priority == "max":
            values = [self.highest] * len(parents)
        else:
            values = [signal[parent] for parent in parents]
        if self.weighting == "proportional" and min(values, default=0.0) < -ROUNDING:
            raise ValueError(
                f"proportional weights need priorities >= 0, and signal {self.signal!r} gave "
                f"{min(values)}; take the weighting minmax, softmax or rank"
            )
        return np.array(values, dtype=np.float64)

    def _draw(self, size: int, rng: np.random.Generator) -> Ints:
        """Draw slots of the buffer by priority, without replacement."""
        size = min(size, len(self.buffer))
        if self.weighting == "proportional" or not size:
            return self.buffer.draw(size, rng)
        slots = self.buffer.slots
        weights = weigh(self.buffer.values[slots], self.weighting, self.tau, self.alpha)
        return slots[weighted(weights, size, rng)]
