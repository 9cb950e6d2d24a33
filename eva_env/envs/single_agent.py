"""Gymnasium views of the AEC envs: play the creator, or the solver, against a fixed opponent.

An opponent is a function ``(observation, rng) -> action`` in the opponent's own spaces. Views
drive the AEC env, so their trajectories are its. ``reset(seed=s)`` seeds the game with s and
the opponent with ``np.random.default_rng(s).spawn(1)[0]``.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from eva_env.envs import tabular, text
from eva_env.envs.base import SequentialEnv
from eva_env.types import CREATOR, SOLVER

Opponent = Callable[[Any, Any], Any]


class SingleAgentEnv(gymnasium.Env):
    """One player's side of an AEC env."""

    metadata = SequentialEnv.metadata

    def __init__(self, face: SequentialEnv, player: str, opponent: Opponent) -> None:
        self.face, self.player, self.opponent = face, player, opponent
        self.rival = SOLVER if player == CREATOR else CREATOR
        self.metadata, self.render_mode = face.metadata, face.render_mode
        self.observation_space = face.observation_space(player)
        self.action_space = face.action_space(player)
        self._rival_rng = np.random.default_rng()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; with a seed the game and the opponent are seeded."""
        super().reset(seed=seed)
        if seed is not None:
            self._rival_rng = self.np_random.spawn(1)[0]
        self.face.reset(seed=seed)
        if self.player == SOLVER:
            self._rival_moves()
        return self.face.observe(self.player), self.face.info(self.player)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one round; terminated after T of them."""
        face, player = self.face, self.player
        if not face.agents or face.game.done:
            raise gymnasium.error.ResetNeeded("the episode is over; call reset()")
        face.step(action)
        if player == CREATOR:
            self._rival_moves()
        reward, over = face.rewards[player], face.game.done
        if player == SOLVER and not over:
            self._rival_moves()
        return face.observe(player), reward, over, False, face.info(player)

    def render(self) -> Any:
        """The AEC env's picture."""
        return self.face.render()

    def close(self) -> None:
        """Nothing is held open."""

    def _rival_moves(self) -> None:
        self.face.step(self.opponent(self.face.observe(self.rival), self._rival_rng))


class TabularCreator(SingleAgentEnv):
    """The tabular creator's side; the default opponent samples the reference policy."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        face = tabular.raw_env(**kwargs)
        super().__init__(face, CREATOR, opponent or face.board.reference_solver)


class TabularSolver(SingleAgentEnv):
    """The tabular solver's side; the default opponent publishes all prompts alike."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        face = tabular.raw_env(**kwargs)
        super().__init__(face, SOLVER, opponent or face.board.uniform_creator)


class TextCreator(SingleAgentEnv):
    """The text creator's side; the default opponent answers with words of the prompt."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        face = text.raw_env(**kwargs)
        super().__init__(face, CREATOR, opponent or face.echo_solver)


class TextSolver(SingleAgentEnv):
    """The text solver's side; the default opponent draws from the task's seed distribution."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        face = text.raw_env(**kwargs)
        super().__init__(face, SOLVER, opponent or face.seed_creator)
