"""The PettingZoo environments around one ``Game``, without the spaces of a family.

A family (tabular, text) defines what its players observe and how an action becomes a move.
This module defines the turn order. ``SequentialEnv`` is canonical: creator, then solver.
``PipelinedEnv`` moves both at once. ``aec_to_parallel`` of ``SequentialEnv`` cannot replace it:
its solver would respond to stale prompts.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy, deepcopy
from typing import Any, Self

import numpy as np
from gymnasium.spaces import Box, Space
from pettingzoo import AECEnv, ParallelEnv

from eva_env.boundary import check_responses
from eva_env.game import Game
from eva_env.plain_text import say
from eva_env.real_numbers import shown
from eva_env.types import CREATOR, SOLVER, Floats, Proposal


class BaseEnv(ABC):
    """A game with spaces: the methods that a family defines, and those that all envs share."""

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
    """Names of the attributes that, apart from the game, change during an episode."""

    def __init__(self, game: Game, task: Any, proposals: int, render_mode: str | None) -> None:
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise ValueError(f"render_mode must be one of {modes}, got {render_mode!r}")
        self.game, self.task, self.proposals = game, task, proposals
        self.render_mode, self.max_cycles = render_mode, game.rounds
        self.metadata = deepcopy(self.metadata)
        self.possible_agents = [CREATOR, SOLVER]
        self.agents: list[str] = []

    # Methods that a family defines

    @abstractmethod
    def proposal(self, action: Any) -> Proposal:
        """Return the game's move for the creator's action."""

    @abstractmethod
    def responses(self, action: Any) -> Any:
        """Return the game's move, (B, n) responses, for the solver's action."""

    @abstractmethod
    def creator_action(self, proposal: Proposal) -> Any:
        """Return the legal action that publishes the proposal; ValueError if none does."""

    @abstractmethod
    def solver_action(self, responses: Any) -> Any:
        """Return the legal action for the (B, n) responses; ValueError if there is none."""

    @abstractmethod
    def observe(self, agent: str) -> Any:
        """Return the player's present observation."""

    @abstractmethod
    def state(self) -> Floats:
        """Return the global state in numbers, a member of ``state_space``."""

    @abstractmethod
    def reference(self, rng: np.random.Generator) -> Proposal:
        """Return the proposal that is played before any creator moves."""

    @abstractmethod
    def ansi(self) -> str:
        """Return the last round as text."""

    @abstractmethod
    def image(self) -> Any:
        """Return the last round as an image, (height, width, 3) uint8."""

    def info(self, agent: str) -> dict[str, Any]:
        """Return the player's info besides the observation, a new dictionary each time."""
        return {}

    # Methods that all environments share

    def check_responses(self, responses: Any) -> None:
        """Raise ValueError unless the responses are legal rows, (B, n)."""
        game = self.game
        prompts = game.prompts if len(game.prompts) else range(game.batch_size)
        check_responses(prompts, responses, game.samples, game.limits.characters)

    def observation_space(self, agent: str) -> Space[Any]:
        """Return the player's observation space, the same object in every call."""
        return self.observation_of[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """Return the player's action space, the same object in every call."""
        return self.action_of[agent]

    def render(self) -> Any:
        """Render the last round in the mode of the constructor.

        "ansi" returns text, "rgb_array" an image (height, width, 3) uint8; "human" prints the
        text without control characters and returns None.
        """
        if self.render_mode == "rgb_array":
            return self.image()
        if self.render_mode == "ansi":
            return self.ansi()
        if self.render_mode == "human":
            say(self.ansi())
        return None

    def close(self) -> None:  # noqa: B027
        """Do nothing: the environment holds no resources."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes during an episode, picklable and independent of the env."""
        attributes = {name: copy(getattr(self, name)) for name in self.changing}
        return {"game": self.game.state_dict(), **attributes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state_dict()`` of an env made with the same arguments."""
        self.game.load_state_dict(state["game"])
        for name in self.changing:
            setattr(self, name, copy(state[name]))

    def fork(self) -> Self:
        """Return an independent copy that continues identically; it shares task and spaces."""
        twin = copy(self)
        twin.game = self.game.fork()
        for name in vars(self).keys() & set(self.changing):  # none of them before reset
            setattr(twin, name, copy(getattr(self, name)))
        return twin


def refuse_options(options: dict[str, Any] | None) -> None:
    """Raise ValueError, which names them, for options of ``reset``: there are none."""
    # PettingZoo's contract test gives {"options": 1} to every env.
    unknown = [name for name in options or () if name != "options"]
    if unknown:
        raise ValueError(
            f"reset has no option {', '.join(map(repr, unknown))}; leave it out, or give the "
            f"environment's settings to its constructor"
        )


class SequentialEnv(BaseEnv, AECEnv):
    """The canonical AEC env: the creator proposes, the solver responds, both are paid.

    PettingZoo's rewards are the game's payoffs. After T rounds both players are terminated, not
    truncated, since the horizon is part of the game. A move that raises an error does not
    change the env.
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
        """Start an episode. A seed fixes its draws; there are no options."""
        refuse_options(options)
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
        """Make the move of ``agent_selection``; None for a terminated player."""
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
    """The native parallel env: both players move at once, the creator one round ahead.

    In step t the solver responds to batch t, and the creator publishes the distribution of
    batch t + 1; batch 0 comes from ``reference``. The creator's reward at step t is therefore
    for its action at t - 1. Its last action is not played, only stored as ``final_proposal``.
    An episode has exactly T steps. Moves that raise an error do not change the env.
    """

    changing = ("agents", "final_proposal")

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode. A seed fixes its draws; there are no options."""
        refuse_options(options)
        self.game.reset(seed)
        self.game.propose(self.reference(self.game.rng))
        self.agents = [CREATOR, SOLVER]
        self.final_proposal: Proposal | None = None
        return self._observations()

    def step(self, actions: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        """Make both moves at once; return five empty dictionaries after the episode."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        # 1. Read the creator's action first: if it is illegal, nothing has happened yet.
        if not isinstance(actions, Mapping) or not {CREATOR, SOLVER} <= actions.keys():
            raise ValueError(
                f"actions must be a dictionary with {CREATOR} and {SOLVER}, got "
                f"{shown(actions)}"
            )
        game, proposal = self.game, self.proposal(actions[CREATOR])
        # 2. The solver responds to the present batch, which ends the round.
        before = vars(game).copy()
        payoffs = dict(game.respond(self.responses(actions[SOLVER])).payoffs)
        done = game.done
        # 3. The proposal draws the next batch. If the game refuses it, take the response back,
        #    so that the round can be played again.
        if done:
            self.final_proposal = proposal
        else:
            try:
                game.propose(proposal)
            except Exception:
                vars(game).update(before)
                raise
        # 4. Both players see the new batch; after the last round the env has no agents.
        observations, infos = self._observations()
        if done:
            self.agents = []
        elif self.render_mode == "human":
            self.render()
        terminations = {CREATOR: done, SOLVER: done}
        truncations = {CREATOR: False, SOLVER: False}
        return observations, payoffs, terminations, truncations, infos

    def _observations(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        return (
            {agent: self.observe(agent) for agent in self.possible_agents},
            {agent: self.info(agent) for agent in self.possible_agents},
        )
