"""A creator that learns how to rewrite: a policy over edit operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from agents.base import THREES, Creator, Logs, Replay
from agents.creators.estimate import average, check_signal, measure, with_logprobs
from agents.creators.human import human_prompts
from agents.creators.prompt_policy import spread
from agents.creators.trained import kl_gradient, reinforce
from agents.evolution.evolve import Lineage, mutate_all, publish
from eva_env.distributions import softmax
from eva_env.types import Floats, Proposal, Round, Task


@dataclass
class OperatorPolicy(Creator):
    """A softmax over edit operators, trained on what their rewrites are paid.

    Every round it rewrites prompts that were answered last, drawn evenly, by operators drawn
    from its policy pi(operator | context). A rewrite is paid the signal and a novelty bonus; an
    operator that does not apply, or gives an invalid prompt, is paid minus a penalty, and a
    human prompt takes the place. J = E [payoff] - alpha KL(pi || uniform) is ascended by policy
    gradient with a leave-one-out baseline (Williams 1992), or by mirror ascent, which cannot
    get stuck at a vertex (see ``agents.creators.trained``).
    """

    grid = {"alpha": THREES, "step": THREES, "old_share": (0.5, 1.0, 2.0)}

    signal: str = "a_star_avg"
    """What a rewrite is paid for: a name in ``eva_env.signals``, or ``payoff``."""

    context: Literal["none", "topic"] = "none"
    """One policy, or one for each topic of the prompt to rewrite."""

    ascent: Literal["mirror", "gradient"] = "mirror"
    """How J is ascended."""

    alpha: float = 0.1
    """Weight of KL(pi || uniform), in units of the payoff per nat."""

    step: float = 2.0
    """Step size, in nats per unit of payoff."""

    invalid_penalty: float = 0.1
    """What an operator that gives no valid prompt pays, in units of the signal."""

    novelty: float = 0.0
    """Bonus of a rewrite that was never published before, in units of the signal."""

    old_share: float = 0.2
    """Share of the round that is human prompts."""

    def __post_init__(self) -> None:
        check_signal(self.signal)
        for name in ("alpha", "invalid_penalty", "novelty"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not self.step > 0:
            raise ValueError(f"step must be positive, got {self.step}")
        if self.ascent == "mirror" and not self.step * self.alpha < 1:
            raise ValueError(
                f"step * alpha must lie below 1, got {self.step} * {self.alpha}; lower step"
            )
        if not 0 <= self.old_share <= 1:
            raise ValueError(f"old_share must lie in [0, 1], got {self.old_share}")
        self.logits: dict[str, Floats] = {}
        self.answered: list[Any] = []
        self.published: set[Any] = set()
        self.drawn: list[tuple[str, int, Any, bool]] = []
        """Of each draw context, operator, rewrite (None if it failed), whether it is new."""

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish human prompts, and rewrites by operators drawn from the policy."""
        self.drawn, mix = [], []
        if self.answered:
            mix = self._rewrites(task, n - round(self.old_share * n), rng)
        mix += human_prompts(task, n - len(mix), rng, {one.prompt for one in mix})
        self.published.update(one.prompt for one in mix)
        return publish(mix)

    def _rewrites(self, task: Task, size: int, rng: np.random.Generator) -> list[Lineage]:
        """At most ``size`` distinct rewrites of answered prompts."""
        pool = self.references()
        parents = [pool[i] for i in rng.integers(len(pool), size=size)]
        contexts = [task.topic(p) if self.context == "topic" else "" for p in parents]
        names, uniforms = list(task.operators), rng.random(size)
        for context in set(contexts) - set(self.logits):
            self.logits[context] = np.zeros(len(names))
        cdf = {context: softmax(logits).cumsum() for context, logits in self.logits.items()}
        chosen = [
            min(int(cdf[context].searchsorted(u, "right")), len(names) - 1)
            for context, u in zip(contexts, uniforms, strict=True)
        ]
        children = mutate_all(task, parents, [names[k] for k in chosen], rng)
        mix: dict[Any, Lineage] = {}
        for parent, context, k, child in zip(parents, contexts, chosen, children, strict=True):
            fine = child is not None and task.valid(child)
            new = fine and child not in self.published and child not in mix
            self.drawn.append((context, k, child if fine else None, new))
            if fine:
                mix.setdefault(child, Lineage(child, parent, names[k]))
        return list(mix.values())

    def references(self) -> list[Any]:
        """What is rewritten: the prompts that were answered last."""
        return self.answered

    def observe_round(self, round: Round, replay: Replay, rng: np.random.Generator) -> Round:
        """The round as played, with log-probabilities where the signal reads them."""
        return with_logprobs(self.signal, round, replay)

    def measure(self, round: Round) -> Floats:
        """What each prompt of a round is paid, (B,)."""
        return measure(self.signal, round)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Pay the operators and improve the policy.

        Logs entropy and KL in nats and the effective support, as means over draws, the share
        of draws that gave no valid prompt, and that of new prompts.
        """
        prompts, values = average(round.prompts, self.measure(round))
        self.answered = prompts
        signal = dict(zip(prompts, values.tolist(), strict=True))
        paid: dict[str, list[tuple[int, float]]] = {}
        for context, k, child, new in self.drawn:
            if child is None:
                paid.setdefault(context, []).append((k, -self.invalid_penalty))
            elif child in signal:
                paid.setdefault(context, []).append((k, signal[child] + self.novelty * new))
        for context, pairs in paid.items():
            self._improve(context, *zip(*pairs, strict=True))
        logs = {"signal": float(values.mean())}
        if self.drawn:
            logs |= spread(softmax(np.stack([self.logits[draw[0]] for draw in self.drawn])))
            logs["invalid"] = float(np.mean([draw[2] is None for draw in self.drawn]))
            logs["new"] = float(np.mean([draw[3] for draw in self.drawn]))
        return logs

    def _improve(self, context: str, drawn: Sequence[int], payoffs: Sequence[float]) -> None:
        """One step of the context's policy after operators were drawn and paid, (B,) each."""
        logits, paid = self.logits[context], np.array(payoffs)
        mu, index = softmax(logits), np.array(drawn)
        if self.ascent == "gradient":
            gradient = reinforce(mu, index, paid) - self.alpha * kl_gradient(mu)
            self.logits[context] = logits + self.step * gradient
            return
        counts = np.bincount(index, minlength=len(mu))
        means = np.bincount(index, paid, minlength=len(mu)) / np.maximum(counts, 1)
        values = np.where(counts > 0, means, paid.mean())
        log_mu = logits - logits.mean()
        self.logits[context] = (1 - self.step * self.alpha) * log_mu + self.step * values
