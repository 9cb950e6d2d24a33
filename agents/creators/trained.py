"""Creators that are themselves trained: a policy over prompts, paid for what it publishes.

The policy mu is a softmax over a pool of prompts. All three below ascend the same objective,

    J(mu) = E_mu [payoff] - alpha KL(mu || mu0),    payoff = signal + novelty bonus,

with mu0 uniform over the pool: the tie to a reference prompt distribution that eva's paper
writes (Ye et al. 2025, arXiv 2411.00062, Sec. 3.1) and does not compute. Here it is exact, and
logged every round with the entropy of mu. They differ in how they ascend.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Creator, Logs
from agents.creators.estimate import average, check_signal, measure
from agents.evolve import Lineage, evolve
from agents.weights import weighted
from eva_env.draw import softmax
from eva_env.types import Floats, Ints, Proposal, Round, Task


@dataclass
class PromptPolicy(Creator):
    """What the trained creators share: the pool, its publication, and payoffs by prompt.

    In a finite task (one with ``trainable``) the pool is all prompts that may be published.
    Elsewhere it starts with human prompts; every round the least probable make room for
    rewrites of answered prompts, drawn from mu, with the logits and estimates of their
    parents. A pool that fits into the proposal is published whole, with log mu as logits; of
    a larger one, prompts are drawn from mu without replacement and published alike.
    """

    signal: str = "a_star_avg"
    """What a prompt is paid for: a name in ``eva_env.signals``, or ``payoff``, what the game
    itself pays for it."""

    alpha: float = 0.1
    """Weight of KL(mu || mu0), in units of the payoff per nat."""

    novelty: float = 0.0
    """Bonus, in units of the signal, of a prompt answered for the first time; it falls as
    1 / sqrt(times answered)."""

    memory: float = 0.5
    """Share in (0, 1] of a new payoff in the running estimate of a prompt's payoff."""

    pool: int = 2048
    """Prompts in the pool of a task that is not finite."""

    renew: float = 0.25
    """Share of that pool that is replaced by rewrites every round."""

    def __post_init__(self) -> None:
        check_signal(self.signal)
        for name, low in (("alpha", 0), ("novelty", 0), ("pool", 1)):
            if not getattr(self, name) >= low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")
        if not 0 < self.memory <= 1:
            raise ValueError(f"memory must lie in (0, 1], got {self.memory}")
        if not 0 <= self.renew < 1:
            raise ValueError(f"renew must lie in [0, 1), got {self.renew}")
        self.prompts: list[Lineage] = []
        self.place: dict[Any, int] = {}
        self.logits: Floats = np.zeros(0)
        self.payoffs: Floats = np.zeros(0)
        self.counts: Ints = np.zeros(0, dtype=np.int64)

    @property
    def mu(self) -> Floats:
        """The policy, (K,) probabilities over the pool."""
        return softmax(self.logits)

    @abstractmethod
    def improve(self, drawn: Ints, payoffs: Floats) -> None:
        """Change ``logits`` after prompts ``drawn`` (B,) of the pool were paid (B,)."""

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish the pool with log mu, or n prompts drawn from mu."""
        if not self.prompts:
            self._fill(task, max(n, self.pool), rng)
        elif not hasattr(task, "trainable") and self.counts.any():
            self._renew(task, rng)
        log_mu, chosen = np.log(np.maximum(self.mu, 1e-300)), np.arange(len(self.prompts))
        if len(self.prompts) > n:
            chosen = weighted(log_mu, n, rng)
            log_mu = np.zeros(len(log_mu))
        published = [self.prompts[i] for i in chosen]
        return Proposal(
            prompts=tuple(one.prompt for one in published),
            logits=log_mu[chosen],
            parents=tuple(one.parent for one in published),
            operators=tuple(one.operator for one in published),
        )

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Pay the prompts, improve mu; logs entropy and KL in nats, and effective support."""
        answered = [self.place[prompt] for prompt in _plain(round.prompts)]
        drawn, values = np.array(answered), measure(self.signal, round)
        first = self.counts[drawn] == 0
        np.add.at(self.counts, drawn, 1)
        payoffs = values + self.novelty / np.sqrt(self.counts[drawn])
        places, paid = average(answered, payoffs)
        rate = np.where(self.counts[places] > np.bincount(drawn)[places], self.memory, 1.0)
        self.payoffs[places] += rate * (paid - self.payoffs[places])
        self.improve(drawn, payoffs)
        mu = self.mu
        entropy = -float((mu * np.log(np.maximum(mu, 1e-300))).sum())
        return {
            "entropy": entropy,
            "kl": float(np.log(len(mu)) - entropy),
            "effective_support": float(np.exp(entropy)),
            "new": float(first.mean()),
            "signal": float(values.mean()),
        }

    def _fill(self, task: Task, size: int, rng: np.random.Generator) -> None:
        finite = getattr(task, "trainable", None)
        prompts = task.seed(size, rng) if finite is None else finite.tolist()
        self.prompts = [Lineage(prompt) for prompt in dict.fromkeys(prompts)]
        self.place = {one.prompt: i for i, one in enumerate(self.prompts)}
        self.logits = np.zeros(len(self.prompts))
        self.payoffs = np.zeros(len(self.prompts))
        self.counts = np.zeros(len(self.prompts), dtype=np.int64)

    def _renew(self, task: Task, rng: np.random.Generator) -> None:
        """Rewrites of prompts drawn from mu take the places of the least probable."""
        size = int(self.renew * len(self.prompts))
        mu = softmax(np.where(self.counts > 0, self.logits, -np.inf))
        parents = [self.prompts[i].prompt for i in rng.choice(len(mu), size, p=mu)]
        children = evolve(task, parents, 1, rng, taken=self.place)
        fresh = {one.prompt: one for one in children if one.prompt not in self.place}
        places = np.argsort(self.logits, kind="stable")[: len(fresh)]
        born = [self.place[one.parent] for one in fresh.values()]
        logits, payoffs = self.logits[born], self.payoffs[born]
        for place, lineage in zip(places, fresh.values(), strict=True):
            del self.place[self.prompts[place].prompt]
            self.prompts[place], self.place[lineage.prompt] = lineage, int(place)
        self.logits[places], self.payoffs[places], self.counts[places] = logits, payoffs, 0


