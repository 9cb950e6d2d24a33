"""Creators that train a policy over prompts on the payoffs of what they publish.

The policy mu is a softmax over a pool of prompts. All three creators ascend the same objective,

    J(mu) = E_mu [payoff] - alpha KL(mu || mu0),    payoff = signal + novelty bonus,

with mu0 uniform over the pool: the penalty towards a reference prompt distribution that eva's
paper writes (Ye et al. 2025, arXiv 2411.00062, Sec. 3.1) and does not compute. Here it is
exact, and every round logs it with the entropy of mu. They differ in how they ascend.
"""

from dataclasses import dataclass

from agents.base import THREES
from agents.creators.ascent import filled, gradient_step, mirror_step
from agents.creators.prompt_policy import PromptPolicy
from eva_env.require import require
from eva_env.types import Floats, Ints


@dataclass
class PolicyGradient(PromptPolicy):
    """REINFORCE on the logits of mu with a leave-one-out baseline; Williams 1992.

    A softmax at a vertex cannot leave it: the gradient vanishes with mu, for any alpha. With a
    large step the policy collapses for good; ``Gibbs`` and ``MirrorDescent`` do not.
    """

    grid = PromptPolicy.grid | {"step": THREES}

    step: float = 10.0
    """Step size, in nats per unit of payoff."""

    def improve(self, drawn: Ints, payoffs: Floats) -> None:
        """Step along the gradient that the drawn prompts estimate."""
        self.logits = gradient_step(self.logits, drawn, payoffs, self.step, self.alpha)


@dataclass
class Gibbs(PromptPolicy):
    """The closed form: mu proportional to mu0 exp(payoff / alpha), by running estimates.

    The maximiser of J, whose value is alpha log mean exp(payoff / alpha). Prompts without an
    estimate count as the mean of the others.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf]", "alpha")  # it divides

    def improve(self, drawn: Ints, payoffs: Floats) -> None:
        """Jump to the maximiser for the current estimates of the payoffs."""
        self.logits = filled(self.payoffs) / self.alpha


@dataclass
class MirrorDescent(PromptPolicy):
    """Entropic mirror ascent on J: log mu += step * (payoff - alpha log(mu / mu0)).

    Beck and Teboulle 2003, as magnetic mirror descent with the magnet mu0 (Sokota et al. 2023,
    arXiv 2206.05825). Its fixed point is that of ``Gibbs``, which it approaches at the rate
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
        """Step by the current estimates of the payoffs."""
        self.logits = mirror_step(self.logits, filled(self.payoffs), self.step, self.alpha)
