"""Methods that do not learn: a fixed policy, and the best of n samples of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Logs
from agents.solvers.base import Method, PolicySolver
from eva_env.require import require
from eva_env.rewards.base import base_rewards
from eva_env.types import Round


@dataclass(frozen=True)
class Fixed(Method):
    """The starting policy, which never changes: a baseline, and a fixed opponent."""

    @property
    def uses_initial(self) -> bool:
        """False: nothing is learned."""
        return False

    def update(self, solver: PolicySolver, round: Round, rng: np.random.Generator) -> Logs:
        """Do nothing."""
        return {"gradient_steps": 0}


@dataclass(frozen=True)
class BestOfN(Fixed):
    """Every response is the best of some candidates, by the solver's reward model.

    Stiennon et al. 2020 (arXiv 2009.01325). The k-th lowest reward has probability
    F_k^n - F_(k-1)^n, and the KL of the responses to the policy is at most log n - (n - 1) / n
    nats (Beirami et al. 2024, arXiv 2401.01879). Candidates are metered as tokens and reward
    calls.
    """

    candidates: int = 4
    """Samples that each response is chosen from."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "candidates")

    def check(self, solver: PolicySolver) -> None:
        """Raise ValueError if the solver has no reward model to choose by."""
        if solver.reward_model is None:
            raise ValueError("BestOfN chooses by a reward model; give PolicySolver one")

    def respond(
        self, solver: PolicySolver, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Return n responses to each prompt, each the first of its best candidates."""
        assert solver.reward_model is not None
        # A separate stream: from the same generator the candidates would be the samples of the
        # policy that a comparison draws, which would favour the chosen ones.
        candidate_rng = np.random.default_rng(rng.integers(2**63))
        drawn = solver.policy.sample(prompts, n * self.candidates, candidate_rng)
        rewards = base_rewards(solver.reward_model, prompts, drawn)
        solver.scored += rewards.size
        scored = np.where(np.isnan(rewards), -np.inf, rewards)  # NaN: no reward
        best = scored.reshape(len(prompts), n, -1).argmax(-1)
        columns = best + np.arange(n) * self.candidates
        if isinstance(drawn, np.ndarray):
            return np.take_along_axis(drawn, columns, 1)
        return [[row[j] for j in chosen] for row, chosen in zip(drawn, columns, strict=True)]

    def respond_for_evaluation(
        self, solver: PolicySolver, prompts: Sequence[Any], n: int, rng: np.random.Generator
    ) -> Any:
        """Return responses as in play."""
        return self.respond(solver, prompts, n, rng)
