"""The true regret game between a creator and a class of solvers."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from eva_env import distributions
from eva_env.tabular import exact
from eva_env.types import Floats, Ints

LEAST = 1e-300
"""Lowest reference probability of a response; smaller ones have no finite logarithm."""


class KnownTables(Protocol):
    """The tables of a world that make up its regret game, such as a ``TabularWorld`` has."""

    @property
    def gold(self) -> Floats:
        """Gold rewards (K, M)."""
        ...

    @property
    def reference_logits(self) -> Floats:
        """Log-probabilities (K, M) of the starting policy, in nats."""
        ...

    @property
    def features(self) -> Floats:
        """Features (K, d) through which prompts share what the solver learns."""
        ...

    @property
    def information_set(self) -> Ints:
        """The information set of each prompt, (K,)."""
        ...

    @property
    def trainable(self) -> Ints:
        """The prompts that a creator may publish."""
        ...


@dataclass(frozen=True, eq=False)
class RegretGame:
    """The creator maximises E_mu Reg_beta(x; pi) by mu over ``prompts``, the solver minimises.

    The solver's usual objective, E_mu V_beta, differs from minus this payoff by a term without
    pi, so both games have the same best responses, equilibria and NashConv. The solver's class
    is all tables pi (K, M) with one policy per information set; with ``features``, those that
    softmax(log reference + features @ theta) reaches. Made by ``of`` and ``of_world``.
    """

    rewards: Floats
    """r (K, M), the rewards whose regret is the payoff."""

    reference: Floats
    """pi_ref (K, M), positive, the same on all prompts of an information set."""

    information_set: Ints
    """Information set 0 ... C-1 of each prompt, (K,)."""

    prompts: Ints
    """Prompts that the creator may publish, (P,), in ascending order."""

    offset: Floats
    """c (K,) of the payoff c - V_beta(x; pi); with c = V*_beta the payoff is the regret."""

    beta: float
    """Units of reward per nat of KL(pi || pi_ref)."""

    features: Floats | None
    """(K, d) of a low-rank solver; None for all tables with one policy per information set."""

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
        """Return the game on a matrix of rewards.

        By default the reference is uniform, every prompt is an information set by itself, and
        every prompt may be published. ``information_set`` takes any labels (K,). ValueError
        for a reference that has zeros or differs within an information set, and for prompts
        out of range.
        """
        matrix = np.asarray(rewards, dtype=np.float64)
        size, responses = matrix.shape
        if reference is None:
            reference = np.full(matrix.shape, 1 / responses)
        if not (reference > 0).all():
            raise ValueError("reference must be positive everywhere")
        labels = np.arange(size) if information_set is None else information_set
        numbered = np.unique(labels, return_inverse=True)[1].reshape(-1)
        published = np.unique(np.arange(size) if prompts is None else prompts)
        if not published.size or published[0] < 0 or published[-1] >= size:
            raise ValueError(f"prompts must be one or more in 0 ... {size - 1}")
        best = exact.optimal_value(matrix, reference, beta)
        game = cls(matrix, reference, numbered, published, best, beta, features)
        game.require_policy("reference", reference)
        return game

    @classmethod
    def of_world(
        cls, world: KnownTables, beta: float = 0.0, prompts: ArrayLike | None = None
    ) -> Self:
        """Return the game of a world's gold rewards and its solver's information and rank.

        ``prompts`` are by default those that a creator may publish.
        """
        published = world.trainable if prompts is None else prompts
        reference = np.maximum(np.exp(world.reference_logits), LEAST)
        low_rank = np.linalg.matrix_rank(world.features) <= world.information_set[-1]
        features = world.features if low_rank else None
        return cls.of(world.gold, reference, world.information_set, published, beta, features)

    def of_reward(self) -> Self:
        """Return the game in which the creator minimises E_mu V_beta, the solver maximises it.

        Its equilibrium is maximin reward, and the creator's payoff is minus the reward.
        """
        return replace(self, offset=np.zeros(len(self.rewards)))

    def payoffs(self, policy: Floats) -> Floats:
        """Return Reg_beta(x; pi) of each prompt, (K,), in units of reward."""
        attained = exact.regularised_value(policy, self.rewards, self.reference, self.beta)
        return self.offset - attained

    def worst_case(self, policy: Floats) -> float:
        """Return the highest regret of a policy (K, M) on a prompt that may be published."""
        return float(self.payoffs(policy)[self.prompts].max())

    def best_response(self, creator: Floats) -> Floats:
        """Return the policy (K, M), one per information set, of least payoff to the creator.

        Proportional to pi_ref exp(E[r | information set] / beta); at beta = 0 it is pi_ref
        restricted to the best responses. Information sets without mass keep pi_ref. The rank
        limit is ignored.
        """
        mass = self._membership @ creator
        total = self._membership @ (creator[:, None] * self.rewards)
        mean = np.divide(total, mass[:, None], out=total, where=mass[:, None] > 0)
        reference = self.reference[self._membership.argmax(1)]
        by_set = distributions.optimal_policy(mean, reference, self.beta)
        return by_set[self.information_set]

    @property
    def reward_range(self) -> float:
        """Largest minus smallest reward, the unit of tolerances and temperatures; 1 if 0."""
        return float(np.ptp(self.rewards)) or 1.0

    @cached_property
    def _membership(self) -> Floats:
        """Return 1 where an information set contains a prompt, else 0; (C, K)."""
        return np.eye(self.information_set.max() + 1)[:, self.information_set]

    def require_policy(self, name: str, table: Floats) -> None:
        """Raise ValueError unless the table (K, M) has one distribution per information set."""
        shape = self.rewards.shape
        if table.shape != shape or not (table >= 0).all() or np.ptp([1, *table.sum(-1)]) > 1e-6:
            raise ValueError(f"{name} must be a table of probabilities of shape {shape}")
        first = self._membership.argmax(1)[self.information_set]
        gap = np.abs(table - table[first]).max()
        if gap > 1e-6:
            raise ValueError(
                f"{name} must be the same on all prompts of an information set, but differs by "
                f"{gap:.1g}; take the game of the world that the solver was trained on"
            )
