"""A reward model that keeps up with the game: retrained on what the solver writes now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from eva_env.rewards.base import advance, unbound
from eva_env.rewards.comparisons import Comparisons, Taught, refittable
from eva_env.rewards.noise import stream
from eva_env.types import Floats, RewardModel, Round


@dataclass(frozen=True)
class Retrained(Taught):
    """The base, refitted every few rounds on fresh comparisons of the round's responses.

    eva keeps its reward model fixed while prompts leave the distribution that it was trained
    on; the authors wish for one that is trained along (Ye et al. 2025, arXiv 2411.00062,
    limitations). Gold judges the comparisons, with noise. A refit is put off until the model is
    asked for a reward, so that rounds that are only tried out, on a fork, cost none.
    """

    every: int = 2
    """Rounds between refits."""
    gold: Any = field(default_factory=lambda: unbound, init=False, repr=False, compare=False)
    """What the judge's choices follow."""
    fresh: Comparisons | None = field(default=None, init=False, repr=False, compare=False)
    """What the base is to be refitted on."""
    index: int = field(default=0, init=False, repr=False, compare=False)
    """The round that follows the comparisons."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.every < 1:
            raise ValueError(f"every must be at least 1, got {self.every}")

    def over(self, base: RewardModel, gold: RewardModel = unbound) -> Self:
        """This model over a base; ValueError for a base that cannot be refitted."""
        return self.changed(base=refittable(base), gold=gold)

    @cached_property
    def current(self) -> Any:
        """The base as it stands, refitted if there is something to learn."""
        if self.fresh is None or not len(self.fresh):
            return self.base
        return self.base.refit(self.fresh, self.tie, stream(self.seed, *b"refit", self.index))

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """The current rewards (B, n)."""
        return self.current(prompts, responses)

    def advance(self, round: Round) -> Self:
        """The next round's model, which has something to learn every few rounds."""
        base, index, fresh = advance(self.current, round), round.index + 1, None
        if index % self.every == 0:
            rng = stream(self.seed, *b"ask", index)
            fresh = self.ask(self.gold, round.prompts, round.responses, rng)
        elif base is self.base:
            return self
        return self.changed(base=base, fresh=fresh, index=index)

    @property
    def matrix(self) -> Floats:
        """Mean rewards (K, M)."""
        return self.current.matrix

    @property
    def best(self) -> Callable[[Sequence[Any]], Floats]:
        """``best(prompts)``: highest mean reward (B,) by the current model."""
        return self.current.best
