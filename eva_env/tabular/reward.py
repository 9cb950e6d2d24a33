"""The reward model of a tabular world: a matrix, and noise if asked for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from eva_env.rewards.comparisons import Comparisons
from eva_env.rewards.noise import draws
from eva_env.rewards.noise import stream as stream
from eva_env.rewards.pairwise import sigmoid
from eva_env.types import Floats, Ints, Round


@dataclass(frozen=True, eq=False)
class TabularReward:
    """Looks rewards up in a matrix (K, M), and adds Gaussian noise where asked to.

    The noise is a pure function of ``seed``, the round ``index``, prompt and response, and of
    how often both have come before in the batch: see ``eva_env.rewards.noise.draws``. So
    forks and resumed runs see the same, and a second answer to the same batch, as in
    ``Eva.resample``, meets new noise wherever its responses are others. Ids are not checked
    here: the environments do.
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
        """Rewards (B, n) of the responses (B, n) to the prompts (B,)."""
        prompts = np.asarray(prompts)
        rewards = self.matrix[prompts[:, None], responses]
        if self.noise_std is None:
            return rewards
        noise = draws(self.seed, self.index, prompts, responses)
        return rewards + self.noise_std[prompts, None] * noise

    def best(self, prompts: Sequence[int] | Ints) -> Floats:
        """Highest mean reward (B,) attainable on each prompt."""
        return self._best[np.asarray(prompts)]

    def advance(self, round: Round) -> "TabularReward":
        """The next round's model: this one, unless noise has to be drawn afresh."""
        return self if self.noise_std is None else replace(self, index=round.index + 1)

    def refit(
        self, comparisons: Comparisons, tie: float, rng: np.random.Generator
    ) -> "TabularReward":
        """The model with the matrix that ``fit`` finds; nothing is drawn."""
        return replace(self, matrix=fit(self.matrix, comparisons, tie))

    @property
    def random(self) -> bool:
        """Whether the same response may get another reward."""
        return self.noise_std is not None

    @cached_property
    def _best(self) -> Floats:
        return self.matrix.max(-1)


def fit(matrix: Floats, comparisons: Comparisons, tie: float) -> Floats:
    """The table (K, M) that explains comparisons best, tied to the one that there is.

    With s = sharpness * rewards, the minimiser of
    sum_p log(1 + exp(s_rejected - s_chosen)) + tie / 2 * sum_cells (s - s_before)^2:
    Bradley & Terry (1952) with a Gaussian prior. Strongly convex, so that Nesterov's method
    with constant momentum finds it. Cells that nobody compared stay as they are.
    """
    size, sharpness = len(comparisons), comparisons.sharpness
    rows = np.asarray(comparisons.prompts) * matrix.shape[1]
    compared = np.concatenate([rows + comparisons.chosen, rows + comparisons.rejected])
    cells, place = np.unique(compared, return_inverse=True)
    up, down = place[:size], place[size:]
    before = sharpness * matrix.ravel()[cells]
    steepest = tie + np.bincount(place).max() / 2
    momentum = 1 - 2 / (1 + math.sqrt(steepest / tie))
    scores = ahead = before
    for _ in range(100_000):
        wrong = sigmoid(ahead[down] - ahead[up])
        pull = np.bincount(down, wrong, len(cells)) - np.bincount(up, wrong, len(cells))
        slope = pull + tie * (ahead - before)
        if np.abs(slope).max() < 1e-9:
            break
        scores, last = ahead - slope / steepest, scores
        ahead = scores + momentum * (scores - last)
    fitted = matrix.copy()
    fitted.ravel()[cells] = ahead / sharpness
    return fitted
