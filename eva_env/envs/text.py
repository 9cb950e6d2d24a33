"""PettingZoo environments of text worlds: prompts and responses are strings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict

from eva_env.boundary import LARGEST, NO_LIMITS, Limits
from eva_env.envs.base import BaseEnv, PipelinedEnv, SequentialEnv
from eva_env.envs.render import text_ansi, text_image
from eva_env.envs.spaces import SCALE, TextBatch, UnitBox, box_action
from eva_env.envs.wrapping import CheckedEnv
from eva_env.game import Game
from eva_env.missing import prompt_means, without_missing
from eva_env.real_numbers import check_numbers, shown
from eva_env.signals import Signal
from eva_env.types import CREATOR, SOLVER, Floats, Proposal, RewardModel, Task
from eva_env.wordlist import Gold, Wordlist

MAX_LENGTH = 65_536
"""Most characters of a prompt."""

FLOAT32_MAX = float(np.finfo(np.float32).max)


class TextEnv(BaseEnv):
    """Spaces and moves of the text family.

    The creator's action is ``{"logits": Box(-1, 1, (N,)), "prompts": TextBatch (N,)}``; logits
    are in units of ``eva_env.envs.spaces.SCALE`` nats, and "" is an unused slot. Prompts that
    the task rejects are never drawn, and cost the creator their probability. If no prompt is
    valid, the round is played on prompts from ``task.seed``. The solver's action is
    ``TextBatch (B, n)``.

    Both players observe ``observation``: the share of rounds left, and the probability that the
    last proposal gave to invalid prompts. The creator also observes the last batch and its
    rewards, the solver the batch to respond to. The creator observes the rewards of its own
    reward model if it has one. A missing reward shows as the mean of the prompt's other
    rewards, and as 0 without any.

    Args:
        task: the source of prompts; by default ``Wordlist()``.
        reward_model: the dynamics; by default the wordlist verifier ``Gold()``.
        creator_reward_model: pays the creator, if not ``reward_model``.
        proposals: N, slots of a proposal.
        batch_size: B, prompts drawn from each proposal.
        samples: n, responses to each prompt.
        max_cycles: T, rounds of an episode.
        signal: the creator's payoff; see ``eva_env.game.Game``.
        zero_sum: pay the solver minus the creator's payoff.
        replacement: draw prompts i.i.d.; False draws without replacement.
        render_mode: "ansi", "human", "rgb_array" or None.
        limits: the length of responses, and the time that reward models may take.
    """

    metadata = BaseEnv.metadata | {"name": "text_v0"}

    def __init__(
        self,
        task: Task | None = None,
        reward_model: RewardModel | None = None,
        *,
        proposals: int = 8,
        batch_size: int = 4,
        samples: int = 2,
        max_cycles: int = 16,
        signal: str | Signal = "regret",
        zero_sum: bool = False,
        replacement: bool = True,
        render_mode: str | None = None,
        creator_reward_model: RewardModel | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        if task is not None and reward_model is None:
            raise ValueError(
                "a task needs a reward model that scores it; give reward_model=..."
            )
        if proposals < 1:
            raise ValueError(f"proposals must be at least 1, got {proposals}")
        task = Wordlist() if task is None else task
        game = Game(
            Gold() if reward_model is None else reward_model,
            batch_size=batch_size,
            samples=samples,
            rounds=max_cycles,
            signal=signal,
            zero_sum=zero_sum,
            replacement=replacement,
            valid=task.valid,
            fallback=task.seed,
            creator_reward_model=creator_reward_model,
            limits=limits,
        )
        super().__init__(game, task, proposals, render_mode)
        self._declare(batch_size, samples)

    def _declare(self, batch_size: int, samples: int) -> None:
        numbers = Box(0, 1, (2,), np.float32)
        batch = TextBatch((batch_size,), MAX_LENGTH)
        rewards = Box(-FLOAT32_MAX, FLOAT32_MAX, (batch_size, samples), np.float32)
        self.observation_of = {
            CREATOR: Dict(observation=numbers, prompts=batch, rewards=rewards),
            SOLVER: Dict(
                observation=Box(0, 1, (2,), np.float32),
                prompts=TextBatch((batch_size,), MAX_LENGTH),
            ),
        }
        self.action_of = {
            CREATOR: Dict(
                logits=UnitBox((self.proposals,)),
                prompts=TextBatch((self.proposals,), MAX_LENGTH),
            ),
            SOLVER: TextBatch((batch_size, samples), self.game.limits.characters),
        }
        low = np.array([0, 0] + [-FLOAT32_MAX] * (2 * batch_size), np.float32)
        high = np.array([1, 1] + [FLOAT32_MAX] * (2 * batch_size), np.float32)
        self.state_space = Box(low, high, dtype=np.float32)

    def proposal(self, action: Any) -> Proposal:
        """Return the action's prompts and logits."""
        if not isinstance(action, Mapping) or not {"logits", "prompts"} <= action.keys():
            raise ValueError(
                f"the creator's action must be a dictionary with logits and prompts, got "
                f"{shown(action)}"
            )
        space: Any = self.action_of[CREATOR]
        _refuse("prompts", space["prompts"].violation(action["prompts"]))
        logits = check_numbers(
            action["logits"], (self.proposals,), "logits must be finite numbers", LARGEST
        )
        return Proposal(tuple(action["prompts"]), SCALE * logits)

    def responses(self, action: Any) -> Sequence[Sequence[str]]:
        """Return the action unchanged; ValueError unless its strings are legal."""
        space: Any = self.action_of[SOLVER]
        _refuse("responses", space.violation(action))
        return action

    def creator_action(self, proposal: Proposal) -> dict[str, Any]:
        """Return the proposal padded to N slots, its logits shifted and clipped to the Box.

        Raises ValueError for more than N prompts, and for text outside the space.
        """
        count, logits = len(proposal.prompts), np.asarray(proposal.logits, dtype=np.float64)
        if not 0 < count <= self.proposals:
            remedy = f"; make the env with proposals={count}" if count else ""
            raise ValueError(
                f"a proposal must hold 1 ... {self.proposals} prompts, got {count}{remedy}"
            )
        if logits.shape != (count,) or not np.isfinite(logits).all():
            raise ValueError(f"logits must be {count} finite numbers, one for each prompt")
        used = np.array([prompt != "" for prompt in proposal.prompts])
        action = np.full(self.proposals, -1, np.float32)
        if used.any():
            action[:count][used] = box_action(logits[used])
        prompts = (*proposal.prompts, *[""] * (self.proposals - count))
        space: Any = self.action_of[CREATOR]
        _refuse("prompts", space["prompts"].violation(prompts))
        return {"logits": action, "prompts": prompts}

    def solver_action(self, responses: Any) -> tuple[tuple[str, ...], ...]:
        """Return the (B, n) responses as tuples; ValueError for another shape or long text."""
        self.check_responses(responses)
        action = tuple(map(tuple, responses))
        space: Any = self.action_of[SOLVER]
        _refuse("responses", space.violation(action))
        return action

    def observe(self, agent: str) -> dict[str, Any]:
        """Return the player's observation; before the first batch it holds "" and zeros."""
        game = self.game
        if agent == SOLVER:
            prompts = tuple(game.prompts) or ("",) * game.batch_size
            return {"observation": self._numbers(), "prompts": prompts}
        if game.last is None:
            rewards = np.zeros((game.batch_size, game.samples), np.float32)
            prompts = ("",) * game.batch_size
        else:
            read = game.last.for_other_player().rewards
            rewards, prompts = _bounded(without_missing(read)), tuple(game.last.prompts)
        return {"observation": self._numbers(), "prompts": prompts, "rewards": rewards}

    def state(self) -> Floats:
        """Return the global state, (2 + 2B,).

        It holds the numbers of the observation, then mean reward and signal by prompt.
        """
        last, batch_size = self.game.last, self.game.batch_size
        if last is None:
            return np.concatenate([self._numbers(), np.zeros(2 * batch_size, np.float32)])
        values = (prompt_means(last.rewards), last.signal)
        return np.concatenate(
            [self._numbers(), *(_bounded(without_missing(value)) for value in values)]
        )

    def info(self, agent: str) -> dict[str, Any]:
        """Return ``invalid``, the probability of invalid prompts, to the creator."""
        return {"invalid": self.game.invalid} if agent == CREATOR else {}

    def reference(self, rng: np.random.Generator) -> Proposal:
        """Return N prompts from the task's seed distribution, with equal probability."""
        return Proposal(tuple(self.task.seed(self.proposals, rng)), np.zeros(self.proposals))

    def ansi(self) -> str:
        """Return each prompt with its best and worst response, and the payoffs so far."""
        return text_ansi(self.game)

    def image(self) -> Any:
        """Return the text of ``ansi`` as an image, with the rewards as dots."""
        return text_image(self.game)

    def seed_creator(self, observation: Any, rng: Any) -> dict[str, Any]:
        """Publish fresh seed prompts: the default opponent of a single-agent solver."""
        return self.creator_action(self.reference(rng))

    def echo_solver(self, observation: Any, rng: Any) -> tuple[tuple[str, ...], ...]:
        """Respond with one to four words of each prompt: a single-agent creator's opponent."""
        return tuple(
            tuple(_some_words(prompt, rng) for _ in range(self.game.samples))
            for prompt in observation["prompts"]
        )

    def _numbers(self) -> Floats:
        game = self.game
        return np.array([1 - game.index / game.rounds, game.invalid], np.float32)


def _bounded(values: Floats) -> Floats:
    return np.clip(values, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)


def _refuse(name: str, violation: str) -> None:
    if violation:
        raise ValueError(f"{name} {violation}")


def _some_words(prompt: str, rng: np.random.Generator) -> str:
    words = prompt.split()
    if not words:
        return ""
    count = int(rng.integers(1, 5))
    return " ".join(words[i] for i in rng.integers(len(words), size=count))


class raw_env(TextEnv, SequentialEnv):
    """The canonical AEC env without wrappers."""


class raw_parallel_env(TextEnv, PipelinedEnv):
    """The native pipelined parallel env."""


def env(**kwargs: Any) -> CheckedEnv:
    """Make the AEC env, with checks of actions and of the order of calls; see ``raw_env``."""
    return CheckedEnv(raw_env(**kwargs))


def parallel_env(**kwargs: Any) -> raw_parallel_env:
    """Make the parallel env; see ``raw_parallel_env``."""
    return raw_parallel_env(**kwargs)
