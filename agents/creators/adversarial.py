"""Creators from unsupervised environment design that play against the solver."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from agents.base import Replay, Solver
from agents.creators.eva import Eva
from agents.creators.evolving import Evolving
from agents.evolution.selection import Weighting, weigh, weighted
from eva_env.signals import counterfactual_regret
from eva_env.types import Floats, Ints, Round, Task


@dataclass
class Minimax(Eva):
    """The minimax adversary: evolve the prompts on which the solver does worst.

    It is paid minus the solver's reward, and so drawn to prompts that nobody can answer; the
    baseline of Dennis et al. 2020 (arXiv 2012.02096), after Pinto et al. 2017 (1703.02702).
    """

    signal: str = "one_minus_mean"
    """What a prompt is paid for: a name in ``eva_env.signals``."""

    weighting: Weighting = "minmax"
    """How the signal becomes a weight; minmax also takes negative values."""

    resample: bool = False
    """Measure on new responses of the updated solver."""


@dataclass
class PAIRED(Evolving):
    """Evolve the prompts on which a second solver beats the first (Dennis et al. 2020).

    The antagonist is the solver's twin: it answers the same prompts on a fork of the game and
    learns from its own answers by the same method. The regret of a prompt is the antagonist's
    reward minus the protagonist's mean (arXiv 2012.02096, Sec. 4), so that prompts that neither
    can answer pay nothing. The paper trains its adversary on it by RL; here it weighs which
    prompts eva's loop evolves. Costs a second solver's responses, reward calls and steps.
    """

    antagonist_reward: Literal["max", "mean"] = "max"
    """Of the antagonist's n answers, the best one counts (the paper), or their mean."""

    weighting: Weighting = "minmax"
    """How regret becomes a weight: ``agents.evolution.selection.weigh``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.antagonist: Solver | None = None
        self.pending: Mapping[str, Any] | None = None

    def on_start(self, solver: Solver) -> None:
        """Take a twin of the solver for antagonist, or take up the saved one."""
        if self.antagonist is None:
            self.antagonist = solver.twin()
            if self.pending is not None:
                self.antagonist.load_state_dict(deepcopy(self.pending))
                self.pending = None

    def observe_round(self, round: Round, replay: Replay, rng: np.random.Generator) -> Round:
        """The round, with the regret against the antagonist as its signal."""
        self.on_start(replay.solver)
        assert self.antagonist is not None
        other = replay(self.antagonist)
        replay.train(self.antagonist, other)
        if self.antagonist_reward == "mean":
            return replace(round, signal=counterfactual_regret(round, other))
        return replace(round, signal=other.rewards.max(-1) - round.rewards.mean(-1))

    def measure(self, round: Round) -> Floats:
        """The regret of each prompt, (B,)."""
        return round.signal

    def select(self, task: Task, size: int, rng: np.random.Generator) -> Ints:
        """Indices of the answered prompts to rewrite, drawn by their regret."""
        return weighted(weigh(self.values, self.weighting), size, rng)

    def state_dict(self) -> dict[str, Any]:
        """What changes while playing, the antagonist's state included."""
        state = super().state_dict()
        antagonist = state.pop("antagonist")
        if antagonist is not None:
            state["pending"] = deepcopy(antagonist.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state_dict()``; the antagonist is made when it is next needed."""
        super().load_state_dict(state)
        self.antagonist = None
