"""The family of methods that train on a round's (chosen, rejected) pairs for some epochs."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from agents.base import Logs
from agents.evolution.writing import Written
from agents.losses.pairs import Pairs
from agents.losses.robust import worst_case
from agents.solvers.base import Method, PolicySolver, Reference
from agents.solvers.nonfinite import Explained
from agents.solvers.optimise import LR_GRID, Loss, OptimizerSettings, optimise
from agents.solvers.pair_logprobs import PairLogprobs
from agents.solvers.pairs import BUILDERS, Builder, Preferences, build, win_rates
from eva_env.require import require
from eva_env.types import Floats, Ints, Round

Baseline = Callable[[Ints], Tensor]
"""The prompts of an update -> ``Pairs.baseline`` of its pairs, nats."""


@runtime_checkable
class ReferenceBased(Protocol):
    """A method on pairs whose loss is in log-ratios to a reference model, as its field says."""

    @property
    def reference(self) -> Reference:
        """The reference model."""
        ...


@dataclass(frozen=True)
class Offline(OptimizerSettings, Method):
    """The family base: build pairs, look up the reference once, minimise the method's loss.

    Offline, as in eva: the round's pairs are trained on for some epochs with a new optimiser.
    A method gives its ``loss``; if it has a field ``reference``, the loss gets log-ratios to
    that model, and log-probabilities of 0 in their place otherwise.

    Where a method says "tuned roughly", its defaults were the best of three learning rates by
    three values of a second setting after one round of ``Fresh`` on wordlist (512 prompts, gold
    reward), by the mean reward on the hard suite, seeds 0 and 1: tune before you compare.
    """

    grid = LR_GRID

    lr: float = 6e-4
    """Peak learning rate of AdamW."""
    epochs: int = 4
    """Passes over a round's pairs."""
    batch_size: int = 32
    """Pairs per update, rounded to the pairs of whole prompts."""
    pairs: Builder = "best_worst"
    """Which responses to a prompt are paired: the best and the worst (as in the paper of eva),
    the best and a random other one, or all. Pairs of equal reward are dropped."""
    margin: float = 0.0
    """Pairs whose rewards differ by less are dropped, in reward-model units."""
    improve_chosen: bool = False
    """Let the solver's response rewriter rewrite the chosen response first (Ye et al. 2025,
    arXiv 2411.00062, App. H.2.1). The rewrite is not scored; it keeps the win rate of the
    response that it replaces."""
    radius: float = 0.0
    """Radius of SGPO's Wasserstein ball, in units of the implicit reward gap: the pairs of an
    update are re-weighted to their worst case in the ball, at the cost of one more forward
    pass. 0 keeps equal weights."""
    restart: bool = False
    """Train the starting policy on all pairs so far (the paper's "scratch") instead of training
    the current policy on this round's pairs ("incremental")."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pairs not in BUILDERS:
            raise ValueError(f"pairs must be one of {', '.join(BUILDERS)}, got {self.pairs!r}")
        require(self, "[0, inf)", "margin", "radius")
        if self.improve_chosen and self.pairs == "all":
            raise ValueError(
                "improve_chosen rewrites one chosen response a prompt; set pairs to best_worst"
            )

    @property
    def uses_initial(self) -> bool:
        """True for a restart and for the reference "initial"."""
        return self.restart or getattr(self, "reference", "round") == "initial"

    @abstractmethod
    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair, (P,)."""

    def gap(self, pairs: Pairs) -> Tensor:
        """Return the implicit reward of the chosen response minus the rejected one's, (P,)."""
        return pairs.margin

    def wins(self, round: Round) -> Floats:
        """Return the responses' win rates against the n samples, (B, n) in [0, 1]."""
        return win_rates(round.rewards)

    def baseline(self, solver: PolicySolver, preferences: Preferences) -> Baseline | None:
        """Return the function that gives an update's pairs their baseline; None keeps 0."""
        return None

    def check(self, solver: PolicySolver) -> None:
        """Raise ValueError if responses are to be rewritten and the solver cannot."""
        if self.improve_chosen and solver.response_rewriter is None:
            raise ValueError(
                f"{type(self).__name__} with improve_chosen needs a response rewriter; "
                f"give PolicySolver one as response_rewriter, or leave the setting off"
            )

    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Train on the round's pairs."""
        # 1. Pair the round's responses.
        preferences = build(round, self.pairs, self.margin, rng, self.wins(round))
        logs: dict[str, float] = {"pairs": len(preferences.item)}
        logs |= {"ties": preferences.ties, "narrow": preferences.narrow}
        if self.improve_chosen and solver.response_rewriter and preferences.prompts:
            written = Written.of(solver.response_rewriter)
            rewrites = solver.response_rewriter(preferences.prompts, preferences.chosen, rng)
            shares = (Written.of(solver.response_rewriter) - written).logs()
            logs |= {f"response_{name}": share for name, share in shares.items()}
            preferences = preferences.rewritten(rewrites)
        # 2. On a restart, the policy goes back to its start and sees the pairs of all rounds.
        if self.restart:
            all_rounds = [*solver.memory.get("pairs", []), preferences]
            solver.memory["pairs"] = all_rounds
            solver.policy.load_state_dict(solver.initial.state_dict())
            preferences = Preferences.join(all_rounds)
        if not preferences.prompts:
            return logs | {"gradient_steps": 0}
        # 3. The policy is about to change, so the reference reads the responses now, once.
        logprobs = PairLogprobs(
            solver.policy, preferences, self.reference_logprobs(solver, preferences)
        )
        loss, before_update = self.pair_loss(logprobs, self.baseline(solver, preferences))
        # 4. An item is a prompt with all its pairs, so that each response is read once.
        pairs_per_prompt = np.bincount(preferences.item).astype(float)
        return logs | optimise(
            solver.policy,
            loss,
            logprobs.lengths,
            self,
            rng,
            weights=pairs_per_prompt,
            items_per_update=max(1, int(self.batch_size / pairs_per_prompt.mean() + 0.5)),
            before_update=before_update,
            explained=Explained(preferences.prompts, logprobs.inputs),
        )

    def reference_logprobs(self, solver: PolicySolver, preferences: Preferences) -> Tensor:
        """Return the responses' log-probabilities under the reference, (I, k) nats.

        Zeros for a method without a reference model.
        """
        shape = preferences.wins.shape
        if isinstance(self, ReferenceBased):
            prompts, responses = preferences.prompts, preferences.responses
            by_token = solver.token_logprobs(self.reference, prompts, responses)
            return by_token.sum(-1).view(shape)
        return next(iter(solver.policy.parameters())).new_zeros(shape)

    def pair_loss(
        self, logprobs: PairLogprobs, baseline: Baseline | None
    ) -> tuple[Loss, Callable[[Ints], None]]:
        """Return the loss as a function of prompts, and the call that precedes an update."""
        pair_weights = torch.ones(len(logprobs.preferences.item)).to(logprobs.reference)

        def before_update(items: Ints) -> None:
            if baseline:
                logprobs.baseline = baseline(items)
            if self.radius:
                gaps, pair = logprobs.evaluate(items, self.gap, self.micro_batch_tokens)
                pair_weights[pair] = worst_case(gaps, self.radius)

        def loss(items: Ints) -> tuple[Tensor, dict[str, Tensor]]:
            pairs, pair, item = logprobs(items)

            def sum_by_item(values: Tensor) -> Tensor:
                return values.new_zeros(len(items)).index_add(0, item, values)

            correct = (pairs.margin > 0).to(logprobs.reference)
            accuracy = sum_by_item(correct) / torch.bincount(item)
            return sum_by_item(self.loss(pairs) * pair_weights[pair]), {"accuracy": accuracy}

        return loss, before_update
