"""PettingZoo faces of the tabular family: prompts and responses are integers."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, OrderEnforcingWrapper

from eva_env.envs.base import BaseEnv, PipelinedEnv, SequentialEnv
from eva_env.envs.render import tabular_ansi, tabular_image
from eva_env.envs.spaces import Choices, UnitBox
from eva_env.envs.tabular_encoding import TabularEncoding
from eva_env.game import Game
from eva_env.signals import Signal
from eva_env.tabular.world import TabularWorld
from eva_env.types import CREATOR, SOLVER, Floats, Ints, Proposal, RewardModel

DEFAULT_WORLD = TabularWorld(topics=2, levels=4, variants=2, responses=4)
"""Eight prompts to publish and four responses, small enough to be learned in seconds."""


class TabularFace(BaseEnv):
    """Spaces and moves of the tabular family.

    Creator: ``Box(-1, 1, (slots,), float32)``, logits in units of ``eva_env.envs.spaces.SCALE`` nats
    over the prompts that the world lets a creator publish (cast to float32; zeros are
    uniform). Solver: ``MultiDiscrete([M] * (B * n))``, the responses row by row.

    Args:
        world: the prompts, responses and rewards; by default one of 8 prompts, 4 responses.
        batch_size: B, prompts drawn from each proposal.
        samples: n, responses to each prompt.
        max_cycles: T, rounds of an episode.
        signal: the creator's payoff; see ``eva_env.game.Game``.
        zero_sum: pay the solver minus the creator's payoff.
        replacement: draw prompts i.i.d., or without replacement.
        reward: "proxy" or "gold" rewards of the world, or a reward model over integers.
        render_mode: "ansi", "human", "rgb_array" or None.
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
        )
        self.reward_model = model
        self.board = TabularEncoding(
            world, getattr(model, "matrix", world.gold), batch_size, samples
        )
        super().__init__(game, world, self.board.size, render_mode)
        self.action_of, self.observation_of = action_spaces(self.board), spaces_seen(self.board)
        self.state_space = Box(0, 1, (1 + 4 * self.board.size,), np.float32)

    def proposal(self, action: Any) -> Proposal:
        """Every prompt of the world that may be published, with the action's logits."""
        return Proposal(self.board.prompts, self.board.logits(action))

    def responses(self, action: Any) -> Ints:
        """The action as (B, n) responses; ValueError unless in 0 ... M-1."""
        return self.board.responses(action)

    def creator_action(self, proposal: Proposal) -> Floats:
        """The Box action of a proposal; probabilities of repeated prompts add up.

        ValueError for more prompts than slots, and for ids that may not be published.
        """
        return self.board.creator_action(proposal)

    def solver_action(self, responses: Any) -> Ints:
        """The MultiDiscrete action of (B, n) responses; ValueError for another shape."""
        array, shape = np.asarray(responses), (self.game.batch_size, self.game.samples)
        if array.shape != shape:
            raise ValueError(f"responses must have shape {shape}, got {array.shape}")
        return self.board.responses(array).astype(np.int64).ravel()

    def observe(self, agent: str) -> Floats:
        """See ``TabularEncoding.creator_observation`` and ``TabularEncoding.solver_observation``."""
        game = self.game
        left = 1 - game.index / game.rounds
        if agent == CREATOR:
            return self.board.creator_observation(left, game.probabilities, game.last)
        return self.board.solver_observation(left, game.prompts if len(game.prompts) else None)  # type: ignore[arg-type]

    def state(self) -> Floats:
        """See ``TabularEncoding.state``."""
        game = self.game
        left, prompts = (
            1 - game.index / game.rounds,
            game.prompts if len(game.prompts) else None,
        )
        return self.board.state(left, game.probabilities, prompts, game.last)  # type: ignore[arg-type]

    def reference(self, rng: np.random.Generator) -> Proposal:
        """Uniform."""
        return Proposal(self.board.prompts, np.zeros(self.board.size))

    def ansi(self) -> str:
        """Each prompt's probability, and mean reward and signal where it was drawn."""
        return tabular_ansi(self.game, self.board.prompts)

    def image(self) -> Any:
        """Bars of the same."""
        return tabular_image(self.game, self.board.prompts)


def action_spaces(board: TabularEncoding) -> dict[str, Any]:
    """Each player's action space in one game."""
    count = board.batch_size * board.samples
    return {CREATOR: UnitBox((board.size,)), SOLVER: Choices(board.matrix.shape[1], count)}


def spaces_seen(board: TabularEncoding) -> dict[str, Any]:
    """Each player's observation space in one game."""
    return {
        CREATOR: Box(0, 1, (1 + 3 * board.size,), np.float32),
        SOLVER: Box(0, 1, (1 + board.batch_size * board.size,), np.float32),
    }


class raw_env(TabularFace, SequentialEnv):
    """The canonical AEC env without wrappers."""


class raw_parallel_env(TabularFace, PipelinedEnv):
    """The native pipelined parallel env."""


def env(**kwargs: Any) -> OrderEnforcingWrapper:
    """The AEC env that checks actions and the order of calls; arguments of ``raw_env``."""
    return OrderEnforcingWrapper(AssertOutOfBoundsWrapper(raw_env(**kwargs)))


def parallel_env(**kwargs: Any) -> raw_parallel_env:
    """The parallel env; arguments of ``raw_parallel_env``."""
    return raw_parallel_env(**kwargs)
