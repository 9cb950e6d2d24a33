"""Creators that are themselves trained: a policy over prompts, paid for what it publishes.

The policy mu is a softmax over a pool of prompts. All three below ascend the same objective,

    J(mu) = E_mu [payoff] - alpha KL(mu || mu0),    payoff = signal + novelty bonus,

with mu0 uniform over the pool: the tie to a reference prompt distribution that eva's paper
writes (Ye et al. 2025, arXiv 2411.00062, Sec. 3.1) and does not compute. Here it is exact, and
logged every round with the entropy of mu. They differ in how they ascend.
"""

from dataclasses import dataclass

import numpy as np

from agents.base import THREES
from agents.creators.prompt_policy import PromptPolicy
from eva_env.types import Floats, Ints


@dataclass
class PolicyGradient(PromptPolicy):
    """REINFORCE on the logits of mu with a leave-one-out baseline; Williams 1992.

    logits += step * (mean_b (payoff_b - baseline_b) (e_b - mu) - alpha grad KL). A softmax that
    has reached a vertex cannot leave it: the gradient vanishes with mu, whatever alpha is. With
    a large step it collapses for good; ``Gibbs`` and ``MirrorDescent`` do not.
    """

    grid = PromptPolicy.grid | {"step": THREES}

    step: float = 10.0
    """Step size, in nats per unit of payoff."""

    def improve(self, drawn: Ints, payoffs: Floats) -> None:
        """One step along the gradient that the drawn prompts estimate."""
        mu = self.mu
        self.logits = self.logits + self.step * (
            reinforce(mu, drawn, payoffs) - self.alpha * kl_gradient(mu)
        )


@dataclass
class Gibbs(PromptPolicy):
    """The closed form: mu proportional to mu0 exp(payoff / alpha), by running estimates.

    The maximiser of J, whose value is alpha log mean exp(payoff / alpha). Prompts of which
    nothing is known count as the mean of the others.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.alpha > 0:
            raise ValueError(f"alpha must be positive, got {self.alpha}; Gibbs divides by it")

    def improve(self, drawn: Ints, payoffs: Floats) -> None:
        """Jump to the maximiser for the payoffs as estimated now."""
        self.logits = estimates(self.payoffs) / self.alpha


@dataclass
class MirrorDescent(PromptPolicy):
    """Entropic mirror ascent on J: log mu += step * (payoff - alpha log(mu / mu0)).

    Beck and Teboulle 2003, as magnetic mirror descent has it with the magnet mu0 (Sokota et al.
    2023, arXiv 2206.05825). Its fixed point is that of ``Gibbs``, which it nears at the rate
    1 - step * alpha a round.
    """

    grid = PromptPolicy.grid | {"step": THREES}

    step: float = 2.0
    """Step size, in nats per unit of payoff; step * alpha must lie below 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.step * self.alpha < 1:
            raise ValueError(
                f"step * alpha must lie in (0, 1), got {self.step} * {self.alpha}; lower step"
            )

    def improve(self, drawn: Ints, payoffs: Floats) -> None:
        """One step, by the payoffs as estimated now."""
        values = estimates(self.payoffs)
        log_mu = self.logits - self.logits.mean()
        self.logits = (1 - self.step * self.alpha) * log_mu + self.step * values


def reinforce(mu: Floats, drawn: Ints, payoffs: Floats) -> Floats:
    """Unbiased estimate of grad E_mu [payoff] over the logits, (K,), from B >= 1 draws.

    Mean over draws of (payoff - mean of the others' payoffs) (e_b - mu).
    """
    size = len(drawn)
    others = (payoffs.sum() - payoffs) / max(size - 1, 1)
    advantage = (payoffs - others) / size
    return np.bincount(drawn, advantage, minlength=len(mu)) - advantage.sum() * mu


def kl_gradient(mu: Floats) -> Floats:
    """Gradient of KL(mu || uniform) over the logits of mu, mu (log K mu - KL), (K,)."""
    ratio = np.log(np.maximum(mu, 1e-300) * len(mu))
    return mu * (ratio - (mu * ratio).sum())


def estimates(payoffs: Floats) -> Floats:
    """Payoffs (K,), the mean of the known ones where they are NaN."""
    known = payoffs[~np.isnan(payoffs)]
    return np.where(np.isnan(payoffs), known.mean() if len(known) else 0.0, payoffs)
