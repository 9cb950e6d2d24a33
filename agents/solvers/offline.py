"""Methods that train on a round's (chosen, rejected) pairs, some epochs at a time."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from agents.base import Logs
from agents.losses.pairs import Pairs
from agents.losses.robust import worst_case
from agents.solvers.base import GradientMethod, PolicySolver
from agents.solvers.optimise import Loss, optimise
from agents.solvers.pair_logprobs import Lookup
from agents.solvers.pairs import BUILDERS, Builder, Preferences, build, win_rates
from eva_env.types import Floats, Ints, Round

Baseline = Callable[[Ints], Tensor]
"""The prompts of an update -> ``Pairs.baseline`` of its pairs, nats."""


@dataclass(frozen=True)
class Offline(GradientMethod):
    """What the methods on pairs share: build pairs, look up the reference once, minimise.

    Offline, as in eva: the round's pairs are trained on for some epochs with a fresh optimiser.
    A child has a ``loss`` of its own; only an ``ReferenceBased`` one asks a reference model.

    Where a child says "tuned roughly", its defaults were the best of three learning rates by
    three values of a knob after one round of ``Fresh`` on wordlist (512 prompts, gold reward),
    by the mean reward on the hard suite, seeds 0 and 1: tune before you compare.
    """

    lr: float = 6e-4
    """Peak learning rate of AdamW."""
    epochs: int = 4
    """Passes over a round's pairs."""
    batch_size: int = 32
    """Pairs an update, rounded to those of whole prompts."""
    pairs: Builder = "best_worst"
    """Which responses to a prompt are paired: the best and the worst of them (the paper's),
    the best and a random other one, or all. Pairs of equal reward are dropped."""
    margin: float = 0.0
    """Pairs whose rewards differ by less are dropped, in reward-model units."""
    improve_chosen: bool = False
    """Let the solver's response rewriter rewrite the chosen response first (Ye et al. 2025, arXiv
    2411.00062, App. H.2.1); it is trained on unscored, with the win rate of what it was."""
    radius: float = 0.0
    """Radius of SGPO's Wasserstein ball, in units of ``gap``: the pairs of an update are
    re-weighted to their worst case there, which takes one forward more. 0: equal weights."""
    restart: bool = False
    """Train the starting model anew on all pairs so far (the paper's "scratch"), instead of
    the current one on this round's ("incremental")."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pairs not in BUILDERS:
            raise ValueError(f"pairs must be one of {', '.join(BUILDERS)}, got {self.pairs!r}")
        self._not_negative("margin", "radius")
        if self.improve_chosen and self.pairs == "all":
            raise ValueError(
                "improve_chosen rewrites one chosen response a prompt; take pairs best_worst"
            )

    @abstractmethod
    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair, (P,)."""

    def gap(self, pairs: Pairs) -> Tensor:
        """Implicit reward of the chosen response minus that of the rejected, (P,)."""
        return pairs.margin

    def wins(self, round: Round) -> Floats:
        """Win rates of the responses against the n samples, (B, n) in [0, 1]."""
        return win_rates(round.rewards)

    def check(self, solver: PolicySolver) -> None:
        """Raise ValueError if responses are to be rewritten and the solver cannot."""
        if self.improve_chosen and solver.response_rewriter is None:
            raise ValueError(
                f"{type(self).__name__} with improve_chosen needs a response rewriter; "
                f"give PolicySolver one as response_rewriter, or leave the setting off"
            )

    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Train on the round's pairs."""
        preferences = build(round, self.pairs, self.margin, rng, self.wins(round))
        logs: dict[str, float] = {"pairs": len(preferences.item)}
        logs |= {"ties": preferences.ties, "narrow": preferences.narrow}
        if self.improve_chosen and solver.response_rewriter and preferences.prompts:
            improved = solver.response_rewriter(preferences.prompts, preferences.chosen, rng)
            preferences = preferences.rewritten(improved)
        if self.restart:
            kept = [*solver.memory.get("pairs", []), preferences]
            solver.memory["pairs"] = kept
            solver.policy.load_state_dict(solver.initial.state_dict())
            preferences = Preferences.join(kept)
        if not preferences.prompts:
            return logs | {"gradient_steps": 0}
        lookup = Lookup(
            solver.policy, preferences, self.reference_logprobs(solver, preferences)
        )
        loss, before = self.on(lookup, self.baseline(solver, preferences))
        share = np.bincount(preferences.item).astype(float)
        return logs | optimise(
            solver.policy,
            loss,
            lookup.lengths,
            self,
            rng,
            weights=share,
            items=max(1, int(self.batch_size / share.mean() + 0.5)),
            before=before,
        )

    def reference_logprobs(self, solver: PolicySolver, preferences: Preferences) -> Tensor:
        """What losses are given as log-probabilities under the reference, (I, k): zeros."""
        like = next(iter(solver.policy.parameters()))
        return like.new_zeros(preferences.wins.shape)

    def baseline(self, solver: PolicySolver, preferences: Preferences) -> Baseline | None:
        """What gives the pairs of an update their baseline; None: it stays 0."""
        return None

    def on(
        self, lookup: Lookup, baseline: Baseline | None
    ) -> tuple[Loss, Callable[[Ints], None]]:
        """The loss as a function of prompts' indices, and what precedes an update of them."""
        weights = torch.ones(len(lookup.preferences.item)).to(lookup.reference)

        def before(items: Ints) -> None:
            if baseline:
                lookup.baseline = baseline(items)
            if self.radius:
                gaps, number = lookup.measure(items, self.gap, self.micro_batch_tokens)
                weights[number] = worst_case(gaps, self.radius)

        def loss(items: Ints) -> tuple[Tensor, dict[str, Tensor]]:
            pairs, number, place = lookup(items)
            share = torch.bincount(place)

            def by_item(values: Tensor) -> Tensor:
                return values.new_zeros(len(items)).index_add(0, place, values)

            accuracy = by_item((pairs.margin > 0).to(lookup.reference)) / share
            return by_item(self.loss(pairs) * weights[number]), {"accuracy": accuracy}

        return loss, before

    def _positive(self, *names: str) -> None:
        for name in names:
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be positive and finite, got {getattr(self, name)}"
                )

    def _not_negative(self, *names: str) -> None:
        for name in names:
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be finite and not negative, got {getattr(self, name)}"
                )


@dataclass(frozen=True)
class ReferenceBased(Offline):
    """What the methods share whose loss is in log-ratios to a reference model."""

    reference: Literal["round", "initial"] = "round"
    """Reference model: the policy at the start of the round (the paper's), or of the run."""

    def reference_logprobs(self, solver: PolicySolver, preferences: Preferences) -> Tensor:
        """Log-probabilities of the answers under the reference, (I, k) nats."""
        prompts, answers = preferences.prompts, preferences.answers
        found = solver.token_logprobs(self.reference, prompts, answers).sum(-1)
        return found.view(preferences.wins.shape)
