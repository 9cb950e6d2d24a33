"""PettingZoo environments of tabular worlds: prompts and responses are integers."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box

from eva_env.boundary import LARGEST, NO_LIMITS, Limits
from eva_env.envs.base import BaseEnv, PipelinedEnv, SequentialEnv
from eva_env.envs.render import tabular_ansi, tabular_image
from eva_env.envs.spaces import Choices, UnitBox
from eva_env.envs.tabular_encoding import TabularEncoding
from eva_env.envs.wrapping import CheckedEnv
from eva_env.game import Game
from eva_env.real_numbers import check_numbers
from eva_env.signals import Signal
from eva_env.tabular.world import TabularWorld
from eva_env.types import (
    CREATOR,
    SOLVER,
    Floats,
    HasMatrix,
    Ints,
    Proposal,
    RewardModel,
    offers,
)

DEFAULT_WORLD = TabularWorld(topics=2, levels=4, variants=2, responses=4)
"""Eight prompts to publish and four responses, so small that players learn in seconds."""


class TabularEnv(BaseEnv):
    """Spaces and moves of the tabular family.

    The creator's action space is ``Box(-1, 1, (slots,), float32)``: logits, in units of
    ``eva_env.envs.spaces.SCALE`` nats, over the prompts that the world lets a creator publish
    (zeros are uniform). The solver's is ``MultiDiscrete([M] * (B * n))``: the responses, row by
    row. ``TabularEncoding`` documents the observations.

    Args:
        world: the prompts, responses and rewards; by default ``DEFAULT_WORLD``.
        batch_size: B, prompts drawn from each proposal.
        samples: n, responses to each prompt.
        max_cycles: T, rounds of an episode.
        signal: the creator's payoff; see ``eva_env.game.Game``.
        zero_sum: pay the solver minus the creator's payoff.
        replacement: draw prompts i.i.d.; False draws without replacement.
        reward: "proxy" or "gold", the world's rewards, or a reward model over integers.
        creator_reward_model: pays the creator, if not ``reward``; over integers.
        render_mode: "ansi", "human", "rgb_array" or None.
        limits: the time that reward models may take.
    """

    metadata = BaseEnv.metadata | {"name": "tabular_v0"}

    def __init__(
        self,
        world: TabularWorld | None = None,
        *,
        batch_size: int = 4,
        samples: int = 2,
        max_cycles: int = 16,
        signal: str | Signal = "regret",
        zero_sum: bool = False,
        replacement: bool = True,
        reward: str | RewardModel = "proxy",
        render_mode: str | None = None,
        creator_reward_model: RewardModel | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        world = DEFAULT_WORLD if world is None else world
        model = world.reward_model(reward) if isinstance(reward, str) else reward
        game = Game(
            model,
            batch_size=batch_size,
            samples=samples,
            rounds=max_cycles,
            signal=signal,
            zero_sum=zero_sum,
            replacement=replacement,
            creator_reward_model=creator_reward_model,
            limits=limits,
        )
        self.reward_model = model
        matrix = model.matrix if offers(model, HasMatrix) else world.gold
        self.encoding = TabularEncoding(world, matrix, batch_size, samples)
        super().__init__(game, world, self.encoding.size, render_mode)
        self.action_of = action_spaces(self.encoding)
        self.observation_of = observation_spaces(self.encoding)
        self.state_space = Box(0, 1, (1 + 4 * self.encoding.size,), np.float32)

    def proposal(self, action: Any) -> Proposal:
        """Return all prompts that a creator may publish, with the action's logits.

        Raises ValueError unless the action is a finite number for each of them.
        """
        rule = "logits must be finite numbers"
        action = check_numbers(action, (self.encoding.size,), rule, LARGEST)
        return Proposal(self.encoding.prompts, self.encoding.logits(action))

    def responses(self, action: Any) -> Ints:
        """Return the action as (B, n) responses; ValueError unless in 0 ... M-1."""
        return self.encoding.responses(action)

    def creator_action(self, proposal: Proposal) -> Floats:
        """Return the Box action of a proposal; probabilities of repeated prompts add.

        Raises ValueError for more prompts than slots, and for ids that may not be published.
        """
        return self.encoding.creator_action(proposal)

    def solver_action(self, responses: Any) -> Ints:
        """Return the MultiDiscrete action of (B, n) responses; ValueError for another shape."""
        self.check_responses(responses)
        return self.encoding.responses(np.asarray(responses)).astype(np.int64).ravel()

    def observe(self, agent: str) -> Floats:
        """Return the player's observation, as ``TabularEncoding`` documents it."""
        game = self.game
        left = 1 - game.index / game.rounds
        if agent == CREATOR:
            return self.encoding.creator_observation(left, game.probabilities, game.last)
        return self.encoding.solver_observation(left, self._batch())

    def state(self) -> Floats:
        """Return the global state; see ``TabularEncoding.state``."""
        game = self.game
        left = 1 - game.index / game.rounds
        return self.encoding.state(left, game.probabilities, self._batch(), game.last)

    def _batch(self) -> Any:
        """Return the drawn prompts, (B,); None before the first batch."""
        prompts: Any = self.game.prompts
        return prompts if len(prompts) else None

    def reference(self, rng: np.random.Generator) -> Proposal:
        """Return the uniform distribution."""
        return Proposal(self.encoding.prompts, np.zeros(self.encoding.size))

    def ansi(self) -> str:
        """Return each prompt's probability, and the mean reward and signal of drawn prompts."""
        return tabular_ansi(self.game, self.encoding.prompts)

    def image(self) -> Any:
        """Return the numbers of ``ansi`` as bars."""
        return tabular_image(self.game, self.encoding.prompts)


def action_spaces(encoding: TabularEncoding) -> dict[str, Any]:
    """Return each player's action space in one game."""
    count = encoding.batch_size * encoding.samples
    responses = Choices(encoding.matrix.shape[1], count)
    return {CREATOR: UnitBox((encoding.size,)), SOLVER: responses}


def observation_spaces(encoding: TabularEncoding) -> dict[str, Any]:
    """Return each player's observation space in one game."""
    return {
        CREATOR: Box(0, 1, (1 + 3 * encoding.size,), np.float32),
        SOLVER: Box(0, 1, (1 + encoding.batch_size * encoding.size,), np.float32),
    }


class raw_env(TabularEnv, SequentialEnv):
    """The canonical AEC env without wrappers."""


class raw_parallel_env(TabularEnv, PipelinedEnv):
    """The native pipelined parallel env."""


def env(**kwargs: Any) -> CheckedEnv:
    """Make the AEC env, with checks of actions and of the order of calls; see ``raw_env``."""
    return CheckedEnv(raw_env(**kwargs))


def parallel_env(**kwargs: Any) -> raw_parallel_env:
    """Make the parallel env; see ``raw_parallel_env``."""
    return raw_parallel_env(**kwargs)
