"""Offline eva: estimate -> sample -> evolve -> mix."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from agents.base import Logs, Replay
from agents.creators.estimate import check_signal, measure, with_logprobs
from agents.creators.evolving import Evolving
from agents.evolution.selection import (
    Draw,
    Weighting,
    balance_topics,
    greedy,
    stratified,
    weigh,
    weighted,
)
from eva_env.debiasing import NoiseEstimate, debias, estimate_noise
from eva_env.types import Floats, Ints, Proposal, Round, Task


@dataclass
class Eva(Evolving):
    """eva: evolve the prompts that the signal finds informative (Ye et al. 2025, Alg. 1)."""

    signal: str = "a_star_min"
    """What makes a prompt informative: a name in ``eva_env.signals.SIGNALS``, or ``payoff``,
    what the game itself pays for the prompt (true regret where it knows it)."""

    weighting: Weighting = "proportional"
    """How a signal becomes a weight: ``agents.evolution.selection.weigh``; the authors' code is minmax."""

    tau: float = 1.0
    """Temperature of the softmax weighting, in units of the signal."""

    alpha: float = 1.0
    """Exponent of the rank weighting."""

    draw: Draw = "weighted"
    """Draw by weight, take the highest signals, or draw by weight in ten quantile bins."""

    topic_balance: float = 0.0
    """c in [0, 1]: share of the weight that goes to rare topics. The authors' iw_topic has
    0.25, their tables 0. Greedy drawing reads no weights."""

    resample: bool = True
    """Measure the signal on new responses of the updated solver, as the paper does; costs as
    many responses as the round."""

    noise: float | Literal["estimate"] | None = None
    """Standard deviation of the reward model's noise, in reward-model units, whose floor is
    taken off the signal (``eva_env.debiasing.debias``); "estimate": by topic, from responses that
    the solver has given twice to a prompt."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_signal(self.signal)
        if self.noise is not None:
            std = 0.0 if self.noise == "estimate" else self.noise
            debias(self.signal, np.zeros((1, 2)), std)  # raises for what it cannot correct
        self.topics: dict[Any, str] = {}
        self.estimated = NoiseEstimate()

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish n prompts: human ones first, then the mix of rewrites and old prompts."""
        proposal = super().propose(task, n, rng)
        if self.noise == "estimate":
            self.topics = {prompt: task.topic(prompt) for prompt in proposal.prompts}
        return proposal

    def observe_round(self, round: Round, replay: Replay, rng: np.random.Generator) -> Round:
        """The round as played, or its prompts answered anew (``resample``)."""
        return with_logprobs(self.signal, replay() if self.resample else round, replay)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Note which prompts were answered and their signal, and how noisy the rewards are."""
        if self.noise == "estimate":
            topics = [self.topics[prompt] for prompt in round.prompts]
            self.estimated += estimate_noise(
                round.prompts, round.responses, round.rewards, topics
            )
        return super().learn(round, rng)

    def measure(self, round: Round) -> Floats:
        """The signal of each prompt of a round, (B,), less its noise floor."""
        if self.noise is None:
            return measure(self.signal, round)
        if self.noise == "estimate":
            std = self.estimated.std([self.topics[prompt] for prompt in round.prompts])
            return debias(self.signal, round.rewards, std)
        return debias(self.signal, round.rewards, self.noise)

    def select(self, task: Task, size: int, rng: np.random.Generator) -> Ints:
        """Indices of the answered prompts to rewrite, drawn by their signal."""
        if self.draw == "greedy":
            return greedy(self.values, size, rng)
        weights = weigh(self.values, self.weighting, self.tau, self.alpha)
        if self.topic_balance:
            topics = [task.topic(prompt) for prompt in self.answered]
            weights = balance_topics(weights, topics, self.topic_balance)
        if self.draw == "stratified":
            return stratified(self.values, weights, size, rng)
        return weighted(weights, size, rng)


@dataclass
class EvaLite(Eva):
    """eva without its second responses: half the responses of ``Eva`` per round.

    The signal comes from the responses that the solver learns from, and old prompts come from all
    earlier rounds. ``UniformLite`` differs in the signal alone.
    """

    old_from: Literal["last", "history"] = "history"
    """Draw old prompts from the last round's (the paper) or from all published so far."""

    resample: bool = False
    """Measure the signal on new responses of the updated solver, as the paper does; costs as
    many responses as the round."""
