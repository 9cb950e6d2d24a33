"""The tabular game, G at a time, as arrays: the vector engine behind ``gymnasium.make_vec``.

All games have the same T, so they run in lockstep and end together. Each has a generator of
its own, seeded ``seed + i``, and the results are those of the scalar game bit for bit. One
generator for all would not be faster, since uniforms are drawn ahead.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from eva_env.envs import tabular
from eva_env.envs.single_agent import Opponent
from eva_env.game import draw_without_replacement, softmax
from eva_env.signals import SIGNALS
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
        """Uniforms in [0, 1), (G,) + size."""
        shape = (size,) if isinstance(size, int) else size
        count = int(np.prod(shape))
        if self._next + count > self._ahead.shape[1]:
            self._draw(count * AHEAD)
        self._next += count
        return self._ahead[:, self._next - count : self._next].reshape(-1, *shape)

    def _draw(self, count: int) -> None:
        left = self._ahead[:, self._next :]
        fresh = np.empty((len(self.generators), count))
        for generator, row in zip(self.generators, fresh, strict=True):
            generator.random(out=row)
        self._ahead, self._next = np.concatenate([left, fresh], 1), 0


class TabularGames:
    """G tabular games in lockstep; the moves of ``Game`` with a leading axis (G,).

    A signal function of your own must accept rewards (G, B, n) and give (G, B).
    """

    def __init__(self, env: tabular.raw_env, games: int) -> None:
        if not isinstance(env.reward_model, TabularReward):
            raise ValueError(
                f"the vector engine plays rewards that are a table, not "
                f"{type(env.reward_model).__name__}; give vectorization_mode='sync'"
            )
        self.rules, self.games, self._first_model = env.game, games, env.reward_model
        self.encoding = replace(env.encoding, lead=(games,))
        self.reset(None)

    def reset(self, seeds: Sequence[int] | None) -> None:
        """Start an episode in each game; without seeds the generators run on."""
        if seeds is not None or not hasattr(self, "streams"):
            sources = [None] * self.games if seeds is None else seeds
            self.streams = Streams([np.random.default_rng(seed) for seed in sources])
        self.model = self._first_model
        self.index = 0
        self.probabilities: Floats | None = None
        self.prompts: Any = None
        self.last: Round | None = None

    @property
    def done(self) -> bool:
        """Whether all T rounds have been played."""
        return self.index >= self.rules.rounds

    def propose(self, actions: Any) -> Ints:
        """The creators' moves (G, slots): prompts drawn, (G, B)."""
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
        """The solvers' moves (G, B * n); a round whose arrays have the leading axis (G,)."""
        rules, prompts = self.rules, self.prompts
        if prompts is None:
            raise RuntimeError("the creators are to move: call propose()")
        responses = self.encoding.responses(actions)
        rewards = self._score(prompts, responses)
        if rules.signal == "regret":
            signal = self.model.best(prompts) - np.add.reduce(rewards, -1) / rules.samples
        else:
            measure = SIGNALS[rules.signal] if isinstance(rules.signal, str) else rules.signal
            signal = measure(rewards)
        creator = np.add.reduce(signal, -1) / rules.batch_size
        totals = np.add.reduce(rewards.reshape(self.games, -1), -1)
        solver = -creator if rules.zero_sum else totals / (rules.batch_size * rules.samples)
        proposal = Proposal(self.encoding.prompts, self.logits)
        payoffs: Any = {CREATOR: creator, SOLVER: solver}
        round = Round(self.index, proposal, prompts, responses, rewards, signal, payoffs)
        self.model, self.last = self.model.advance(round), round
        self.index += 1
        return round

    def observe(self, player: str) -> Floats:
        """What the players of that name see, (G, ...)."""
        left = 1 - self.index / self.rules.rounds
        if player == CREATOR:
            return self.encoding.creator_observation(left, self.probabilities, self.last)
        return self.encoding.solver_observation(left, self.prompts)

    def _score(self, prompts: Ints, responses: Ints) -> Floats:
        if self.model.noise_std is None:
            cells = prompts[..., None] * self.model.matrix.shape[1] + responses
            return self.model.matrix.ravel().take(cells)
        pairs = zip(prompts, responses, strict=True)
        return np.stack([self.model(drawn, answers) for drawn, answers in pairs])

    def _draw(self, probabilities: Floats) -> Ints:
        """Slots (G, B); the arithmetic of ``draw_iid`` step for step."""
        size = self.rules.batch_size
        if not self.rules.replacement:
            pairs = zip(probabilities, self.streams.generators, strict=True)
            return np.stack([draw_without_replacement(p, size, rng) for p, rng in pairs])
        cdf = probabilities.cumsum(-1)
        end = cdf[:, -1:]
        values = np.minimum(self.streams.random(size) * end, np.nextafter(end, 0))
        if self.encoding.size > self.games:
            rows = zip(cdf, values, strict=True)
            return np.stack([row.searchsorted(value, "right") for row, value in rows])
        slots = np.zeros(values.shape, np.int64)
        for column in cdf.T[:-1]:
            slots += column[:, None] <= values
        return slots


class TabularVector(VectorEnv):
    """One player's side of G tabular games; see ``eva_env.envs.single_agent`` for the opponents.

    An opponent gets observations (G, ...) and a generator whose ``random(size)`` has shape
    (G,) + size, and returns actions (G, ...): written on the last axes, the same function
    serves one game. Autoreset is NEXT_STEP, for all games at once.
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
        usual = encoding.reference_solver if player == CREATOR else encoding.uniform_creator
        self.opponent = opponent or usual
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
            self._creators_move()
        return self.engine.observe(self.player), {}

    def step(self, actions: Any) -> tuple[Floats, Floats, Any, Any, dict[str, Any]]:
        """Play one round in every game, or start the next episode after the last round."""
        engine, still = self.engine, np.zeros(self.num_envs, np.bool_)
        if engine.done:
            observation, info = self.reset()
            return observation, np.zeros(self.num_envs), still, still.copy(), info
        if self.player == CREATOR:
            engine.propose(actions)
            actions = self.opponent(engine.observe(SOLVER), self._opponent_rng)
        rewards = engine.respond(actions).payoffs[self.player]
        if self.player == SOLVER and not engine.done:
            self._creators_move()
        over = np.full(self.num_envs, engine.done)
        return engine.observe(self.player), rewards, over, still, {}  # type: ignore[return-value]

    def _creators_move(self) -> None:
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
