"""What the faces of all families share: the PettingZoo bookkeeping around one ``Game``.

A family (tabular, text) says what its players see and how an action becomes a move; here
stands who moves when. ``SequentialEnv`` is the canonical order. ``PipelinedEnv`` moves both
at once and is not ``aec_to_parallel`` of it, in which the solver would answer stale prompts.
"""

from abc import ABC, abstractmethod
from copy import copy, deepcopy
from typing import Any, Self

import numpy as np
from gymnasium.spaces import Box, Space
from pettingzoo import AECEnv, ParallelEnv

from eva_env.game import Game
from eva_env.types import CREATOR, SOLVER, Floats, Proposal


class BaseEnv(ABC):
    """A game with spaces: what a family must say, and what all faces can do."""

    metadata: dict[str, Any] = {
        "name": "eva",
        "render_modes": ["ansi", "human", "rgb_array"],
        "render_fps": 2,
        "is_parallelizable": False,
    }
    observation_of: dict[str, Space[Any]]
    action_of: dict[str, Space[Any]]
    state_space: Box
    changing: tuple[str, ...] = ("agents",)
    """Attributes that, with the game, are all that changes during an episode."""

    def __init__(self, game: Game, task: Any, proposals: int, render_mode: str | None) -> None:
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise ValueError(f"render_mode must be one of {modes}, got {render_mode!r}")
        self.game, self.task, self.proposals = game, task, proposals
        self.render_mode, self.max_cycles = render_mode, game.rounds
        self.metadata = deepcopy(self.metadata)
        self.possible_agents = [CREATOR, SOLVER]
        self.agents: list[str] = []

    # What a family says

    @abstractmethod
    def proposal(self, action: Any) -> Proposal:
        """The creator's action as the game's move."""

    @abstractmethod
    def responses(self, action: Any) -> Any:
        """The solver's action as the game's move, (B, n)."""

    @abstractmethod
    def creator_action(self, proposal: Proposal) -> Any:
        """A legal action that publishes the proposal; ValueError if there is none."""

    @abstractmethod
    def solver_action(self, responses: Any) -> Any:
        """A legal action that gives the (B, n) responses; ValueError if there is none."""

    @abstractmethod
    def observe(self, agent: str) -> Any:
        """What the player sees now."""

    @abstractmethod
    def state(self) -> Floats:
        """The round in numbers, a member of ``state_space``."""

    @abstractmethod
    def reference(self, rng: np.random.Generator) -> Proposal:
        """The distribution of prompts before any creator has moved."""

    @abstractmethod
    def ansi(self) -> str:
        """The last round as text."""

    @abstractmethod
    def image(self) -> Any:
        """The last round as a picture, (height, width, 3) uint8."""

    def info(self, agent: str) -> dict[str, Any]:
        """What the player is told besides the observation; a new dictionary each time."""
        return {}

    # What all faces do

    def observation_space(self, agent: str) -> Space[Any]:
        """The player's observation space, always the same object."""
        return self.observation_of[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """The player's action space, always the same object."""
        return self.action_of[agent]

    def render(self) -> Any:
        """The last round: text, (height, width, 3) uint8 pixels, or printed ("human")."""
        if self.render_mode == "rgb_array":
            return self.image()
        if self.render_mode == "ansi":
            return self.ansi()
        if self.render_mode == "human":
            print(self.ansi())
        return None

    def close(self) -> None:  # noqa: B027
        """Nothing is held open."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes during an episode, picklable and independent of the env."""
        own = {name: copy(getattr(self, name)) for name in self.changing}
        return {"game": self.game.state_dict(), **own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state_dict()`` of an env made with the same arguments."""
        self.game.load_state_dict(state["game"])
        for name in self.changing:
            setattr(self, name, copy(state[name]))

    def fork(self) -> Self:
        """An independent copy that continues identically; task and spaces are shared."""
        twin = copy(self)
        twin.game = self.game.fork()
        for name in self.changing:
            setattr(twin, name, copy(getattr(self, name)))
        return twin


class SequentialEnv(BaseEnv, AECEnv):
    """The canonical AEC env: the creator publishes, the solver answers, both are paid.

    Rewards are payoffs. After T rounds both players are terminated, not truncated: the
    horizon is part of the game. A move that raises leaves the env as it was.
    """

    changing = (
        "agents",
        "rewards",
        "terminations",
        "truncations",
        "infos",
        "agent_selection",
        "_cumulative_rewards",
        "_skip_agent_selection",
    )

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start an episode; with a seed its draws are fixed, options are ignored."""
        self.game.reset(seed)
        self.agents = [CREATOR, SOLVER]
        self.rewards = {CREATOR: 0.0, SOLVER: 0.0}
        self._cumulative_rewards = {CREATOR: 0.0, SOLVER: 0.0}
        self.terminations = {CREATOR: False, SOLVER: False}
        self.truncations = {CREATOR: False, SOLVER: False}
        self.infos = {CREATOR: self.info(CREATOR), SOLVER: self.info(SOLVER)}
        self.agent_selection = CREATOR
        self._skip_agent_selection = None

    def step(self, action: Any) -> None:
        """One player's move; None for a player that is terminated."""
        agent, game = self.agent_selection, self.game
        if self.terminations[agent]:
            self._was_dead_step(action)
        elif agent == CREATOR:
            game.propose(self.proposal(action))
            self.rewards = {CREATOR: 0.0, SOLVER: 0.0}
            self._cumulative_rewards[CREATOR] = 0.0
            self.infos = {CREATOR: self.info(CREATOR), SOLVER: self.info(SOLVER)}
            self.agent_selection = SOLVER
        else:
            payoffs = game.respond(self.responses(action)).payoffs
            self.rewards = dict(payoffs)
            self._cumulative_rewards = {
                CREATOR: self._cumulative_rewards[CREATOR] + payoffs[CREATOR],
                SOLVER: payoffs[SOLVER],
            }
            self.infos = {CREATOR: self.info(CREATOR), SOLVER: self.info(SOLVER)}
            self.terminations = {CREATOR: game.done, SOLVER: game.done}
            self.agent_selection = CREATOR
            if self.render_mode == "human":
                self.render()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state_dict()``; an env made for more rounds plays on past the end."""
        super().load_state_dict(state)
        if not self.game.done:
            self.terminations = {CREATOR: False, SOLVER: False}


class PipelinedEnv(BaseEnv, ParallelEnv):
    """The native parallel env: both move at once, the creator one round ahead.

    In step t the solver answers batch t while the creator publishes the distribution of batch
    t + 1; batch 0 comes from ``reference``. So the creator's reward at step t is for its action
    at t - 1, and its last action is only kept, as ``final_proposal``. Exactly T steps. Moves
    that raise leave the env as it was.
    """

    changing = ("agents", "final_proposal")

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode; with a seed its draws are fixed, options are ignored."""
        self.game.reset(seed)
        self.game.propose(self.reference(self.game.rng))
        self.agents = [CREATOR, SOLVER]
        self.final_proposal: Proposal | None = None
        return self._observations()

    def step(self, actions: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        """Both moves at once; five empty dictionaries once the episode is over."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        game, proposal = self.game, self.proposal(actions[CREATOR])
        before = vars(game).copy()
        rewards = dict(game.respond(self.responses(actions[SOLVER])).payoffs)
        done = game.done
        if done:
            self.final_proposal = proposal
        else:
            try:
                game.propose(proposal)
            except Exception:
                vars(game).update(before)
                raise
        observations, infos = self._observations()
        if done:
            self.agents = []
        elif self.render_mode == "human":
            self.render()
        over = {CREATOR: done, SOLVER: done}
        return observations, rewards, over, {CREATOR: False, SOLVER: False}, infos

    def _observations(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        return (
            {agent: self.observe(agent) for agent in self.possible_agents},
            {agent: self.info(agent) for agent in self.possible_agents},
        )
