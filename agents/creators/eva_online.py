"""Online eva: a bounded buffer of rewrites, renewed with every mini-batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from agents.base import Creator, Logs, Replay
from agents.creators.estimate import average, check_signal, measure, with_logprobs
from agents.creators.human import human_prompts
from agents.evolution.buffer import PromptBuffer
from agents.evolution.evolve import evolve, publish
from agents.evolution.selection import ROUNDING, Weighting, greedy, share, weigh, weighted
from eva_env.types import Ints, Proposal, Round, Task

Phase = Literal["warm-up", "mix-up", "bootstrap"]


@dataclass
class EvaOnline(Creator):
    """eva with a prioritised generative buffer (Ye et al. 2025, Sec. 3.3, App. A).

    Batch of n prompts (8 in the paper) by phase, each batch's best then being rewritten:

    - warm-up: n human prompts, until the buffer has once held ``capacity`` rewrites;
    - mix-up: a share from the buffer, drawn by priority, the others human;
    - bootstrap, once ``human_prompts`` were drawn: all n from the buffer.

    Rewrites enter the buffer unanswered; answered ones leave it, then the oldest do until it
    holds ``capacity``. Proportional weights cost O(log n) a draw, the others, which depend on
    all priorities, O(n) a round. Decided where the paper is silent: capacity ends the warm-up
    (its 400 steps would take 2 rewrites, not 4); drawing is without replacement; rewrites are
    made independently of each other, so that every parent has been answered; a round that the
    buffer cannot fill is filled with human prompts.
    """

    grid = {"evolve_fraction": (0.5, 1.0, 2.0), "ratio_evol": (0.5, 1.0, 1.5)}

    capacity: int = 3200
    """Rewrites that the buffer holds."""

    human_prompts: int = 10_000
    """Human prompts to draw in all, the paper's |D|."""

    evolve_fraction: float = 0.5
    """Share of the batch, its highest signals, that is rewritten; at least one prompt is."""

    evolve_from: Literal["batch", "human", "buffer"] = "batch"
    """Which half of a mixed batch is rewritten from; the share is of the batch all the same."""

    n_new: int = 4
    """Rewrites of each such prompt in warm-up and mix-up."""

    n_new_bootstrap: int = 2
    """Rewrites of each such prompt in bootstrap."""

    ratio_evol: float = 0.5
    """Share of a mix-up batch that comes from the buffer."""

    signal: str = "a_star_avg"
    """What makes a prompt informative: a name in ``eva_env.signals.SIGNALS``, or ``payoff``,
    what the game itself pays for the prompt."""

    priority: Literal["parent", "max"] = "parent"
    """Priority of a rewrite: its parent's signal, or the highest signal seen so far."""

    weighting: Weighting = "proportional"
    """How priorities become weights: ``agents.evolution.selection.weigh``."""

    tau: float = 1.0
    """Temperature of the softmax weighting, in units of the signal."""

    alpha: float = 1.0
    """Exponent of the rank weighting."""

    deduplicate: bool = True
    """Avoid rewrites that equal any prompt before, as far as the task has others."""

    operators: dict[str, float] = field(default_factory=dict)
    """Relative probability of each rewrite operator; empty: all alike."""

    def __post_init__(self) -> None:
        check_signal(self.signal)
        for name in ("capacity", "human_prompts", "n_new", "n_new_bootstrap"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("evolve_fraction", "ratio_evol"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        self.phase: Phase = "warm-up"
        self.buffer = PromptBuffer(self.capacity)
        self.drawn: Ints = np.zeros(0, dtype=np.int64)
        self.parents: list[tuple[Any, float]] = []
        self.seen: set[Any] = set()
        self.humans, self.step, self.made, self.highest = 0, 0, 0, -np.inf

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Rewrite the last batch's best into the buffer, then publish the phase's batch."""
        self._insert(task, rng)
        if self.humans >= self.human_prompts:
            self.phase = "bootstrap"
        elif len(self.buffer) == self.capacity:
            self.phase = "mix-up"
        rewrites = {"warm-up": 0, "mix-up": round(self.ratio_evol * n), "bootstrap": n}
        human = min(n - rewrites[self.phase], max(0, self.human_prompts - self.humans))
        self.drawn = self._draw(n - human, rng)
        batch = [self.buffer.items[slot] for slot in self.drawn]
        batch += human_prompts(task, n - len(batch), rng, {one.prompt for one in batch})
        self.humans += n - len(self.drawn)
        self.seen.update(one.prompt for one in batch)
        return publish(batch)

    def observe_round(self, round: Round, replay: Replay, rng: np.random.Generator) -> Round:
        """The round as played, with log-probabilities where the signal reads them."""
        return with_logprobs(self.signal, round, replay)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Drop the answered rewrites from the buffer, and mark the batch's best as parents."""
        prompts, values = average(round.prompts, measure(self.signal, round))
        size = max(1, share(self.evolve_fraction, len(prompts)))
        rewrites = self._drop_answered(prompts)
        if self.evolve_from != "batch" and 0 < len(rewrites) < len(prompts):
            half = [(p in rewrites) == (self.evolve_from == "buffer") for p in prompts]
            prompts = [p for p, inside in zip(prompts, half, strict=True) if inside]
            values = values[half]
        best = greedy(values, min(size, len(prompts)), rng)
        self.parents = [(prompts[i], float(values[i])) for i in best]
        self.highest = max(self.highest, float(values.max()))
        self.step += 1
        return {"buffer": float(len(self.buffer)), "signal": float(values.mean())}

    def _drop_answered(self, prompts: Sequence[Any]) -> set[Any]:
        """Take the drawn rewrites that were answered out of the buffer, and return them."""
        answered = set(prompts)
        drawn = [self.buffer.items[slot].prompt for slot in self.drawn]
        self.buffer.remove(self.drawn[[prompt in answered for prompt in drawn]])
        self.drawn = self.drawn[:0]
        return answered.intersection(drawn)

    def _insert(self, task: Task, rng: np.random.Generator) -> None:
        """Rewrite the parents into the buffer, the best of them first."""
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
        signal = dict(self.parents)
        optimistic = self.priority == "max"
        values = [self.highest if optimistic else signal[child.parent] for child in children]
        if self.weighting == "proportional" and min(values, default=0.0) < -ROUNDING:
            raise ValueError(
                f"proportional weights need priorities >= 0, and signal {self.signal!r} gave "
                f"{min(values)}; take the weighting minmax, softmax or rank"
            )
        # A small world repeats its prompts, so that entries go by number.
        numbers = range(self.made, self.made + len(children))
        self.buffer.add(numbers, children, np.array(values, dtype=np.float64), self.step)
        self.made += len(children)
        self.seen.update(child.prompt for child in children)
        self.parents = []

    def _draw(self, size: int, rng: np.random.Generator) -> Ints:
        """Slots of the buffer, by priority, without replacement."""
        size = min(size, len(self.buffer))
        if self.weighting == "proportional" or not size:
            return self.buffer.draw(size, rng)
        slots = self.buffer.slots
        weights = weigh(self.buffer.values[slots], self.weighting, self.tau, self.alpha)
        return slots[weighted(weights, size, rng)]
