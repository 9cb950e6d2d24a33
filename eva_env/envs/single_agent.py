"""Gymnasium environments of one player, creator or solver, against a fixed opponent.

An opponent is a function ``(observation, rng) -> action`` in the opponent's spaces. The
environments drive the AEC env, so their trajectories equal its trajectories.
``reset(seed=s)`` seeds the game with s, and the opponent with
``np.random.default_rng(s).spawn(1)[0]``.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from eva_env.envs import tabular, text
from eva_env.envs.base import SequentialEnv, refuse_options
from eva_env.types import CREATOR, SOLVER

Opponent = Callable[[Any, Any], Any]


class SingleAgentEnv(gymnasium.Env):
    """One player's side of an AEC env."""

    metadata = SequentialEnv.metadata

    def __init__(self, env: SequentialEnv, player: str, opponent: Opponent) -> None:
        self.aec_env, self.player, self.opponent = env, player, opponent
        self.opponent_name = SOLVER if player == CREATOR else CREATOR
        self.metadata, self.render_mode = env.metadata, env.render_mode
        self.observation_space = env.observation_space(player)
        self.action_space = env.action_space(player)
        self._opponent_rng = np.random.default_rng()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; a seed seeds the game and the opponent.

        Raises ValueError, which names them, for options: there are none.
        """
        refuse_options(options)
        super().reset(seed=seed)
        if seed is not None:
            self._opponent_rng = self.np_random.spawn(1)[0]
        self.aec_env.reset(seed=seed)
        if self.player == SOLVER:
            self._move_opponent()
        return self.aec_env.observe(self.player), self.aec_env.info(self.player)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one round; the episode terminates after T rounds.

        A move that raises an error, the opponent's included, does not change the env.
        """
        env, player = self.aec_env, self.player
        if not env.agents or env.game.done:
            raise gymnasium.error.ResetNeeded("the episode is over; call reset()")
        before, opponent_state = env.state_dict(), self._opponent_rng.bit_generator.state
        try:
            # 1. Complete the round: a creator's move needs the solver's response.
            env.step(action)
            if player == CREATOR:
                self._move_opponent()
            payoff, terminated = env.rewards[player], env.game.done
            # 2. A solver observes the next batch, so the creator moves before it returns.
            if player == SOLVER and not terminated:
                self._move_opponent()
        except Exception:
            # Take both moves back, so that the round can be played again.
            env.load_state_dict(before)
            self._opponent_rng.bit_generator.state = opponent_state
            raise
        return env.observe(player), payoff, terminated, False, env.info(player)

    def render(self) -> Any:
        """Render the AEC env."""
        return self.aec_env.render()

    def close(self) -> None:
        """Do nothing: the environment holds no resources."""

    def _move_opponent(self) -> None:
        observation = self.aec_env.observe(self.opponent_name)
        self.aec_env.step(self.opponent(observation, self._opponent_rng))


class TabularCreator(SingleAgentEnv):
    """The tabular creator's side; the default opponent samples the reference policy."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        env = tabular.raw_env(**kwargs)
        super().__init__(env, CREATOR, opponent or env.encoding.reference_solver)


class TabularSolver(SingleAgentEnv):
    """The tabular solver's side; the default opponent publishes the uniform distribution."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        env = tabular.raw_env(**kwargs)
        super().__init__(env, SOLVER, opponent or env.encoding.uniform_creator)


class TextCreator(SingleAgentEnv):
    """The text creator's side; the default opponent responds with words of the prompt."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        env = text.raw_env(**kwargs)
        super().__init__(env, CREATOR, opponent or env.echo_solver)


class TextSolver(SingleAgentEnv):
    """The text solver's side; the default opponent draws from the task's seed distribution."""

    def __init__(self, opponent: Opponent | None = None, **kwargs: Any) -> None:
        env = text.raw_env(**kwargs)
        super().__init__(env, SOLVER, opponent or env.seed_creator)
