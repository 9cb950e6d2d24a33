"""The base class of reward-model wrappers: a dataclass whose fields are its settings."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np

from eva_env.boundary import check_rewards, declares_missing, name_of
from eva_env.types import Advances, DeclaresNoise, Floats, RewardModel, Round, offers


def unbound(prompts: Sequence[Any], responses: Any) -> Floats:
    """Stand in for the base of a wrapper that has none yet; raise ValueError when called."""
    raise ValueError(
        "this reward model has no base yet; give it one with .over(base), as in "
        "Noisy(std=0.1).over(base)"
    )


def advance(model: RewardModel, round: Round) -> RewardModel:
    """Return the model of the next round; the same model if it is fixed."""
    return model.advance(round) if offers(model, Advances) else model


def base_rewards(base: RewardModel, prompts: Sequence[Any], responses: Any) -> Floats:
    """Return the base's rewards (B, n), checked as ``eva_env.boundary`` says."""
    shape, rewards = (len(prompts), len(responses[0])), base(prompts, responses)
    return check_rewards(rewards, shape, prompts, name_of(base), declares_missing(base))


@dataclass(frozen=True)
class Wrapper(ABC):
    """A reward model over another one: ``Noisy(std=0.1).over(proxy)``.

    The constructor takes only the settings, so that records and command lines hold nothing
    else. The base, and all that changes between rounds, are fields with ``init=False``. A model
    never changes in place. A wrapper reads the base by ``base_rewards``, in which a missing
    reward is NaN.

    Over a table of integers ``matrix`` gives the mean rewards (K, M), and ``best`` follows from
    it. A wrapper has neither attribute where the mean rewards are unknown, and the game then
    cannot pay true regret: text has no table, and a win rate depends on the other responses.
    """

    nan_is_missing: ClassVar[bool] = True
    """NaN is missing, since ``base_rewards`` has checked what the base declares."""

    base: Any = field(default_factory=lambda: unbound, init=False, repr=False, compare=False)
    """The wrapped reward model; ``over`` sets it."""

    @abstractmethod
    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the rewards (B, n) of the responses."""

    def over(self, base: RewardModel) -> Any:
        """Return this wrapper around a base."""
        return self.changed(base=base)

    def advance(self, round: Round) -> Self:
        """Return the next round's model: this one, unless the base changes."""
        base = advance(self.base, round)
        return self if base is self.base else self.changed(base=base)

    @property
    def best(self) -> Callable[[Sequence[Any]], Floats]:
        """``best(prompts)``: highest mean reward (B,); missing where ``matrix`` is."""
        highest = self.matrix.max(-1)  # type: ignore[attr-defined]
        return lambda prompts: highest[np.asarray(prompts)]

    @property
    def random(self) -> bool:
        """True if the same response can get different rewards, because noise is redrawn."""
        return self.base.random if offers(self.base, DeclaresNoise) else False

    def changed(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, without the attributes cached on this one."""
        twin = object.__new__(type(self))
        vars(twin).update({spec.name: getattr(self, spec.name) for spec in fields(self)})
        vars(twin).update(changes)
        return twin


@dataclass(frozen=True)
class Plain(Wrapper):
    """The base reward model, unchanged."""

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the base's rewards (B, n)."""
        return base_rewards(self.base, prompts, responses)

    def over(self, base: RewardModel) -> RewardModel:
        """Return the base."""
        return base
