"""What the creators that train a policy over prompts share: the pool and its bookkeeping."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import THREES, Creator, Logs, Replay
from agents.creators.estimate import average, check_signal, measure, plain, with_logprobs
from agents.evolution.evolve import Lineage, evolve
from agents.evolution.selection import weighted
from eva_env.distributions import softmax
from eva_env.types import Floats, Ints, Proposal, Round, Task


@dataclass
class PromptPolicy(Creator):
    """What the trained creators share: the pool, its publication, and payoffs by prompt.

    In a finite task (one with ``trainable``) the pool is all prompts that may be published.
    Elsewhere it starts with human prompts; every round the least probable make room for
    rewrites of answered prompts, drawn from mu, which start with the logits and the estimates
    of their parents. A pool that fits into the proposal is published whole, with log mu as
    logits; of a larger one, prompts are drawn from mu without replacement and published alike,
    which shows the likely ones less often than mu would.
    """

    grid = {"alpha": THREES, "renew": (0.5, 1.0, 2.0)}

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
        """Running estimate by prompt of the pool; NaN where there is none."""
        self.counts: Ints = np.zeros(0, dtype=np.int64)

    @property
    def mu(self) -> Floats:
        """The policy, (K,) probabilities over the pool."""
        return softmax(self.logits)

    def observe_round(self, round: Round, replay: Replay, rng: np.random.Generator) -> Round:
        """The round as played, with log-probabilities where the signal reads them."""
        return with_logprobs(self.signal, round, replay)

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
        """Pay the prompts, improve mu; logs entropy and KL in nats, and effective support.

        Prompts that are not of the pool, a guard's or the game's, teach nothing.
        """
        values = measure(self.signal, round)
        places = [self.place.get(prompt, -1) for prompt in plain(round.prompts)]
        inside = np.array(places) >= 0
        logs = {"signal": float(values.mean())}
        if inside.any():
            drawn = np.array(places)[inside]
            logs["new"] = float((self.counts[drawn] == 0).mean())
            self._pay(drawn, values[inside])
        return logs | spread(self.mu[None])

    def _pay(self, drawn: Ints, values: Floats) -> None:
        """Update counts, estimates and mu after prompts (B,) of the pool were worth (B,)."""
        np.add.at(self.counts, drawn, 1)
        payoffs = values + self.novelty / np.sqrt(self.counts[drawn])
        places, paid = average(drawn.tolist(), payoffs)
        rate = np.where(self.counts[places] > np.bincount(drawn)[places], self.memory, 1.0)
        before = np.where(rate < 1, self.payoffs[places], 0.0)
        self.payoffs[places] = before + rate * (paid - before)
        self.improve(drawn, payoffs)

    def _fill(self, task: Task, size: int, rng: np.random.Generator) -> None:
        finite = getattr(task, "trainable", None)
        prompts = task.seed(size, rng) if finite is None else finite.tolist()
        self.prompts = [Lineage(prompt) for prompt in dict.fromkeys(prompts)]
        self.place = {one.prompt: i for i, one in enumerate(self.prompts)}
        self.logits = np.zeros(len(self.prompts))
        self.payoffs = np.full(len(self.prompts), np.nan)
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


def spread(policies: Floats) -> dict[str, float]:
    """Mean entropy and KL to uniform of policies (P, K), in nats, and exp(entropy)."""
    entropies = -(policies * np.log(np.maximum(policies, 1e-300))).sum(-1)
    entropy = float(entropies.mean())
    return {
        "creator_entropy": entropy,
        "creator_kl": float(np.log(policies.shape[-1])) - entropy,
        "effective_support": float(np.exp(entropy)),
    }
