"""The conjecturer of the self-play theorem prover (STP)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Creator, Logs
from agents.creators.estimate import average, plain
from agents.creators.human import human_prompts
from agents.creators.selfplay import PASSING
from agents.evolution.evolve import Lineage, evolve, operator_weights, publish
from agents.evolution.similarity import similarities
from eva_env.require import require
from eva_env.signals import pass_rate
from eva_env.types import Floats, Proposal, Round, Task


@dataclass
class STP(Creator):
    """The self-play theorem prover's conjecturer (Dong and Ma 2025, arXiv 2502.00212).

    Seeds are prompts that the solver can do (pass rate above ``proved``). A rewrite of a seed
    is a conjecture. It is kept if it is barely solvable, 0 < p < ``below``, and not among the
    least elegant, those with the smallest ratio of the shortest passing response to the prompt.
    Each target that is still unsolved votes for the conjecture most similar to it; a conjecture
    counts by its votes, up to ``cap`` times the mean. The paper trains its conjecturer on the
    kept ones by maximum likelihood; here an operator is drawn as often as the kept ones were
    made by it. Use at least 5 responses to a prompt: of four, one that passes is a quarter.
    """

    grid = {"human_share": (0.5, 1.0, 1.5), "cap": (0.5, 1.0, 2.0)}

    passing: float = PASSING
    """Lowest reward of a response that passes."""

    proved: float = 0.35
    """Pass rate above which a prompt is a seed."""

    below: float = 0.25
    """Pass rate below which a conjecture is hard enough to be kept."""

    inelegant: float = 0.2
    """Share of the conjectures that is dropped: the least elegant."""

    cap: float = 4.0
    """Largest weight of a conjecture, in units of the mean weight."""

    per_seed: float = 0.1
    """Largest share of a round that descends from one seed."""

    human_share: float = 0.5
    """Share of a round that is human prompts: the targets."""

    smoothing: float = 1.0
    """Credit of every operator before its first conjecture is kept."""

    def __post_init__(self) -> None:
        require(self, "[0, 1]", "proved", "below", "inelegant", "human_share")
        require(self, "(0, 1]", "per_seed")
        require(self, "(0, inf]", "cap", "smoothing")
        self.seeds: dict[Any, None] = {}
        self.unsolved: dict[Any, None] = {}
        self.made: dict[Any, str] = {}
        self.credit: dict[str, float] = {}
        self.seen: set[Any] = set()

    @property
    def counts_passes(self) -> bool:
        """True: conjectures are kept by their pass rate."""
        return True

    def check_task(self, task: Task) -> None:
        """Raise ValueError if the task has no operators."""
        operator_weights(task, None)

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish conjectures rewritten from seeds, and human prompts."""
        quota, seeds = n - round(self.human_share * n), list(self.seeds)
        conjectures: list[Lineage] = []
        if seeds and quota:
            # 1. Spread the quota over the seeds, none of which gives more than its share.
            each = max(1, min(-(-quota // len(seeds)), int(self.per_seed * n)))
            count = min(len(seeds), -(-quota // each))
            parents = [seeds[i] for i in rng.choice(len(seeds), count, replace=False)]
            # 2. Rewrite them by operators drawn by credit.
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
        # 3. Human prompts, the targets, are the rest.
        self.made = {lineage.prompt: str(lineage.operator) for lineage in conjectures}
        mix = conjectures + human_prompts(task, n - len(conjectures), rng, self.made)
        self.seen.update(lineage.prompt for lineage in mix)
        return publish(mix)

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Update seeds and targets, keep conjectures, and credit their operators."""
        prompts, rates = average(round.prompts, pass_rate(round.rewards, self.passing))
        rate_of = dict(zip(prompts, rates.tolist(), strict=True))
        # 1. Move each prompt to the end of the seeds or the targets, or out of both.
        for prompt, rate in rate_of.items():
            self.seeds.pop(prompt, None)
            self.unsolved.pop(prompt, None)
            if rate > self.proved:
                self.seeds[prompt] = None
            if rate == 0:
                self.unsolved[prompt] = None
        # 2. Keep the conjectures that are barely solvable and elegant.
        barely = [p for p in self.made if 0 < rate_of.get(p, 0.0) < self.below]
        kept = self._elegant(barely, round)
        # 3. Credit their operators by the votes of the targets.
        targets = [prompt for prompt in self.unsolved if prompt not in self.made]
        weights = self._weights(kept, targets).tolist()
        for prompt, weight in zip(kept, weights, strict=True):
            name = self.made[prompt]
            self.credit[name] = self.credit.get(name, self.smoothing) + weight
        return {
            "kept": len(kept) / max(1, len(self.made)),
            "seeds": float(len(self.seeds)),
            "pass_rate": float(rates.mean()),
        }

    def _elegant(self, conjectures: list[Any], round: Round) -> list[Any]:
        """Drop the least elegant conjectures; keep the order of the others."""
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
        """Return the weight of each kept conjecture, (Q,), of mean 1 before the cap."""
        if not kept or not targets:
            return np.ones(len(kept))
        votes = similarities(targets, kept).argmax(1)
        weights = np.bincount(votes, minlength=len(kept)) * len(kept) / len(targets)
        return np.minimum(weights, self.cap)


def _size(text: Any) -> int:
    """Return the number of words of a text; an integer counts as one word."""
    return max(1, len(text.split())) if isinstance(text, str) else 1
