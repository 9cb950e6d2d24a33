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

    def __init__(self, env: SequentialEnv, player: str, opponent: Opponent) -> None:
        self.aec_env, self.player, self.opponent = env, player, opponent
        self.rival = SOLVER if player == CREATOR else CREATOR
        self.metadata, self.render_mode = env.metadata, env.render_mode
        self.observation_space = env.observation_space(player)
        self.action_space = env.action_space(player)
        self._rival_rng = np.random.default_rng()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; with a seed the game and the opponent are seeded."""
        super().reset(seed=seed)
        if seed is not None:
            self._rival_rng = self.np_random.spawn(1)[0]
        self.aec_env.reset(seed=seed)
        if self.player == SOLVER:
            self._rival_moves()
        return self.aec_env.observe(self.player), self.aec_env.info(self.player)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one round; terminated after T of them."""
        env, player = self.aec_env, self.player
        if not env.agents or env.game.done:
            raise gymnasium.error.ResetNeeded("the episode is over; call reset()")
        env.step(action)
        if player == CREATOR:
            self._rival_moves()
        reward, over = env.rewards[player], env.game.done
        if player == SOLVER and not over:
            self._rival_moves()
        return env.observe(player), reward, over, False, env.info(player)

    def render(self) -> Any:
        """The AEC env's picture."""
        return self.aec_env.render()

    def close(self) -> None:
        """Nothing is held open."""

    def _rival_moves(self) -> None:
        self.aec_env.step(self.opponent(self.aec_env.observe(self.rival), self._rival_rng))


class TabularCreator(SingleAgentEnv):
    """The tabular creator's side; the default opponent samples the reference policy."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        env = tabular.raw_env(**kwargs)
        super().__init__(env, CREATOR, opponent or env.encoding.reference_solver)


class TabularSolver(SingleAgentEnv):
    """The tabular solver's side; the default opponent publishes all prompts alike."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        env = tabular.raw_env(**kwargs)
        super().__init__(env, SOLVER, opponent or env.encoding.uniform_creator)


class TextCreator(SingleAgentEnv):
    """The text creator's side; the default opponent answers with words of the prompt."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        env = text.raw_env(**kwargs)
        super().__init__(env, CREATOR, opponent or env.echo_solver)


class TextSolver(SingleAgentEnv):
    """The text solver's side; the default opponent draws from the task's seed distribution."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        env = text.raw_env(**kwargs)
        super().__init__(env, SOLVER, opponent or env.seed_creator)
