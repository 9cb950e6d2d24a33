"""Sampling for learnability."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Creator, Logs
from agents.creators.estimate import average
from agents.creators.human import human_prompts
from agents.creators.selfplay import PASSING
from agents.evolution.evolve import Lineage, publish
from agents.evolution.selection import greedy, share
from eva_env.signals import learnability, pass_rate
from eva_env.types import Proposal, Round, Task


@dataclass
class SFL(Creator):
    """Sampling for learnability: train on prompts that are solved sometimes.

    Rutherford et al. 2024, "No Regrets" (arXiv 2408.15099): prompts are drawn and scored by
    p (1 - p), p being the pass rate; the best of them make up a share of the training rounds
    until the next scoring, each once a round, new ones filling up where they are too few. The
    solver does not learn from scoring rounds, whose responses are spent all the same.
    """

    grid = {"keep": (0.5, 1.0, 2.0), "rho": (0.5, 1.0, 1.5)}

    distribution: str = "human"
    """Where prompts come from. "uniform" is privileged: a generator of all levels, which the
    paper has."""

    passing: float = PASSING
    """Reward from which a response passes."""

    scoring: int = 1
    """Rounds of scoring in a row."""

    training: int = 3
    """Rounds of training until the next scoring."""

    keep: float = 0.25
    """Share of the scored prompts that is kept, those of highest p (1 - p)."""

    rho: float = 0.5
    """Share of a training round that is kept prompts; the others are new."""

    def __post_init__(self) -> None:
        for name in ("scoring", "training"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("keep", "rho"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in (0, 1], got {getattr(self, name)}")
        self.step = 0
        self.scores: dict[Any, float] = {}
        self.kept: list[Any] = []

    @property
    def scores_now(self) -> bool:
        """Whether the coming, or current, round is one of scoring."""
        return self.step % (self.scoring + self.training) < self.scoring

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish n new prompts to score, or kept and new ones to train on."""
        kept: list[Lineage] = []
        if not self.scores_now:
            size = min(len(self.kept), round(self.rho * n))
            kept = [Lineage(self.kept[i]) for i in rng.choice(len(self.kept), size, False)]
        taken = {one.prompt for one in kept}
        return publish(kept + human_prompts(task, n - len(kept), rng, taken, self.distribution))

    def should_train_solver(self, round: Round) -> bool:
        """In training rounds."""
        return not self.scores_now

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Score the prompts, and keep the best when scoring ends."""
        prompts, values = average(round.prompts, learnability(round.rewards, self.passing))
        logs = {"learnability": float(values.mean()), "scoring": float(self.scores_now)}
        logs["pass_rate"] = float(pass_rate(round.rewards, self.passing).mean())
        if self.scores_now:
            self.scores |= dict(zip(prompts, values.tolist(), strict=True))
        self.step += 1
        if self.scores and not self.scores_now:
            pool, scored = list(self.scores), np.array(list(self.scores.values()))
            best = greedy(scored, max(1, share(self.keep, len(pool))), rng)
            self.kept, self.scores = [pool[i] for i in best], {}
        return logs
