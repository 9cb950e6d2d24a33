"""Comparisons by a noisy judge, and reward models that are fitted to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from eva_env.require import require
from eva_env.rewards.base import Wrapper, base_rewards
from eva_env.rewards.pairwise import sigmoid
from eva_env.types import Ints, RewardModel, offers


@dataclass(frozen=True, slots=True)
class Comparisons:
    """P pairs of responses to the same prompt; a judge preferred one of each pair."""

    prompts: Sequence[Any]
    chosen: Sequence[Any]
    rejected: Sequence[Any]
    sharpness: float
    """Nats by which a unit of gold reward moves the judge's choice."""

    def __len__(self) -> int:
        return len(self.prompts)

    def take(self, index: Ints) -> "Comparisons":
        """Return the comparisons at the index, in its order."""
        prompts, chosen, rejected = (
            [column[i] for i in index.tolist()]
            for column in (self.prompts, self.chosen, self.rejected)
        )
        return Comparisons(prompts, chosen, rejected, self.sharpness)


class Refittable(RewardModel, Protocol):
    """A reward model that can be fitted to comparisons."""

    def refit(self, comparisons: Comparisons, tie: float, rng: np.random.Generator) -> Self:
        """Return a new model, fitted to comparisons by Bradley-Terry; this one stays unchanged.

        ``tie`` weighs the squared change of the compared rewards, in nats^2, against the
        log-likelihood of a comparison.
        """
        ...


def refittable(model: RewardModel) -> Refittable:
    """Return the model; raise ValueError if it cannot be refitted."""
    if not offers(model, Refittable):
        raise ValueError(
            f"{type(model).__name__} has no method refit to learn from comparisons; use a "
            f"learned reward, such as reward 'proxy'"
        )
    return model


@dataclass(frozen=True)
class Fitted(Wrapper):
    """A reward model that is fitted to comparisons; its fields set up the judge and the fit."""

    comparisons: int = 1024
    """Most comparisons that the judge makes for a fit."""
    sharpness: float = 20.0
    """Reliability of the judge: nats by which a unit of gold reward moves its choice. The judge
    of the shipped proxy has the same."""
    tie: float = 0.1
    """Pull towards the rewards before the fit: weight of their squared change, in nats^2."""
    seed: int = 0
    """Seed of the judge and the fit. It is separate from the run's seed, so all runs have the
    same judge."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "comparisons")
        require(self, "(0, inf)", "sharpness", "tie")
        require(self, "[0, inf)", "seed")

    def draw_comparisons(
        self,
        gold: RewardModel,
        prompts: Sequence[Any],
        responses: Any,
        rng: np.random.Generator,
    ) -> Comparisons:
        """Let the judge compare at most ``comparisons`` pairs of the (B, n) responses.

        Pairs of different responses to a prompt are drawn without replacement. Bradley-Terry:
        the judge prefers i to j with probability sigmoid(sharpness * (gold_i - gold_j)).
        """
        # 1. Number the pairs i < j of each row, and keep those of different responses that the
        #    judge can score.
        table, judged = np.asarray(responses), base_rewards(gold, prompts, responses)
        i, j = np.triu_indices(table.shape[1], k=1)
        scored = ~np.isnan(judged[:, i] + judged[:, j])
        different = np.flatnonzero(((table[:, i] != table[:, j]) & scored).ravel())
        # 2. Draw some; a number is the row times the pairs in a row, plus the pair.
        size = min(self.comparisons, len(different))
        row, pair = np.divmod(rng.choice(different, size, replace=False), len(i))
        i, j = i[pair], j[pair]
        # 3. Judge them.
        first = rng.random(size) < sigmoid(self.sharpness * (judged[row, i] - judged[row, j]))
        chosen, rejected = np.where(first, i, j), np.where(first, j, i)
        return Comparisons(
            [prompts[k] for k in row.tolist()],
            table[row, chosen].tolist(),
            table[row, rejected].tolist(),
            self.sharpness,
        )
