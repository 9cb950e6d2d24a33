"""The true regret game between a creator and the solvers of a class."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from eva_env import distributions
from eva_env.tabular import exact
from eva_env.tabular.world import TabularWorld
from eva_env.types import Floats, Ints

LEAST = 1e-300
"""Least probability of a response under the reference; below it logarithms end."""


@dataclass(frozen=True, eq=False)
class RegretGame:
    """The creator maximises E_mu Reg_beta(x; pi) by mu over ``prompts``, the solver minimises.

    What the solver maximises, E_mu V_beta, differs from minus that by a term without pi: both
    games have the same best responses, equilibria and NashConv. Its class is all tables pi
    (K, M) with one law for each cell of prompts; with ``features``, those of them that
    softmax(log reference + features @ theta) reaches. Made by ``of`` and ``of_world``.
    """

    rewards: Floats
    """r (K, M), which regret is of."""

    reference: Floats
    """pi_ref (K, M), positive, the same within a cell."""

    information_set: Ints
    """Cell 0 ... C-1 of each prompt, (K,)."""

    prompts: Ints
    """What the creator may publish, (P,), increasing."""

    offset: Floats
    """c (K,) of the payoff c - V_beta(x; pi): V*_beta, which makes it the regret."""

    beta: float
    """Units of reward per nat of KL(pi || pi_ref)."""

    features: Floats | None
    """(K, d) of a low-rank solver; None for all tables that the cells allow."""

    @classmethod
    def of(
        cls,
        rewards: ArrayLike,
        reference: Floats | None = None,
        information_set: ArrayLike | None = None,
        prompts: ArrayLike | None = None,
        beta: float = 0.0,
        features: Floats | None = None,
    ) -> Self:
        """The game on a matrix of rewards.

        By default the reference is uniform, every prompt its own cell, which any labels (K,)
        may name, and all may be published. ValueError for a reference with zeros or that
        differs within a cell, and for prompts out of range.
        """
        matrix = np.asarray(rewards, dtype=np.float64)
        size, responses = matrix.shape
        law = np.full(matrix.shape, 1 / responses) if reference is None else reference
        if not (law > 0).all():
            raise ValueError("reference must be positive everywhere")
        labels = np.arange(size) if information_set is None else information_set
        numbered = np.unique(labels, return_inverse=True)[1].reshape(-1)
        published = np.unique(np.arange(size) if prompts is None else prompts)
        if not published.size or published[0] < 0 or published[-1] >= size:
            raise ValueError(f"prompts must be one or more in 0 ... {size - 1}")
        best = exact.optimal_value(matrix, law, beta)
        game = cls(matrix, law, numbered, published, best, beta, features)
        game.require_policy("reference", law)
        return game

    @classmethod
    def of_world(
        cls, world: TabularWorld, beta: float = 0.0, prompts: ArrayLike | None = None
    ) -> Self:
        """The game of a world's gold rewards and of its solver, as blind and of such rank.

        ``prompts`` are by default those that a creator may publish.
        """
        published = world.trainable if prompts is None else prompts
        reference = np.maximum(np.exp(world.reference_logits), LEAST)
        low_rank = np.linalg.matrix_rank(world.features) <= world.information_set[-1]
        features = world.features if low_rank else None
        return cls.of(world.gold, reference, world.information_set, published, beta, features)

    def of_reward(self) -> Self:
        """The game in which the creator minimises, and the solver maximises, E_mu V_beta.

        Its equilibrium is maximin reward, and its payoff, the creator's, minus the reward.
        """
        return replace(self, offset=np.zeros(len(self.rewards)))

    def payoffs(self, policy: Floats) -> Floats:
        """Reg_beta(x; pi) of each prompt, (K,), in units of reward."""
        own = exact.regularised_value(policy, self.rewards, self.reference, self.beta)
        return self.offset - own

    def worst_case(self, policy: Floats) -> float:
        """The highest regret of a policy (K, M) on a prompt that may be published."""
        return float(self.payoffs(policy)[self.prompts].max())

    def best_response(self, creator: Floats) -> Floats:
        """A law for each cell that minimises the creator's payoff, (K, M).

        Proportional to pi_ref exp(E[r | cell] / beta); at beta = 0 pi_ref on the best
        responses. Cells without mass keep pi_ref. Low rank is not looked at.
        """
        mass = self._membership @ creator
        total = self._membership @ (creator[:, None] * self.rewards)
        mean = np.divide(total, mass[:, None], out=total, where=mass[:, None] > 0)
        first = self._membership.argmax(1)
        return distributions.optimal_policy(mean, self.reference[first], self.beta)[self.information_set]

    @property
    def spread(self) -> float:
        """Range of the rewards, by which tolerances and temperatures are; 1 if it is 0."""
        return float(np.ptp(self.rewards)) or 1.0

    @cached_property
    def _membership(self) -> Floats:
        """Which prompts are in each cell, as ones, (C, K)."""
        return np.eye(self.information_set.max() + 1)[:, self.information_set]

    def require_policy(self, name: str, table: Floats) -> None:
        """ValueError unless a table holds (K, M) probabilities, one law for each cell."""
        shape = self.rewards.shape
        if table.shape != shape or not (table >= 0).all() or np.ptp([1, *table.sum(-1)]) > 1e-6:
            raise ValueError(f"{name} must be a table of probabilities of shape {shape}")
        first = self._membership.argmax(1)[self.information_set]
        gap = np.abs(table - table[first]).max()
        if gap > 1e-6:
            raise ValueError(
                f"{name} must be the same on all prompts of a cell, but differs by {gap:.1g}; "
                "take the game of the world that the solver played"
            )
