"""The PettingZoo environments of the text family: prompts and responses are strings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, OrderEnforcingWrapper

from eva_env.envs.base import BaseEnv, PipelinedEnv, SequentialEnv
from eva_env.envs.render import text_ansi, text_image
from eva_env.envs.spaces import SCALE, TextBatch, UnitBox, box_action
from eva_env.game import Game
from eva_env.signals import Signal
from eva_env.types import CREATOR, SOLVER, Floats, Proposal, RewardModel, Task
from eva_env.wordlist import Gold, Wordlist

MAX_LENGTH = 65_536
"""Most characters of a prompt or response."""

LARGEST = float(np.finfo(np.float32).max)


class TextEnv(BaseEnv):
    """Spaces and moves of the text family.

    Creator: ``{"logits": Box(-1, 1, (N,)), "prompts": TextBatch (N,)}``; logits are in units
    of ``eva_env.envs.spaces.SCALE`` nats, and "" is an unused slot.
    Prompts that the task rejects are never drawn and cost the creator their probability; if
    none is valid, the round is played on ``task.seed``. Solver: ``TextBatch (B, n)``.
    Both see ``observation``: the share of rounds left, and the probability that the last
    proposal had put on invalid prompts. The creator sees the last batch and its rewards, the
    solver the batch to answer.

    Args:
        task: where prompts come from; by default ``Wordlist()``.
        reward_model: the dynamics; by default the wordlist verifier ``Gold()``.
        proposals: N, slots of a proposal.
        batch_size: B, prompts drawn from each proposal.
        samples: n, responses to each prompt.
        max_cycles: T, rounds of an episode.
        signal: the creator's payoff; see ``eva_env.game.Game``.
        zero_sum: pay the solver minus the creator's payoff.
        replacement: draw prompts i.i.d., or without replacement.
        render_mode: "ansi", "human", "rgb_array" or None.
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
    ) -> None:
        if task is not None and reward_model is None:
            raise ValueError("a task of your own needs a reward_model of your own")
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
        )
        super().__init__(game, task, proposals, render_mode)
        self._declare(batch_size, samples)

    def _declare(self, batch_size: int, samples: int) -> None:
        numbers = Box(0, 1, (2,), np.float32)
        batch = TextBatch((batch_size,), MAX_LENGTH)
        rewards = Box(-LARGEST, LARGEST, (batch_size, samples), np.float32)
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
            SOLVER: TextBatch((batch_size, samples), MAX_LENGTH),
        }
        low = np.array([0, 0] + [-LARGEST] * (2 * batch_size), np.float32)
        high = np.array([1, 1] + [LARGEST] * (2 * batch_size), np.float32)
        self.state_space = Box(low, high, dtype=np.float32)

    def proposal(self, action: Any) -> Proposal:
        """The action's prompts and logits."""
        logits = SCALE * np.asarray(action["logits"], np.float64)
        return Proposal(tuple(action["prompts"]), logits)

    def responses(self, action: Any) -> Sequence[Sequence[str]]:
        """The action itself."""
        return action

    def creator_action(self, proposal: Proposal) -> dict[str, Any]:
        """The proposal padded to N slots, its logits shifted and cut off to fit the Box.

        ValueError for more than N prompts, and for text that the space does not hold.
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
        """The (B, n) responses as tuples; ValueError for another shape or oversized text."""
        action = tuple(map(tuple, responses))
        space: Any = self.action_of[SOLVER]
        _refuse("responses", space.violation(action))
        return action

    def observe(self, agent: str) -> dict[str, Any]:
        """What the player sees; "" and zeros stand for a batch that isn't there yet."""
        game = self.game
        if agent == SOLVER:
            prompts = tuple(game.prompts) or ("",) * game.batch_size
            return {"observation": self._numbers(), "prompts": prompts}
        if game.last is None:
            rewards = np.zeros((game.batch_size, game.samples), np.float32)
            prompts = ("",) * game.batch_size
        else:
            rewards, prompts = _bounded(game.last.rewards), tuple(game.last.prompts)
        return {"observation": self._numbers(), "prompts": prompts, "rewards": rewards}

    def state(self) -> Floats:
        """(2 + 2B,): the numbers of the observation, then mean reward and signal by prompt."""
        last, batch_size = self.game.last, self.game.batch_size
        if last is None:
            return np.concatenate([self._numbers(), np.zeros(2 * batch_size, np.float32)])
        return np.concatenate(
            [self._numbers(), _bounded(last.rewards.mean(-1)), _bounded(last.signal)]
        )

    def info(self, agent: str) -> dict[str, Any]:
        """The creator's recorded ``invalid`` probability."""
        return {"invalid": self.game.invalid} if agent == CREATOR else {}

    def reference(self, rng: np.random.Generator) -> Proposal:
        """N prompts of the task's seed distribution, all alike."""
        return Proposal(tuple(self.task.seed(self.proposals, rng)), np.zeros(self.proposals))

    def ansi(self) -> str:
        """Each prompt of the batch with its best and worst answer, and the payoffs so far."""
        return text_ansi(self.game)

    def image(self) -> Any:
        """The same in pixels, with the rewards as dots."""
        return text_image(self.game)

    def seed_creator(self, observation: Any, rng: Any) -> dict[str, Any]:
        """Opponent of the solver's view: fresh prompts of the task's seed distribution."""
        return self.creator_action(self.reference(rng))

    def echo_solver(self, observation: Any, rng: Any) -> tuple[tuple[str, ...], ...]:
        """Opponent of the creator's view: answers with one to four words of the prompt."""
        return tuple(
            tuple(_some_words(prompt, rng) for _ in range(self.game.samples))
            for prompt in observation["prompts"]
        )

    def _numbers(self) -> Floats:
        game = self.game
        return np.array([1 - game.index / game.rounds, game.invalid], np.float32)


def _bounded(values: Floats) -> Floats:
    return np.clip(values, -LARGEST, LARGEST).astype(np.float32)


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


def env(**kwargs: Any) -> OrderEnforcingWrapper:
    """The AEC env that checks actions and the order of calls; arguments of ``raw_env``."""
    return OrderEnforcingWrapper(AssertOutOfBoundsWrapper(raw_env(**kwargs)))


def parallel_env(**kwargs: Any) -> raw_parallel_env:
    """The parallel env; arguments of ``raw_parallel_env``."""
    return raw_parallel_env(**kwargs)
