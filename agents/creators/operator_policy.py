"""A creator that learns how to rewrite: a policy over rewrite operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from agents.base import THREES, Logs
from agents.creators.ascent import gradient_step, mirror_step, policy_logs
from agents.creators.estimate import SignalCreator, average
from agents.creators.human import human_prompts
from agents.evolution.evolve import Lineage, mutate_all, operator_weights, publish
from eva_env.distributions import softmax
from eva_env.require import require
from eva_env.types import Floats, Proposal, Round, Task


class Draw(NamedTuple):
    """An operator that was drawn for a rewrite, and the result."""

    context: str
    """The policy that drew it."""
    operator: int
    """Its index among the task's operators."""
    rewrite: Any
    """The valid prompt that it made; None if it made none."""
    new: bool
    """Whether that prompt is published for the first time."""


@dataclass
class OperatorPolicy(SignalCreator):
    """A softmax over rewrite operators, trained on the payoffs of their rewrites.

    Every round it rewrites prompts that were answered last, drawn uniformly, by operators drawn
    from its policy pi(operator | context). A rewrite is paid the signal and a novelty bonus. An
    operator that does not apply, or makes an invalid prompt, is paid minus a penalty, and a
    human prompt fills the slot. J = E [payoff] - alpha KL(pi || uniform) is ascended by policy
    gradient with a leave-one-out baseline (Williams 1992), or by mirror ascent, which cannot
    get stuck at a vertex (see ``agents.creators.trained``).
    """

    grid = {"alpha": THREES, "step": THREES, "old_share": (0.5, 1.0, 2.0)}

    signal: str = "a_star_avg"
    """Payoff of a rewrite: a registered signal, or package.module.function or
    path/to/file.py:function for your own. payoff is what the game pays for the prompt."""

    context: Literal["none", "topic"] = "none"
    """One policy for all prompts, or one for each topic of the prompt to rewrite."""

    ascent: Literal["mirror", "gradient"] = "mirror"
    """Ascend the objective by mirror ascent or by policy gradient."""

    alpha: float = 0.1
    """Weight of KL(pi || uniform), in units of the payoff per nat."""

    step: float = 2.0
    """Step size, in nats per unit of payoff."""

    invalid_penalty: float = 0.1
    """Penalty of an operator that makes no valid prompt, in units of the signal."""

    novelty: float = 0.0
    """Bonus of a rewrite that is published for the first time, in units of the signal."""

    old_share: float = 0.2
    """Share of the round that is human prompts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[0, inf]", "alpha", "invalid_penalty", "novelty")
        require(self, "(0, inf]", "step")
        if self.ascent == "mirror" and not self.step * self.alpha < 1:
            raise ValueError(
                f"step * alpha must lie below 1, got {self.step} * {self.alpha}; lower step"
            )
        require(self, "[0, 1]", "old_share")
        self.logits: dict[str, Floats] = {}
        self.answered: list[Any] = []
        self.published: set[Any] = set()
        self.drawn: list[Draw] = []

    def check_task(self, task: Task) -> None:
        """Raise ValueError if the task has no operators."""
        operator_weights(task, None)

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish rewrites by operators drawn from the policy, and human prompts."""
        self.drawn, mix = [], []
        if self.answered:
            mix = self._rewrites(task, n - round(self.old_share * n), rng)
        mix += human_prompts(task, n - len(mix), rng, {lineage.prompt for lineage in mix})
        self.published.update(lineage.prompt for lineage in mix)
        return publish(mix)

    def _rewrites(self, task: Task, size: int, rng: np.random.Generator) -> list[Lineage]:
        """Make at most ``size`` distinct rewrites of answered prompts."""
        # 1. Draw the parents and, by the policy of each one's context, the operators.
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
        # 2. Rewrite all of them at once.
        children = mutate_all(task, parents, [names[k] for k in chosen], rng)
        # 3. Note the result of each draw, for ``learn``; keep one rewrite of each prompt.
        mix: dict[Any, Lineage] = {}
        for parent, context, k, child in zip(parents, contexts, chosen, children, strict=True):
            valid = child is not None and task.valid(child)
            new = valid and child not in self.published and child not in mix
            self.drawn.append(Draw(context, k, child if valid else None, new))
            if valid:
                mix.setdefault(child, Lineage(child, parent, names[k]))
        return list(mix.values())

    def references(self) -> list[Any]:
        """Return the prompts to rewrite: those that were answered last."""
        return self.answered

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Pay the operators and improve the policy.

        Logs entropy and KL in nats and the effective support, as means over draws; the share of
        draws without a valid prompt, and that of new prompts.
        """
        prompts, values = average(round.prompts, self.measure(round))
        self.answered = prompts
        signal = dict(zip(prompts, values.tolist(), strict=True))
        operators: dict[str, list[int]] = {}
        payoffs: dict[str, list[float]] = {}
        for draw in self.drawn:
            if draw.rewrite is None:
                payoff = -self.invalid_penalty
            elif draw.rewrite in signal:
                payoff = signal[draw.rewrite] + self.novelty * draw.new
            else:  # the game did not draw it
                continue
            operators.setdefault(draw.context, []).append(draw.operator)
            payoffs.setdefault(draw.context, []).append(payoff)
        for context, drawn in operators.items():
            self._improve(context, drawn, payoffs[context])
        logs = {"signal": float(values.mean())}
        if self.drawn:
            logits = np.stack([self.logits[draw.context] for draw in self.drawn])
            logs |= policy_logs(softmax(logits))
            logs["invalid"] = float(np.mean([draw.rewrite is None for draw in self.drawn]))
            logs["new"] = float(np.mean([draw.new for draw in self.drawn]))
        return logs

    def _improve(self, context: str, drawn: Sequence[int], payoffs: Sequence[float]) -> None:
        """Step the context's policy after operators ``drawn`` (B,) got payoffs (B,)."""
        logits, index, paid = self.logits[context], np.array(drawn), np.array(payoffs)
        if self.ascent == "gradient":
            self.logits[context] = gradient_step(logits, index, paid, self.step, self.alpha)
            return
        # Mean payoff by operator; that of all draws for an operator that was not drawn.
        counts = np.bincount(index, minlength=len(logits))
        means = np.bincount(index, paid, minlength=len(logits)) / np.maximum(counts, 1)
        values = np.where(counts > 0, means, paid.mean())
        self.logits[context] = mirror_step(logits, values, self.step, self.alpha)
