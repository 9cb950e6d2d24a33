"""Several reward models as one, which is robust to errors that the models do not share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from eva_env.require import require
from eva_env.rewards.base import advance, base_rewards
from eva_env.rewards.comparisons import Fitted, refittable
from eva_env.rewards.noise import stream
from eva_env.types import DeclaresNoise, Floats, RewardModel, Round, offers


@dataclass(frozen=True)
class Ensemble(Fitted):
    """The mean of the members' rewards, their minimum, or their mean minus their spread.

    ``min`` is the worst-case optimisation of Coste et al. 2024 (arXiv 2310.02743), and
    ``mean_minus_spread`` their uncertainty-weighted one. They subtract the variance over the
    members; here it is the standard deviation, so that the coefficient has no unit.

    ``over`` takes existing members. ``bootstrap`` makes members from one model; these share
    most of its errors (Eisenstein et al. 2023, arXiv 2312.09244). Members that were fitted to
    comparisons independently differ by an arbitrary constant for each prompt, so use members of
    one origin.
    """

    reduce: Literal["mean", "min", "mean_minus_spread"] = "min"
    """Reduction of the members' rewards to one reward."""
    coefficient: float = 1.0
    """Weight of the spread in ``mean_minus_spread``."""
    members: int = 4
    """Members that ``bootstrap`` makes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[0, inf)", "coefficient")
        require(self, "[2, inf)", "members")

    def over(self, base: Any) -> Self:
        """Return the ensemble of the models in ``base``; ValueError if there is none."""
        if not len(base):
            raise ValueError("an ensemble needs at least one member, got none")
        return self.changed(base=tuple(base))

    def bootstrap(
        self, base: RewardModel, gold: RewardModel, prompts: Sequence[Any], responses: Any
    ) -> Self:
        """Return the ensemble of ``members`` refits of a base, on resampled comparisons.

        ``gold`` judges the comparisons of the (B, n) responses. Raises ValueError for a base
        that cannot be refitted.
        """
        rng, model = stream(self.seed, *b"ensemble"), refittable(base)
        comparisons = self.draw_comparisons(gold, prompts, responses, rng)
        size = len(comparisons)
        resamples = rng.integers(size, size=(self.members, size))
        return self.over([model.refit(comparisons.take(i), self.tie, rng) for i in resamples])

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the rewards (B, n)."""
        return self._reduced([base_rewards(model, prompts, responses) for model in self.base])

    def advance(self, round: Round) -> Self:
        """Return the next round's model: the ensemble of the members' next models."""
        members = tuple(advance(model, round) for model in self.base)
        same = all(new is old for new, old in zip(members, self.base, strict=True))
        return self if same else self.changed(base=members)

    @property
    def matrix(self) -> Floats:
        """Mean rewards (K, M); unknown where noise is redrawn, unless ``reduce`` is mean."""
        noisy = any(offers(model, DeclaresNoise) and model.random for model in self.base)
        if noisy and self.reduce != "mean":
            raise AttributeError("the mean of a minimum of noisy rewards is unknown")
        return self._reduced([model.matrix for model in self.base])

    def _reduced(self, rewards: Sequence[Floats]) -> Floats:
        stacked = np.stack(rewards)
        if self.reduce == "min":
            return stacked.min(0)
        if self.reduce == "mean":
            return stacked.mean(0)
        return stacked.mean(0) - self.coefficient * stacked.std(0)
