"""The conjecturer of the self-play theorem prover."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Creator, Logs
from agents.creators.estimate import average, plain
from agents.creators.human import human_prompts
from agents.creators.selfplay import PASSING
from agents.evolution.evolve import Lineage, evolve, publish
from agents.evolution.similarity import similarities
from eva_env.signals import pass_rate
from eva_env.types import Floats, Proposal, Round, Task


@dataclass
class STP(Creator):
    """The self-play theorem prover's conjecturer (Dong and Ma 2025, arXiv 2502.00212).

    Seeds are prompts that the solver can do (pass rate above ``proved``). A rewrite of one, its
    conjecture, is kept if it is barely solvable, 0 < p < ``below``, and not among the least
    elegant: those whose shortest passing response is short for so long a prompt. The kept are
    weighed towards targets that are still unsolved, each of which votes for the conjecture most
    like it, up to ``cap`` times the mean. The paper trains its conjecturer on the kept by
    maximum likelihood; here the operators are drawn as often as the kept were made by them.
    Give prompts at least 5 responses: of four, one that passes is a quarter already.
    """

    grid = {"human_share": (0.5, 1.0, 1.5), "cap": (0.5, 1.0, 2.0)}

    passing: float = PASSING
    """Reward from which a response passes."""

    proved: float = 0.35
    """Pass rate above which a prompt is a seed."""

    below: float = 0.25
    """Pass rate below which a conjecture is hard enough."""

    inelegant: float = 0.2
    """Share of the conjectures, the least elegant, that is dropped."""

    cap: float = 4.0
    """Largest weight of a conjecture, in means."""

    per_seed: float = 0.1
    """Largest share of a round that descends from one seed."""

    human_share: float = 0.5
    """Share of a round that is human prompts: the targets."""

    smoothing: float = 1.0
    """Conjectures that every operator is credited with before the first one."""

    def __post_init__(self) -> None:
        for name in ("proved", "below", "inelegant", "per_seed", "human_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        for name in ("cap", "smoothing", "per_seed"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        self.seeds: dict[Any, None] = {}
        self.unsolved: dict[Any, None] = {}
        self.made: dict[Any, str] = {}
        self.credit: dict[str, float] = {}
        self.seen: set[Any] = set()

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish human prompts, and conjectures rewritten from seeds."""
        quota, seeds = n - round(self.human_share * n), list(self.seeds)
        conjectures: list[Lineage] = []
        if seeds and quota:
            each = max(1, min(-(-quota // len(seeds)), int(self.per_seed * n)))
            count = min(len(seeds), -(-quota // each))
            parents = [seeds[i] for i in rng.choice(len(seeds), count, replace=False)]
            weights = {name: self.credit.get(name, self.smoothing) for name in task.operators}
            conjectures = evolve(
                task,
                parents,
                each,
                rng,
                sequential=False,
                taken=self.seen,
                operators=weights,
            )[:quota]
        self.made = {one.prompt: str(one.operator) for one in conjectures}
        mix = conjectures + human_prompts(task, n - len(conjectures), rng, self.made)
        self.seen.update(one.prompt for one in mix)
        return publish(mix)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Renew seeds and targets, keep conjectures, and credit their operators."""
        prompts, rates = average(round.prompts, pass_rate(round.rewards, self.passing))
        for prompt, rate in zip(prompts, rates.tolist(), strict=True):
            for shelf, fits in ((self.seeds, rate > self.proved), (self.unsolved, rate == 0)):
                shelf.pop(prompt, None)
                if fits:
                    shelf[prompt] = None
        rate = dict(zip(prompts, rates.tolist(), strict=True))
        barely = [p for p in self.made if 0 < rate.get(p, 0.0) < self.below]
        kept = self._elegant(barely, round)
        targets = [prompt for prompt in self.unsolved if prompt not in self.made]
        for prompt, weight in zip(kept, self._weights(kept, targets).tolist(), strict=True):
            name = self.made[prompt]
            self.credit[name] = self.credit.get(name, self.smoothing) + weight
        return {
            "kept": len(kept) / max(1, len(self.made)),
            "seeds": float(len(self.seeds)),
            "pass_rate": float(rates.mean()),
        }

    def _elegant(self, conjectures: list[Any], round: Round) -> list[Any]:
        """The conjectures without the least elegant, in order."""
        shortest: dict[Any, float] = {}
        for i, prompt in enumerate(plain(round.prompts)):
            for response, reward in zip(round.responses[i], round.rewards[i], strict=True):
                if reward >= self.passing:
                    ratio = _size(response) / _size(prompt)
                    shortest[prompt] = min(ratio, shortest.get(prompt, np.inf))
        ratios = np.array([shortest[prompt] for prompt in conjectures])
        dropped = set(np.argsort(ratios, kind="stable")[: int(self.inelegant * len(ratios))])
        return [prompt for i, prompt in enumerate(conjectures) if i not in dropped]

    def _weights(self, kept: list[Any], targets: list[Any]) -> Floats:
        """How much each kept conjecture counts, (Q,), of mean 1 before the cap."""
        if not kept or not targets:
            return np.ones(len(kept))
        votes = similarities(targets, kept).argmax(1)
        weights = np.bincount(votes, minlength=len(kept)) * len(kept) / len(targets)
        return np.minimum(weights, self.cap)


def _size(text: Any) -> int:
    """Words of a text; an integer is one."""
    return max(1, len(text.split())) if isinstance(text, str) else 1
