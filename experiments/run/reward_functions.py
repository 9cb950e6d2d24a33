"""Reward functions of the user: load them, try them out, and name them in every error."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from eva_env.boundary import NO_LIMITS, Limits, check_rewards, declares_missing, score
from eva_env.plugins import in_one_line, load_object
from eva_env.rewards.comparisons import Refittable
from eva_env.types import (
    Advances,
    DeclaresNoise,
    Floats,
    HasMatrix,
    KnowsBest,
    RewardModel,
    offers,
)
from eva_env.world import World
from experiments.run.errors import UserError

PROBED = [["Yes.", "No, I do not think so."]] * 2
"""The responses on which a function is tried out, to two prompts of the world."""

HOOKS = (KnowsBest, Advances, HasMatrix, DeclaresNoise, Refittable)


@dataclass(frozen=True)
class FunctionReward:
    """A user's function as a reward model, with its name in every error."""

    function: Any
    spec: str
    role: str = "reward"
    """What the function does in the run: reward, creator reward or judge."""
    nan_is_missing: ClassVar[bool] = True
    """NaN is missing, since a call has checked what the function declares."""

    @property
    def __name__(self) -> str:
        return f"{self.role} {self.spec}"

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the function's rewards (B, n), None as NaN.

        Raises UserError, in one line, for whatever the function raises.
        """
        rows = [list(row) for row in responses]
        try:
            rewards = self.function(list(prompts), rows)
        except (Exception, SystemExit, GeneratorExit) as error:  # the function is the user's
            remedy = (
                "return None for a response that it cannot score"
                if _accepts(self.function, [], [])
                else "it must accept (prompts, responses)"
            )
            raise UserError(
                f"{self.__name__} failed: {in_one_line(error)}; {remedy}"
            ) from error
        if inspect.isawaitable(rewards):
            _close(rewards)
            raise UserError(
                f"{self.__name__} is an async function; give a plain one, which may call "
                f"asyncio.run"
            )
        shape, missing = (len(rows), len(rows[0])), declares_missing(self.function)
        return check_rewards(rewards, shape, prompts, self.__name__, missing)


def load_function(spec: str, role: str = "reward") -> RewardModel:
    """Return the reward model of a function, or of a class or function that gives one.

    Raises ValueError or ImportError, in one line, if there is none.
    """
    part: Any = load_object(spec)
    if isinstance(part, type) or _takes_nothing(part):
        try:
            part = part()
        except (Exception, SystemExit, GeneratorExit) as error:  # the class is the user's
            raise ValueError(
                f"cannot be made without arguments: {in_one_line(error)}"
            ) from error
    if not callable(part):
        raise ValueError(
            f"must be a function (prompts, responses) -> (B, n), or a class or function "
            f"without arguments that gives one, got {part!r}"
        )
    if any(offers(part, hook) for hook in HOOKS):
        return part  # pyright: ignore[reportReturnType] - a callable, as was checked
    return FunctionReward(part, spec, role)


def _takes_nothing(part: Any) -> bool:
    """True for a function that can be called without arguments, and not with two."""
    return _accepts(part) and not _accepts(part, [], [])


def _accepts(part: Any, *arguments: Any) -> bool:
    """False for a callable with a signature that does not fit the arguments."""
    try:
        signature = inspect.signature(part)
    except (TypeError, ValueError):  # it has none, such as some callables in C
        return bool(arguments)
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


def _close(awaitable: Any) -> None:
    """Close a coroutine that nobody awaits, so that Python does not warn about it."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def probe(model: RewardModel, world: World, name: str, limits: Limits = NO_LIMITS) -> None:
    """Try a reward model out; UserError if its rewards break a rule or are late."""
    prompts = world.seed(2, np.random.default_rng(0))
    responses: Any = PROBED if isinstance(prompts[0], str) else [[0, 1], [0, 1]]
    try:
        score(model, prompts, responses, limits)
    except UserError:
        raise
    except (Exception, SystemExit, GeneratorExit) as error:  # the model may be the user's
        raise UserError(
            f"{name} fails on two prompts of the task: {in_one_line(error)}"
        ) from error
