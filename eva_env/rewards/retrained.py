"""A reward model that is refitted during the game, on the solver's recent responses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from eva_env.require import require
from eva_env.rewards.base import advance, base_rewards, unbound
from eva_env.rewards.comparisons import Comparisons, Fitted, refittable
from eva_env.rewards.noise import stream
from eva_env.types import Floats, RewardModel, Round


@dataclass(frozen=True)
class Retrained(Fitted):
    """The base, refitted every few rounds on fresh comparisons of the round's responses.

    eva keeps its reward model fixed while prompts leave the distribution on which it was
    trained; the authors name online training of the reward model as future work (Ye et al.
    2025, arXiv 2411.00062, limitations). Gold, with noise, judges the comparisons. A refit
    happens when the model is next called, so that rounds that are only tried on a fork cost
    none.
    """

    every: int = 2
    """Rounds between refits."""
    gold: Any = field(default_factory=lambda: unbound, init=False, repr=False, compare=False)
    """The reward model that the judge's choices follow."""
    fresh: Comparisons | None = field(default=None, init=False, repr=False, compare=False)
    """Comparisons for the next refit of the base; None if it is up to date."""
    index: int = field(default=0, init=False, repr=False, compare=False)
    """The round after the comparisons."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[1, inf)", "every")

    def over(self, base: RewardModel, gold: RewardModel = unbound) -> Self:
        """Return this model around a base; ValueError for a base that cannot be refitted."""
        return self.changed(base=refittable(base), gold=gold)

    @cached_property
    def current(self) -> Any:
        """The base, refitted if there are fresh comparisons."""
        if self.fresh is None or not len(self.fresh):
            return self.base
        return self.base.refit(self.fresh, self.tie, stream(self.seed, *b"refit", self.index))

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the current model's rewards (B, n)."""
        return base_rewards(self.current, prompts, responses)

    def advance(self, round: Round) -> Self:
        """Return the next round's model; every few rounds it holds fresh comparisons."""
        base, index = advance(self.current, round), round.index + 1
        if index % self.every == 0:
            rng = stream(self.seed, *b"ask", index)
            fresh = self.draw_comparisons(self.gold, round.prompts, round.responses, rng)
            return self.changed(base=base, fresh=fresh, index=index)
        if base is self.base:
            return self
        return self.changed(base=base, fresh=None, index=index)

    @property
    def matrix(self) -> Floats:
        """Mean rewards (K, M) of the current model."""
        return self.current.matrix

    @property
    def best(self) -> Callable[[Sequence[Any]], Floats]:
        """``best(prompts)``: highest mean reward (B,) by the current model."""
        return self.current.best
