"""Several reward models as one, so that errors which they do not share count for less."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from eva_env.rewards.base import advance
from eva_env.rewards.comparisons import Taught, refittable
from eva_env.rewards.noise import stream
from eva_env.types import Floats, RewardModel, Round


@dataclass(frozen=True)
class Ensemble(Taught):
    """The mean of its members' rewards, the least, or the mean less what they differ by.

    ``min`` is the worst-case optimisation of Coste et al. 2024 (arXiv 2310.02743), and
    ``mean_minus_spread`` their uncertainty-weighted one, but with the standard deviation over
    the members where they have the variance, so that the coefficient has no unit. ``over``
    binds members that there are; ``bootstrap`` makes them out of one model, whose errors they
    then share for the most part (Eisenstein et al. 2023, arXiv 2312.09244). Members that were
    fitted to comparisons apart differ by constants that mean nothing, a different one for each
    prompt: take those of one origin.
    """

    reduce: Literal["mean", "min", "mean_minus_spread"] = "min"
    """How the members' rewards become one."""
    coefficient: float = 1.0
    """Weight of the spread in ``mean_minus_spread``."""
    members: int = 4
    """Members that ``bootstrap`` makes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.coefficient < math.inf:
            raise ValueError(f"coefficient must not be negative, got {self.coefficient}")
        if self.members < 2:
            raise ValueError(f"members must be at least 2, got {self.members}")

    def over(self, base: Any) -> Self:
        """The ensemble of some models; ValueError for none."""
        if not len(base):
            raise ValueError("an ensemble needs a member at least")
        return self.changed(base=tuple(base))

    def bootstrap(
        self, base: RewardModel, gold: RewardModel, prompts: Sequence[Any], responses: Any
    ) -> Self:
        """The ensemble of ``members`` refits of a model, each on a resample of comparisons.

        ``gold`` judges the comparisons, of the (B, n) responses. ValueError for a base that
        cannot be refitted.
        """
        rng, model = stream(self.seed, *b"ensemble"), refittable(base)
        judged = self.ask(gold, prompts, responses, rng)
        resamples = rng.integers(len(judged), size=(self.members, len(judged)))
        return self.over([model.refit(judged.take(i), self.tie, rng) for i in resamples])

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Rewards (B, n)."""
        return self._reduced([model(prompts, responses) for model in self.base])

    def advance(self, round: Round) -> Self:
        """The next round's model, of the next round's members."""
        members = tuple(advance(model, round) for model in self.base)
        same = all(new is old for new, old in zip(members, self.base, strict=True))
        return self if same else self.changed(base=members)

    @property
    def matrix(self) -> Floats:
        """Mean rewards (K, M); unknown where noise is drawn anew, unless ``reduce`` is mean."""
        if self.reduce != "mean" and any(getattr(one, "random", False) for one in self.base):
            raise AttributeError("the mean of a minimum of noisy rewards is not known")
        return self._reduced([model.matrix for model in self.base])

    def _reduced(self, rewards: Sequence[Floats]) -> Floats:
        stacked = np.stack(rewards)
        if self.reduce == "min":
            return stacked.min(0)
        spread = self.coefficient * stacked.std(0) if self.reduce != "mean" else 0.0
        return stacked.mean(0) - spread
