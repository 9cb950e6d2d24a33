"""The tabular game, G games at a time as arrays.

All games have the same T, so they run in lockstep and end together. Each game has its own
generator, seeded ``seed + i``, and the results equal those of the scalar game bit for bit. One
generator for all games would not be faster, since ``Streams`` draws uniforms ahead.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np

from eva_env.boundary import LARGEST, check_rewards, declares_missing, name_of
from eva_env.envs import tabular
from eva_env.game import draw_without_replacement, softmax
from eva_env.payoffs import creator_payoff, signal_values, solver_payoff
from eva_env.real_numbers import check_numbers
from eva_env.tabular.reward import TabularReward
from eva_env.types import CREATOR, SOLVER, Floats, Ints, Proposal, Round

AHEAD = 64
"""Calls of ``Streams.random`` that one call of each generator serves."""


class Streams:
    """The generators of G games; ``random(size)`` gives each game its own next uniforms."""

    def __init__(self, generators: Sequence[np.random.Generator]) -> None:
        self.generators = generators
        self._ahead, self._next = np.empty((len(generators), 0)), 0
        self._marked: int | None = None
        self._states: list[Any] = []

    def mark(self, with_generators: bool = False) -> None:
        """Keep what is drawn from now on, for ``rewind``.

        ``with_generators`` is for games that draw from the generators themselves.
        """
        self._marked = self._next
        if with_generators:
            self._states = [each.bit_generator.state for each in self.generators]

    def rewind(self) -> None:
        """Let the next draws repeat those since the last ``mark``."""
        assert self._marked is not None
        self._next = self._marked
        for generator, state in zip(self.generators, self._states, strict=False):
            generator.bit_generator.state = state

    def random(self, size: int | tuple[int, ...]) -> Floats:
        """Draw uniforms in [0, 1), (G,) + size."""
        shape = (size,) if isinstance(size, int) else size
        count = int(np.prod(shape))
        if self._next + count > self._ahead.shape[1]:
            self._draw(count * AHEAD)
        self._next += count
        return self._ahead[:, self._next - count : self._next].reshape(-1, *shape)

    def _draw(self, count: int) -> None:
        """Draw ``count`` more uniforms for each game, behind those that are left or marked."""
        start = self._next if self._marked is None else self._marked
        left = self._ahead[:, start:]
        fresh = np.empty((len(self.generators), count))
        for generator, row in zip(self.generators, fresh, strict=True):
            generator.random(out=row)
        self._ahead = np.concatenate([left, fresh], 1)
        self._next -= start
        self._marked = None if self._marked is None else 0


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

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """Take the moves of the block back, draws included, if it raises an error."""
        assert self.streams is not None
        before = vars(self).copy()
        self.streams.mark(with_generators=not self.rules.replacement)
        try:
            yield
        except Exception:
            vars(self).update(before)
            self.streams.rewind()
            raise

    @property
    def done(self) -> bool:
        """True once all T rounds are played."""
        return self.index >= self.rules.rounds

    def propose(self, actions: Any) -> Ints:
        """Make the creators' moves (G, slots); return the drawn prompts, (G, B)."""
        shape = (self.games, self.encoding.size)
        actions = check_numbers(actions, shape, "actions must be finite numbers", LARGEST)
        self.logits = self.encoding.logits(actions)
        self.probabilities = softmax(self.logits)
        self.prompts = self.encoding.prompts[self._draw(self.probabilities)]
        return self.prompts

    def respond(self, actions: Any) -> Round:
        """Make the solvers' moves (G, B * n); return the rounds as one, with a first axis (G,).

        Missing rewards (NaN) are left out. Raises ValueError for responses, rewards, best
        values and signals that break a rule of ``eva_env.boundary``; the round is then still to
        be played.
        """
        rules, model, prompts = self.rules, self.model, self.prompts
        if prompts is None:
            raise RuntimeError("the creators are to move: call propose()")
        # 1. Score the responses.
        responses = self.encoding.responses(actions)
        rewards = check_rewards(
            self._score(prompts, responses),
            responses.shape,
            prompts,
            name_of(model),
            declares_missing(model),
        )
        totals = np.add.reduce(rewards.reshape(self.games, -1), -1)
        missing = isnan(np.add.reduce(totals))
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
