"""Adversaries from unsupervised environment design: minimax and PAIRED."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from agents.base import Replay, Solver
from agents.creators.eva import Eva
from agents.creators.evolving import Evolving
from agents.evolution.selection import Weighting, weigh, weighted
from eva_env.missing import prompt_means
from eva_env.signals import counterfactual_regret
from eva_env.types import Floats, Ints, Round, Task


@dataclass
class Minimax(Eva):
    """The minimax adversary: evolve the prompts on which the solver does worst.

    It is paid minus the solver's reward, and so prefers prompts that nobody can answer. The
    baseline of Dennis et al. 2020 (arXiv 2012.02096), after Pinto et al. 2017 (1703.02702).
    """

    signal: str = "one_minus_mean"
    """Payoff of a prompt: a registered signal, or package.module.function or
    path/to/file.py:function for your own."""

    weighting: Weighting = "minmax"
    """Turns the signal into weights; minmax allows negative values."""

    resample: bool = False
    """Measure the signal on new responses of the updated solver. Doubles the responses of a
    round."""


@dataclass
class PAIRED(Evolving):
    """Evolve the prompts on which a second solver beats the first (Dennis et al. 2020).

    The second solver, the antagonist, is the first one's twin: it answers the same prompts on a
    fork of the game and learns from its responses by the same method. The regret of a prompt is
    the antagonist's reward minus the protagonist's mean (arXiv 2012.02096, Sec. 4), so a prompt
    that neither can answer pays nothing. The paper trains its adversary on regret by RL; here
    regret weighs which prompts eva's loop evolves. Costs the responses, reward calls and
    gradient steps of a second solver.
    """

    antagonist_reward: Literal["max", "mean"] = "max"
    """Count the best of the antagonist's responses (the paper), or their mean reward."""

    weighting: Weighting = "minmax"
    """Turns regret into weights; minmax allows negative values."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.antagonist: Solver | None = None
        self.pending: Mapping[str, Any] | None = None

    def on_start(self, solver: Solver) -> None:
        """Copy the solver as antagonist, with the saved state if play resumes."""
        if self.antagonist is None:
            self.antagonist = solver.twin()
            if self.pending is not None:
                self.antagonist.load_state_dict(deepcopy(self.pending))
                self.pending = None

    def observe_round(self, round: Round, replay: Replay, rng: np.random.Generator) -> Round:
        """Return the round with the regret against the antagonist as its signal."""
        self.on_start(replay.solver)
        assert self.antagonist is not None
        antagonist_round = replay(self.antagonist)
        replay.train(self.antagonist, antagonist_round)
        if self.antagonist_reward == "mean":
            return replace(round, signal=counterfactual_regret(round, antagonist_round))
        rewards = antagonist_round.rewards
        best = np.where(np.isnan(rewards), -np.inf, rewards).max(-1)
        best = np.where(np.isfinite(best), best, np.nan)  # no response has a reward
        regret = best - prompt_means(round.rewards)
        return replace(round, signal=regret)

    def measure(self, round: Round) -> Floats:
        """Return the regret of each prompt, (B,)."""
        return round.signal

    def select(self, task: Task, size: int, rng: np.random.Generator) -> Ints:
        """Draw the indices of the answered prompts to rewrite by their regret."""
        return weighted(weigh(self.values, self.weighting), size, rng)

    def state_dict(self) -> dict[str, Any]:
        """Return what changes during play, with the antagonist's state."""
        state = super().state_dict()
        antagonist = state.pop("antagonist")
        if antagonist is not None:
            state["pending"] = deepcopy(antagonist.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a ``state_dict()``; the antagonist is made when it is next needed."""
        super().load_state_dict(state)
        self.antagonist = None
