"""Offline eva: estimate, sample, evolve, mix."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from agents.base import Logs, Replay
from agents.creators.estimate import SignalCreator
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
from eva_env.require import require
from eva_env.types import Floats, Ints, Proposal, Round, Task


@dataclass
class Eva(SignalCreator, Evolving):
    """eva: evolve the prompts that the signal finds informative (Ye et al. 2025, Alg. 1)."""

    signal: str = "a_star_min"
    """Measure of how informative a prompt is: a registered signal, or package.module.function
    or path/to/file.py:function for your own. payoff is what the game pays for the prompt."""

    weighting: Weighting = "proportional"
    """Turns the signal into weights. The authors' code uses minmax."""

    tau: float = 1.0
    """Temperature of the softmax weighting, in units of the signal."""

    alpha: float = 1.0
    """Exponent of the rank weighting."""

    draw: Draw = "weighted"
    """Draw by weight, take the highest signals, or draw by weight within ten quantile bins."""

    topic_balance: float = 0.0
    """Share of the weight that goes to rare topics, in [0, 1]. The authors' iw_topic uses 0.25,
    their tables 0. Greedy drawing ignores weights."""

    resample: bool = True
    """Measure the signal on new responses of the updated solver, as the paper does. Doubles the
    responses of a round."""

    noise: float | Literal["estimate"] | None = None
    """Standard deviation of the reward model's noise, in reward-model units; its floor is
    subtracted from the signal. "estimate": estimate it by topic, from responses that the solver
    has given twice to the same prompt."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "tau")
        require(self, "[0, inf]", "alpha")
        require(self, "[0, 1]", "topic_balance")
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
        """Return the round as played, or with new responses to its prompts (``resample``)."""
        return super().observe_round(replay() if self.resample else round, replay, rng)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Store the answered prompts and their signal; estimate the noise of the rewards."""
        if self.noise == "estimate":
            topics = [self.topics[prompt] for prompt in round.prompts]
            self.estimated += estimate_noise(
                round.prompts, round.responses, round.rewards, topics
            )
        return super().learn(round, rng)

    def measure(self, round: Round) -> Floats:
        """Return the signal of each prompt of a round minus its noise floor, (B,)."""
        if self.noise is None:
            return super().measure(round)
        if self.noise == "estimate":
            std = self.estimated.std([self.topics[prompt] for prompt in round.prompts])
            return debias(self.signal, round.rewards, std)
        return debias(self.signal, round.rewards, self.noise)

    def select(self, task: Task, size: int, rng: np.random.Generator) -> Ints:
        """Draw the indices of the answered prompts to rewrite by their signal."""
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
    """eva without second responses: half the responses of ``Eva`` per round.

    The signal is measured on the responses that the solver learns from, and old prompts come
    from all rounds. ``UniformLite`` differs in the signal alone.
    """

    old_from: Literal["last", "history"] = "history"
    """Draw old prompts from the last round (the paper), or from all rounds so far."""

    resample: bool = False
    """Measure the signal on new responses of the updated solver, as the paper does. Doubles the
    responses of a round."""
