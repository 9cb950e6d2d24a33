"""The tabular game, G games at a time as arrays: the vector engine of ``gymnasium.make_vec``.

All games have the same T, so they run in lockstep and end together. Each game has its own
generator, seeded ``seed + i``, and the results equal those of the scalar game bit for bit. One
generator for all games would not be faster, since ``Streams`` draws uniforms ahead.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from eva_env.envs import tabular
from eva_env.envs.single_agent import Opponent
from eva_env.game import draw_without_replacement, softmax
from eva_env.payoffs import (
    check_rewards,
    creator_payoff,
    require_no_infinite,
    signal_values,
    solver_payoff,
)
from eva_env.tabular.reward import TabularReward
from eva_env.types import CREATOR, SOLVER, Floats, Ints, Proposal, Round

AHEAD = 64
"""Calls of ``Streams.random`` that one call of each generator serves."""


class Streams:
    """The generators of G games; ``random(size)`` gives each game its own next uniforms."""

    def __init__(self, generators: Sequence[np.random.Generator]) -> None:
        self.generators = generators
        self._ahead, self._next = np.empty((len(generators), 0)), 0

    def random(self, size: int | tuple[int, ...]) -> Floats:
        """Draw uniforms in [0, 1), (G,) + size."""
        shape = (size,) if isinstance(size, int) else size
        count = int(np.prod(shape))
        if self._next + count > self._ahead.shape[1]:
            self._draw(count * AHEAD)
        self._next += count
        return self._ahead[:, self._next - count : self._next].reshape(-1, *shape)

    def _draw(self, count: int) -> None:
        """Draw ``count`` more uniforms for each game, behind those that are left."""
        left = self._ahead[:, self._next :]
        fresh = np.empty((len(self.generators), count))
        for generator, row in zip(self.generators, fresh, strict=True):
            generator.random(out=row)
        self._ahead, self._next = np.concatenate([left, fresh], 1), 0


class TabularGames:
    """G tabular games in lockstep: the moves of ``Game`` with a leading axis (G,).

    A signal function must map rewards (G, B, n) to (G, B).
    """

    def __init__(self, env: tabular.raw_env, games: int) -> None:
        if not isinstance(env.reward_model, TabularReward):
            raise ValueError(
                f"the vector engine plays rewards that are a table, not "
                f"{type(env.reward_model).__name__}; give vectorization_mode='sync'"
            )
        if env.game.creator_reward_model is not None:
            raise ValueError(
                "the vector engine plays one reward model for both players; leave out "
                "creator_reward_model, or give vectorization_mode='sync'"
            )
        self.rules, self.games, self._first_model = env.game, games, env.reward_model
        self.encoding = replace(env.encoding, lead=(games,))
        self.streams: Streams | None = None
        self.reset(None)

    def reset(self, seeds: Sequence[int] | None) -> None:
        """Start an episode in each game; without seeds the generators continue."""
        if seeds is not None:
            self.streams = Streams([np.random.default_rng(seed) for seed in seeds])
        elif self.streams is None:
            self.streams = Streams([np.random.default_rng() for _ in range(self.games)])
        self.model = self._first_model
        self.index = 0
        self.probabilities: Floats | None = None
        self.prompts: Any = None
        self.last: Round | None = None

    @property
    def done(self) -> bool:
        """True once all T rounds are played."""
        return self.index >= self.rules.rounds

    def propose(self, actions: Any) -> Ints:
        """Make the creators' moves (G, slots); return the drawn prompts, (G, B)."""
        if np.shape(actions) != (self.games, self.encoding.size):
            raise ValueError(
                f"actions must have shape {(self.games, self.encoding.size)}, "
                f"got {np.shape(actions)}"
            )
        self.logits = self.encoding.logits(actions)
        if not np.isfinite(self.logits.sum()):
            raise ValueError("actions must be finite")
        self.probabilities = softmax(self.logits)
        self.prompts = self.encoding.prompts[self._draw(self.probabilities)]
        return self.prompts

    def respond(self, actions: Any) -> Round:
        """Make the solvers' moves (G, B * n); return the rounds as one, with a first axis (G,).

        Missing rewards (NaN) are left out. Raises ValueError for rewards that are misshapen or
        infinite, and signals that are misshapen or not finite; the round is then still to be
        played.
        """
        rules, model, prompts = self.rules, self.model, self.prompts
        if prompts is None:
            raise RuntimeError("the creators are to move: call propose()")
        # 1. Score the responses.
        responses = self.encoding.responses(actions)
        rewards = check_rewards(self._score(prompts, responses), responses.shape, model)
        totals = np.add.reduce(rewards.reshape(self.games, -1), -1)
        missing = not isfinite(np.add.reduce(totals))
        if missing:
            missing = require_no_infinite(rewards, prompts, model)
        # 2. Pay all players.
        signal = signal_values(rules.signal, model, prompts, rewards, missing)
        creator = creator_payoff(signal, missing=missing)
        solver = totals / (rules.batch_size * rules.samples)
        if missing:
            solver = np.array([solver_payoff(game) for game in rewards])
        if rules.zero_sum:
            solver = -creator
        payoffs: Any = {CREATOR: creator, SOLVER: solver}
        # 3. Record the round, and move on to the next reward model.
        proposal = Proposal(self.encoding.prompts, self.logits)
        round = Round(self.index, proposal, prompts, responses, rewards, signal, payoffs)
        self.model, self.last = model.advance(round), round
        self.index += 1
        return round

    def observe(self, player: str) -> Floats:
        """Return the player's observation in every game, (G, ...)."""
        left = 1 - self.index / self.rules.rounds
        if player == CREATOR:
            return self.encoding.creator_observation(left, self.probabilities, self.last)
        return self.encoding.solver_observation(left, self.prompts)

    def _score(self, prompts: Ints, responses: Ints) -> Floats:
        if self.model.noise_std is None:
            places = prompts[..., None] * self.model.matrix.shape[1] + responses
            return self.model.matrix.ravel().take(places)
        # Noise depends on what repeats within a batch, so the games are scored one by one.
        pairs = zip(prompts, responses, strict=True)
        return np.stack([self.model(batch, answers) for batch, answers in pairs])

    def _draw(self, probabilities: Floats) -> Ints:
        """Draw slots (G, B), by the arithmetic of ``draw_iid`` step for step."""
        assert self.streams is not None
        size = self.rules.batch_size
        if not self.rules.replacement:
            pairs = zip(probabilities, self.streams.generators, strict=True)
            return np.stack([draw_without_replacement(p, size, rng) for p, rng in pairs])
        cdf = probabilities.cumsum(-1)
        end = cdf[:, -1:]
        values = np.minimum(self.streams.random(size) * end, np.nextafter(end, 0))
        # The index of a value is the number of cdf entries up to it. The shorter loop is in
        # Python: with more slots than games search game by game, else count slot by slot.
        if self.encoding.size > self.games:
            rows = zip(cdf, values, strict=True)
            return np.stack([row.searchsorted(value, "right") for row, value in rows])
        slots = np.zeros(values.shape, np.int64)
        for column in cdf.T[:-1]:
            slots += column[:, None] <= values
        return slots


