"""Comparisons by a noisy judge, from which reward models learn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from eva_env.rewards.base import Wrapper
from eva_env.rewards.pairwise import sigmoid
from eva_env.types import Floats, Ints, RewardModel


@dataclass(frozen=True, slots=True)
class Comparisons:
    """P pairs of responses to the same prompt, one of which a judge has preferred."""

    prompts: Sequence[Any]
    chosen: Sequence[Any]
    rejected: Sequence[Any]
    sharpness: float
    """Nats by which the judge's choice depends on a unit of gold reward."""

    def __len__(self) -> int:
        return len(self.prompts)

    def take(self, index: Ints) -> "Comparisons":
        """Some of them, in the order of the index."""
        prompts, chosen, rejected = (
            [column[i] for i in index.tolist()]
            for column in (self.prompts, self.chosen, self.rejected)
        )
        return Comparisons(prompts, chosen, rejected, self.sharpness)


class Refittable(Protocol):
    """A reward model that learns from comparisons."""

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Rewards (B, n)."""
        ...

    def refit(self, comparisons: Comparisons, tie: float, rng: np.random.Generator) -> Self:
        """A new model, fitted to comparisons by Bradley-Terry; this one is left as it is.

        ``tie`` weighs the squared change of the compared rewards, in nats^2, against the
        log-likelihood of a comparison.
        """
        ...


def refittable(model: RewardModel) -> Refittable:
    """The model itself; ValueError if it cannot be refitted."""
    if not hasattr(model, "refit"):
        raise ValueError(
            f"{type(model).__name__} has no method refit to learn from comparisons by; give a "
            f"learned reward, which reward 'proxy' is"
        )
    return model  # type: ignore[return-value]


@dataclass(frozen=True)
class Taught(Wrapper):
    """A reward model that is fitted to comparisons; the settings of judge and fit."""

    comparisons: int = 1024
    """Comparisons that the judge makes for a fit, or as many as there are."""
    sharpness: float = 20.0
    """How reliably the judge prefers the better response, in nats per unit of gold reward; the
    label noise. The shipped proxy's judge has the same."""
    tie: float = 0.1
    """Pull towards the rewards before the fit: weight of their squared change, in nats^2."""
    seed: int = 0
    """Seed of the judge and the fit; runs of other seeds meet the same judge."""

    def __post_init__(self) -> None:
        if self.comparisons < 1:
            raise ValueError(f"comparisons must be at least 1, got {self.comparisons}")
        for name in ("sharpness", "tie"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")

    def ask(
        self,
        gold: RewardModel,
        prompts: Sequence[Any],
        responses: Any,
        rng: np.random.Generator,
    ) -> Comparisons:
        """Let the judge compare some pairs among the (B, n) responses.

        Pairs are drawn without replacement from those of different responses. Bradley-Terry:
        i is preferred to j with probability sigmoid(sharpness * (gold_i - gold_j)).
        """
        table = np.asarray(responses)
        i, j = np.triu_indices(table.shape[1], k=1)
        different = np.flatnonzero((table[:, i] != table[:, j]).ravel())
        size = min(self.comparisons, len(different))
        row, pair = np.divmod(rng.choice(different, size, replace=False), len(i))
        i, j, judged = i[pair], j[pair], np.asarray(gold(prompts, responses))
        first = rng.random(size) < sigmoid(self.sharpness * (judged[row, i] - judged[row, j]))
        chosen, rejected = np.where(first, i, j), np.where(first, j, i)
        return Comparisons(
            [prompts[k] for k in row.tolist()],
            table[row, chosen].tolist(),
            table[row, rejected].tolist(),
            self.sharpness,
        )
