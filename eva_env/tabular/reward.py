"""The reward model of a tabular world: a matrix, and optional noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from eva_env.rewards.comparisons import Comparisons
from eva_env.rewards.noise import draws
from eva_env.rewards.pairwise import sigmoid
from eva_env.types import Floats, Ints, Round


@dataclass(frozen=True, eq=False)
class TabularReward:
    """Looks up rewards in a matrix (K, M) and adds Gaussian noise if ``noise_std`` is set.

    The noise is a pure function of ``seed``, the round ``index``, prompt and response, and of
    how often the pair has occurred before in the batch: see ``eva_env.rewards.noise.draws``.
    So forks and resumed runs see the same noise. A second set of responses to a batch, as in
    ``Eva.resample``, gets new noise where its responses differ. The environments, not this
    class, check that ids are in range.
    """

    matrix: Floats
    """Mean rewards (K, M)."""

    noise_std: Floats | None = None
    """Standard deviation (K,) by prompt; None for no noise."""

    seed: int = 0
    """Seed of the noise."""

    index: int = 0
    """The round that the noise belongs to."""

    def __call__(self, prompts: Sequence[int] | Ints, responses: Any) -> Floats:
        """Return the rewards (B, n) of the responses (B, n) to the prompts (B,)."""
        prompts = np.asarray(prompts)
        rewards = self.matrix[prompts[:, None], responses]
        if self.noise_std is None:
            return rewards
        noise = draws(self.seed, self.index, prompts, responses)
        return rewards + self.noise_std[prompts, None] * noise

    def best(self, prompts: Sequence[int] | Ints) -> Floats:
        """Return the highest mean reward (B,) attainable on each prompt."""
        return self._best[np.asarray(prompts)]

    def advance(self, round: Round) -> "TabularReward":
        """Return the next round's model: with new noise, or itself if it has no noise."""
        return self if self.noise_std is None else replace(self, index=round.index + 1)

    def refit(
        self, comparisons: Comparisons, tie: float, rng: np.random.Generator
    ) -> "TabularReward":
        """Return the model with the matrix that ``fit`` finds; ``rng`` is not used."""
        return replace(self, matrix=fit(self.matrix, comparisons, tie))

    @property
    def random(self) -> bool:
        """True if the same response may get different rewards."""
        return self.noise_std is not None

    @cached_property
    def _best(self) -> Floats:
        return self.matrix.max(-1)


def fit(matrix: Floats, comparisons: Comparisons, tie: float) -> Floats:
    """Return the table (K, M) that best explains the comparisons, tied to ``matrix``.

    With s = sharpness * rewards, it minimises
    sum_p log(1 + exp(s_rejected - s_chosen)) + tie / 2 * sum_entries (s - s_before)^2:
    Bradley & Terry (1952) with a Gaussian prior. Entries that were not compared keep their
    value.
    """
    size, sharpness = len(comparisons), comparisons.sharpness

    # 1. Gather the compared entries of the table; only they change.
    rows = np.asarray(comparisons.prompts) * matrix.shape[1]
    compared = np.concatenate([rows + comparisons.chosen, rows + comparisons.rejected])
    entries, place = np.unique(compared, return_inverse=True)
    chosen, rejected = place[:size], place[size:]
    before = sharpness * matrix.ravel()[entries]

    # 2. Nesterov's method with constant momentum: the objective is strongly convex (``tie``),
    #    and its curvature is at most tie plus half the number of comparisons of an entry.
    steepest = tie + np.bincount(place).max() / 2
    momentum = 1 - 2 / (1 + math.sqrt(steepest / tie))
    scores = ahead = before
    for _ in range(100_000):
        wrong = sigmoid(ahead[rejected] - ahead[chosen])
        pull = np.bincount(rejected, wrong, len(entries)) - np.bincount(
            chosen, wrong, len(entries)
        )
        slope = pull + tie * (ahead - before)
        if np.abs(slope).max() < 1e-9:
            break
        scores, last = ahead - slope / steepest, scores
        ahead = scores + momentum * (scores - last)

    # 3. Write the scores back in units of reward.
    fitted = matrix.copy()
    fitted.ravel()[entries] = ahead / sharpness
    return fitted