class TabularVector(VectorEnv):
    """One player's side of G tabular games, against a fixed opponent.

    An opponent gets observations (G, ...) and a generator whose ``random(size)`` has shape
    (G,) + size, and returns actions (G, ...). A function that works on the last axes serves one
    game and many. ``eva_env.envs.single_agent`` defines the opponents. Autoreset is NEXT_STEP,
    for all games at once.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        player: str,
        num_envs: int,
        opponent: Opponent | None,
        arguments: dict[str, Any],
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
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
        """Start an episode; an integer seed gives game i the seed ``seed + i``."""
        seeds = None
        if seed is not None:
            seeds = range(seed, seed + self.num_envs) if isinstance(seed, int) else list(seed)
            if len(seeds) != self.num_envs:
                raise ValueError(f"seed must be {self.num_envs} integers, got {len(seeds)}")
            super().reset(seed=int(seeds[0]))
            self._seed_opponent(seeds)
        self.engine.reset(seeds)
        if self.player == SOLVER:
            self._move_creators()
        return self.engine.observe(self.player), {}

    def step(self, actions: Any) -> tuple[Floats, Floats, Any, Any, dict[str, Any]]:
        """Play one round in every game, or start the next episode after the last round."""
        engine, truncated = self.engine, np.zeros(self.num_envs, np.bool_)
        # 1. After the last round a step only starts the next episode (NEXT_STEP autoreset).
        if engine.done:
            observation, info = self.reset()
            return observation, np.zeros(self.num_envs), truncated, truncated.copy(), info
        # 2. Complete the round: a creator's move needs the solvers' responses.
        if self.player == CREATOR:
            engine.propose(actions)
            actions = self.opponent(engine.observe(SOLVER), self._opponent_rng)
        rewards = engine.respond(actions).payoffs[self.player]
        # 3. A solver sees the next batch, so the creators move before it observes.
        if self.player == SOLVER and not engine.done:
            self._move_creators()
        terminated: Any = np.full(self.num_envs, engine.done)
        payoffs: Any = rewards
        return engine.observe(self.player), payoffs, terminated, truncated, {}

    def _move_creators(self) -> None:
        engine = self.engine
        engine.propose(self.opponent(engine.observe(CREATOR), self._opponent_rng))

    def _seed_opponent(self, seeds: Sequence[int | None]) -> None:
        generators = [np.random.default_rng(seed).spawn(1)[0] for seed in seeds]
        self._opponent_rng = Streams(generators)


class TabularCreators(TabularVector):
    """The creator's side of G games."""

    def __init__(
        self, num_envs: int = 1, opponent: Opponent | None = None, **kwargs: Any
    ) -> None:
        super().__init__(CREATOR, num_envs, opponent, kwargs)


class TabularSolvers(TabularVector):
    """The solver's side of G games."""

    def __init__(
        self, num_envs: int = 1, opponent: Opponent | None = None, **kwargs: Any
    ) -> None:
        super().__init__(SOLVER, num_envs, opponent, kwargs)