@dataclass
class PolicyGradient(PromptPolicy):
    """REINFORCE on the logits of mu with a leave-one-out baseline; Williams 1992.

    logits += step * (mean_b (payoff_b - baseline_b) (e_b - mu) - alpha grad KL). A softmax that
    has reached a vertex cannot leave it: the gradient vanishes with mu, whatever alpha is. With
    a large step it collapses for good; ``Gibbs`` and ``MirrorDescent`` do not.
    """

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

    The maximiser of J, whose value is alpha log mean exp(payoff / alpha). Prompts that were
    never answered count as the mean of those that were.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.alpha > 0:
            raise ValueError(f"alpha must be positive, got {self.alpha}; Gibbs divides by it")

    def improve(self, drawn: Ints, payoffs: Floats) -> None:
        """Jump to the maximiser for the payoffs as estimated now."""
        self.logits = estimates(self.payoffs, self.counts) / self.alpha


@dataclass
class MirrorDescent(PromptPolicy):
    """Entropic mirror ascent on J: log mu += step * (payoff - alpha log(mu / mu0)).

    Beck and Teboulle 2003, as magnetic mirror descent has it with the magnet mu0 (Sokota et al.
    2023, arXiv 2206.05825). Its fixed point is that of ``Gibbs``, which it nears at the rate
    1 - step * alpha a round.
    """

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
        values = estimates(self.payoffs, self.counts)
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


def estimates(payoffs: Floats, counts: Ints) -> Floats:
    """Payoffs (K,), with the mean of the known ones where a prompt was never answered."""
    known = counts > 0
    return np.where(known, payoffs, payoffs[known].mean() if known.any() else 0.0)


def _plain(prompts: Any) -> list[Any]:
    return prompts.tolist() if isinstance(prompts, np.ndarray) else list(prompts)
