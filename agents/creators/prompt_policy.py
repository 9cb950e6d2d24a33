"""The base of the creators that train a policy over prompts: the pool and its bookkeeping."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import THREES, Logs
from agents.creators.ascent import policy_logs
from agents.creators.estimate import SignalCreator, average, plain
from agents.evolution.evolve import Lineage, evolve, operator_weights
from agents.evolution.selection import weighted
from eva_env.distributions import softmax
from eva_env.require import require
from eva_env.types import Enumerable, Floats, Ints, Proposal, Round, Task, offers


@dataclass
class PromptPolicy(SignalCreator):
    """A policy mu over a pool of prompts, its publication, and the payoff of each prompt.

    In a finite task (``eva_env.types.Enumerable``) the pool is all prompts that may be
    published. In another task it starts with human prompts. Every round, rewrites of answered
    prompts, drawn from mu, then replace the least probable prompts; they start with the logits
    and the estimates of their parents. A pool that fits into the proposal is published whole,
    with log mu as logits. From a larger pool, prompts are drawn from mu without replacement and
    published with equal logits, which shows the likely ones less often than mu would.
    """

    grid = {"alpha": THREES, "renew": (0.5, 1.0, 2.0)}

    signal: str = "a_star_avg"
    """Payoff of a prompt: a registered signal, or package.module.function or
    path/to/file.py:function for your own. payoff is what the game pays for the prompt."""

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
    """Share of that pool that rewrites replace every round."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[0, inf]", "alpha", "novelty")
        require(self, "[1, inf)", "pool")
        require(self, "(0, 1]", "memory")
        require(self, "[0, 1)", "renew")
        self.prompts: list[Lineage] = []
        self.place: dict[Any, int] = {}
        self.logits: Floats = np.zeros(0)
        self.payoffs: Floats = np.zeros(0)
        """Running estimate of each prompt of the pool; NaN before its first payoff."""
        self.counts: Ints = np.zeros(0, dtype=np.int64)

    @property
    def mu(self) -> Floats:
        """The policy: (K,) probabilities over the pool."""
        return softmax(self.logits)

    def check_task(self, task: Task) -> None:
        """Raise ValueError if the task is not finite and has no operators."""
        if not offers(task, Enumerable):
            operator_weights(task, None)

    @abstractmethod
    def improve(self, drawn: Ints, payoffs: Floats) -> None:
        """Change ``logits`` after the prompts ``drawn`` (B,) of the pool got payoffs (B,)."""

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish the pool with log mu, or n prompts drawn from mu."""
        if not self.prompts:
            self._fill(task, max(n, self.pool), rng)
        elif not offers(task, Enumerable) and self.counts.any():
            self._renew(task, rng)
        log_mu, chosen = np.log(np.maximum(self.mu, 1e-300)), np.arange(len(self.prompts))
        if len(self.prompts) > n:
            chosen = weighted(log_mu, n, rng)
            log_mu = np.zeros(len(log_mu))
        published = [self.prompts[i] for i in chosen]
        return Proposal(
            prompts=tuple(lineage.prompt for lineage in published),
            logits=log_mu[chosen],
            parents=tuple(lineage.parent for lineage in published),
            operators=tuple(lineage.operator for lineage in published),
        )

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Pay the prompts and improve mu; log entropy and KL in nats, and effective support.

        Prompts outside the pool, which a guard or the game has put in, are ignored.
        """
        values = self.measure(round)
        places = np.array([self.place.get(prompt, -1) for prompt in plain(round.prompts)])
        inside = places >= 0
        logs = {"signal": float(values.mean())}
        if inside.any():
            drawn = places[inside]
            logs["new"] = float((self.counts[drawn] == 0).mean())
            self._pay(drawn, values[inside])
        return logs | policy_logs(self.mu[None])

    def _pay(self, drawn: Ints, values: Floats) -> None:
        """Update counts, estimates and mu by the values (B,) of prompts ``drawn`` (B,)."""
        np.add.at(self.counts, drawn, 1)
        payoffs = values + self.novelty / np.sqrt(self.counts[drawn])
        places, paid = average(drawn.tolist(), payoffs)
        answered_before = self.counts[places] > np.bincount(drawn)[places]
        rate = np.where(answered_before, self.memory, 1.0)
        before = np.where(rate < 1, self.payoffs[places], 0.0)
        self.payoffs[places] = before + rate * (paid - before)
        self.improve(drawn, payoffs)

    def _fill(self, task: Task, size: int, rng: np.random.Generator) -> None:
        """Start the pool: all prompts of a finite task, else human ones."""
        prompts = _all_prompts(task) or task.seed(size, rng)
        self.prompts = [Lineage(prompt) for prompt in dict.fromkeys(prompts)]
        self.place = {lineage.prompt: i for i, lineage in enumerate(self.prompts)}
        self.logits = np.zeros(len(self.prompts))
        self.payoffs = np.full(len(self.prompts), np.nan)
        self.counts = np.zeros(len(self.prompts), dtype=np.int64)

    def _renew(self, task: Task, rng: np.random.Generator) -> None:
        """Replace the least probable prompts by rewrites of answered ones drawn from mu."""
        size = int(self.renew * len(self.prompts))
        mu = softmax(np.where(self.counts > 0, self.logits, -np.inf))
        parents = [self.prompts[i].prompt for i in rng.choice(len(mu), size, p=mu)]
        children = evolve(task, parents, 1, rng, taken=self.place)
        new = {child.prompt: child for child in children if child.prompt not in self.place}
        places = np.argsort(self.logits, kind="stable")[: len(new)]
        parent_places = [self.place[child.parent] for child in new.values()]
        # Read the parents' values first: a parent may lose its place to a rewrite.
        logits, payoffs = self.logits[parent_places], self.payoffs[parent_places]
        for place, child in zip(places, new.values(), strict=True):
            del self.place[self.prompts[place].prompt]
            self.prompts[place], self.place[child.prompt] = child, int(place)
        self.logits[places], self.payoffs[places], self.counts[places] = logits, payoffs, 0


def _all_prompts(task: Task) -> list[Any]:
    """Return all prompts of a finite task; none for another."""
    return task.trainable.tolist() if offers(task, Enumerable) else []
