"""One player's side of many tabular games: the vector engine of ``gymnasium.make_vec``."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from eva_env.envs import tabular
from eva_env.envs.base import refuse_options
from eva_env.envs.lockstep import Streams, TabularGames
from eva_env.envs.single_agent import Opponent
from eva_env.real_numbers import shown
from eva_env.require import require
from eva_env.types import CREATOR, SOLVER, Floats


class TabularVector(VectorEnv):
    """One player's side of G tabular games, against a fixed opponent.

    An opponent gets observations (G, ...) and a generator whose ``random(size)`` has shape
    (G,) + size, and returns actions (G, ...). A function that works on the last axes serves one
    game and many. ``eva_env.envs.single_agent`` defines the opponents. Autoreset is NEXT_STEP,
    for all games at once. After ``max_episode_steps`` rounds an episode is truncated, as by
    Gymnasium's ``TimeLimit``; None, or -1, is no limit. A step that raises an error does not
    change the games.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        player: str,
        num_envs: int,
        opponent: Opponent | None,
        arguments: dict[str, Any],
        max_episode_steps: int | None = None,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        self.max_episode_steps = None if max_episode_steps == -1 else max_episode_steps
        require(self, "[1, inf)", "max_episode_steps")
        self.elapsed_steps = 0
        env = tabular.raw_env(**arguments)
        self.player, self.num_envs, self.render_mode = player, num_envs, env.render_mode
        self.single_observation_space = env.observation_space(player)
        self.single_action_space = env.action_space(player)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.engine = TabularGames(env, num_envs)
        encoding = self.engine.encoding
        default = encoding.reference_solver if player == CREATOR else encoding.uniform_creator
        self.opponent = opponent or default
        self._seed_opponent([None] * num_envs)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start an episode; an integer seed gives game i the seed ``seed + i``.

        The only option is Gymnasium's ``reset_mask``, and it must be True for all games, since
        they are played in lockstep. Raises ValueError for another one, and TypeError for a mask
        that is no array of booleans.
        """
        self._check_options(options or {})
        seeds = None
        if seed is not None:
            seeds = self._seeds(seed)
            super().reset(seed=int(seeds[0]))
            self._seed_opponent(seeds)
        self.engine.reset(seeds)
        self.elapsed_steps = 0
        if self.player == SOLVER:
            self._move_creators()
        return self.engine.observe(self.player), {}

    def step(self, actions: Any) -> tuple[Floats, Floats, Any, Any, dict[str, Any]]:
        """Play one round in every game, or start the next episode after the last round."""
        engine = self.engine
        # 1. After the last round a step only starts the next episode (NEXT_STEP autoreset).
        if engine.done or self._is_out_of_time:
            observation, info = self.reset()
            running = np.zeros(self.num_envs, np.bool_)
            return observation, np.zeros(self.num_envs), running, running.copy(), info
        self._opponent_rng.mark()
        try:
            with engine.undone_on_error():
                # 2. Complete the round: a creator's move needs the solvers' responses.
                if self.player == CREATOR:
                    engine.propose(actions)
                    actions = self.opponent(engine.observe(SOLVER), self._opponent_rng)
                payoffs: Any = engine.respond(actions).payoffs[self.player]
                # 3. A solver sees the next batch, so the creators move before it observes.
                if self.player == SOLVER and not engine.done:
                    self._move_creators()
        except Exception:
            self._opponent_rng.rewind()
            raise
        self.elapsed_steps += 1
        terminated: Any = np.full(self.num_envs, engine.done)
        truncated: Any = np.full(self.num_envs, self._is_out_of_time)
        return engine.observe(self.player), payoffs, terminated, truncated, {}

    @property
    def _is_out_of_time(self) -> bool:
        limit = self.max_episode_steps
        return limit is not None and self.elapsed_steps >= limit

    def _seeds(self, seed: int | Sequence[int]) -> Sequence[int]:
        """Return a seed for each game; ValueError for another number of them."""
        if not isinstance(seed, Sequence | np.ndarray):
            return range(int(seed), int(seed) + self.num_envs)
        seeds = list(seed)
        if len(seeds) != self.num_envs or not all(isinstance(each, Integral) for each in seeds):
            raise ValueError(
                f"seed must be {self.num_envs} integers, got {len(seeds)} values: {shown(seed)}"
            )
        return seeds

    def _check_options(self, options: dict[str, Any]) -> None:
        refuse_options({name: options[name] for name in options if name != "reset_mask"})
        if "reset_mask" not in options:
            return
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"reset_mask must be an array of booleans, got {shown(mask)}")
        if mask.shape != (self.num_envs,) or not mask.all():
            raise ValueError(
                f"reset_mask must be True for all {self.num_envs} games, which are played in "
                f"lockstep, got shape {mask.shape} with {int(mask.sum())} True; give "
                f"vectorization_mode='sync' to reset some of them"
            )

    def _move_creators(self) -> None:
        engine = self.engine
        engine.propose(self.opponent(engine.observe(CREATOR), self._opponent_rng))

    def _seed_opponent(self, seeds: Sequence[int | None]) -> None:
        generators = [np.random.default_rng(seed).spawn(1)[0] for seed in seeds]
        self._opponent_rng = Streams(generators)


class TabularCreators(TabularVector):
    """The creator's side of G games."""

    def __init__(
        self,
        num_envs: int = 1,
        opponent: Opponent | None = None,
        max_episode_steps: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(CREATOR, num_envs, opponent, kwargs, max_episode_steps)


class TabularSolvers(TabularVector):
    """The solver's side of G games."""

    def __init__(
        self,
        num_envs: int = 1,
        opponent: Opponent | None = None,
        max_episode_steps: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(SOLVER, num_envs, opponent, kwargs, max_episode_steps)
