"""Sampling for learnability (SFL)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Creator, Logs
from agents.creators.estimate import average
from agents.creators.human import human_prompts
from agents.creators.selfplay import PASSING
from agents.evolution.evolve import Lineage, publish
from agents.evolution.selection import greedy, share
from eva_env.require import require
from eva_env.signals import learnability, pass_rate
from eva_env.types import Proposal, Round, Task


@dataclass
class SFL(Creator):
    """Sampling for learnability: train on prompts that are solved sometimes.

    Rutherford et al. 2024, "No Regrets" (arXiv 2408.15099). Scoring rounds draw prompts and
    score them by p (1 - p), p being the pass rate. The best ones then make up a share of each
    training round, every prompt at most once a round, until the next scoring; new prompts are
    the rest. The solver does not learn from scoring rounds, whose responses are spent all the
    same.
    """

    grid = {"keep": (0.5, 1.0, 2.0), "rho": (0.5, 1.0, 1.5)}

    distribution: str = "human"
    """Distribution of the task to draw prompts from. "uniform" is privileged: a generator of
    all levels, which the paper has."""

    passing: float = PASSING
    """Lowest reward of a response that passes."""

    scoring: int = 1
    """Rounds of scoring in a row."""

    training: int = 3
    """Rounds of training until the next scoring."""

    keep: float = 0.25
    """Share of the scored prompts that is kept: those of highest p (1 - p)."""

    rho: float = 0.5
    """Share of a training round that is kept prompts; the others are new."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "scoring", "training")
        require(self, "(0, 1]", "keep", "rho")
        self.step = 0
        self.scores: dict[Any, float] = {}
        self.kept: list[Any] = []

    @property
    def scores_now(self) -> bool:
        """True if the current round, or the next one between rounds, is one of scoring."""
        return self.step % (self.scoring + self.training) < self.scoring

    @property
    def counts_passes(self) -> bool:
        """True: the score is made of pass rates."""
        return True

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish n new prompts to score, or kept and new ones to train on."""
        kept: list[Lineage] = []
        if not self.scores_now:
            size = min(len(self.kept), round(self.rho * n))
            kept = [Lineage(self.kept[i]) for i in rng.choice(len(self.kept), size, False)]
        taken = {lineage.prompt for lineage in kept}
        return publish(kept + human_prompts(task, n - len(kept), rng, taken, self.distribution))

    def should_train_solver(self, round: Round) -> bool:
        """Return True in training rounds."""
        return not self.scores_now

    def learn(self, round: Round, rng: np.random.Generator) -> Logs:
        """Score the prompts of a scoring round; keep the best when scoring ends."""
        prompts, values = average(round.prompts, learnability(round.rewards, self.passing))
        logs = {"learnability": float(values.mean()), "scoring": float(self.scores_now)}
        logs["pass_rate"] = float(pass_rate(round.rewards, self.passing).mean())
        if self.scores_now:
            self.scores |= dict(zip(prompts, values.tolist(), strict=True))
        self.step += 1
        if self.scores and not self.scores_now:
            pool, scores = list(self.scores), np.array(list(self.scores.values()))
            best = greedy(scores, max(1, share(self.keep, len(pool))), rng)
            self.kept, self.scores = [pool[i] for i in best], {}
        return logs
