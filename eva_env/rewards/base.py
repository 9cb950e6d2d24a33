"""What stands between a base reward and the game: a dataclass whose fields are its settings."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from eva_env.types import Floats, RewardModel, Round


def unbound(prompts: Sequence[Any], responses: Any) -> Floats:
    """Stand in for a base that has not been given; raises ValueError when it is called."""
    raise ValueError(
        "this reward model has no base yet; give it one: Noisy(std=0.1).over(base)"
    )


def advance(model: RewardModel, round: Round) -> RewardModel:
    """The model of the next round; the same one if it is fixed."""
    step = getattr(model, "advance", None)
    return model if step is None else step(round)


@dataclass(frozen=True)
class Wrapper(ABC):
    """A reward model over another one: ``Noisy(std=0.1).over(proxy)``.

    The constructor takes the settings alone, so that records and command lines hold nothing
    else. What is bound or changes from round to round are fields with ``init=False``; a model
    is never changed in place.

    On a table of integers ``matrix`` gives the mean rewards (K, M), from which ``best``
    follows. A model has neither where they are not known, and then the game pays no true
    regret: text has no table, and a win rate depends on the other responses.
    """

    base: Any = field(default_factory=lambda: unbound, init=False, repr=False, compare=False)
    """The reward model below; ``over`` binds it."""

    @abstractmethod
    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Rewards (B, n) of the responses."""

    def over(self, base: RewardModel) -> Any:
        """This model over a base."""
        return self.changed(base=base)

    def advance(self, round: Round) -> Self:
        """The next round's model: this one, unless its base moves on."""
        base = advance(self.base, round)
        return self if base is self.base else self.changed(base=base)

    @property
    def best(self) -> Callable[[Sequence[Any]], Floats]:
        """``best(prompts)``: highest mean reward (B,); absent where there is no ``matrix``."""
        highest = self.matrix.max(-1)  # type: ignore[attr-defined]
        return lambda prompts: highest[np.asarray(prompts)]

    @property
    def random(self) -> bool:
        """Whether the same response may get another reward, for noise that is drawn anew."""
        return getattr(self.base, "random", False)

    def changed(self, **changes: Any) -> Self:
        """A copy with some fields changed; nothing that was computed from them is kept."""
        twin = object.__new__(type(self))
        vars(twin).update({spec.name: getattr(self, spec.name) for spec in fields(self)})
        vars(twin).update(changes)
        return twin


@dataclass(frozen=True)
class Plain(Wrapper):
    """The base itself; nothing stands in between."""

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """The base's rewards (B, n)."""
        return self.base(prompts, responses)

    def over(self, base: RewardModel) -> RewardModel:
        """The base."""
        return base
