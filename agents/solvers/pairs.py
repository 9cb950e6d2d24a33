"""From a round to (chosen, rejected) pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from eva_env.rewards.pairwise import sigmoid
from eva_env.types import Floats, Ints, Round

Columns = tuple[Ints, Ints]
"""Columns of chosen and of rejected responses, (B, q) each: q candidate pairs of a prompt."""


@dataclass(frozen=True)
class Preferences:
    """P pairs among k responses to each of I prompts.

    ``prompts`` (I,), ``responses`` (I, k), and ``wins`` (I, k), the probability in [0, 1] that
    a response beats another sample of its prompt. Pair p says that in row ``item[p]`` the
    response of column ``better[p]`` was chosen over that of ``worse[p]``, (P,); ``item`` is
    in increasing order. ``ties`` and ``narrow`` count the candidates left out for equal rewards
    and by the margin.
    """

    prompts: list[Any]
    responses: list[list[Any]]
    wins: Floats
    item: Ints
    better: Ints
    worse: Ints
    ties: int = 0
    narrow: int = 0

    @property
    def chosen(self) -> list[Any]:
        """Chosen responses, (P,)."""
        return self._column(self.better)

    @property
    def rejected(self) -> list[Any]:
        """Rejected responses, (P,)."""
        return self._column(self.worse)

    def _column(self, columns: Ints) -> list[Any]:
        places = zip(self.item.tolist(), columns.tolist(), strict=True)
        return [self.responses[i][j] for i, j in places]

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return all pairs of several rounds."""
        starts = np.cumsum([0, *(len(part.prompts) for part in parts)])
        items = [part.item + start for part, start in zip(parts, starts, strict=False)]
        return cls(
            [prompt for part in parts for prompt in part.prompts],
            [row for part in parts for row in part.responses],
            np.concatenate([part.wins for part in parts]),
            np.concatenate(items),
            np.concatenate([part.better for part in parts]),
            np.concatenate([part.worse for part in parts]),
        )

    def rewritten(self, chosen: Sequence[Any]) -> Self:
        """Return the pairs with other chosen responses (I,); needs one pair per prompt."""
        rows = [[new, row[1]] for new, row in zip(chosen, self.responses, strict=True)]
        return replace(self, responses=rows)

    def mismatched(self) -> Self:
        """Return the pairs with the next prompt's responses in each prompt's row."""
        return replace(self, responses=[*self.responses[1:], *self.responses[:1]])


def win_rates(rewards: Floats) -> Floats:
    """Return the probability that each response beats one of the n samples, (B, n) -> (B, n).

    Under Bradley-Terry, mean over j of sigmoid(r_i - r_j), j = i included, in [0, 1], as in the
    authors' code of SPPO (Wu et al. 2024, arXiv 2405.00675, Sec. 4). A response without a
    reward (NaN) is no opponent and has no win rate.
    """
    wins = sigmoid(rewards[:, :, None] - rewards[:, None, :])
    scored = ~np.isnan(rewards)
    if scored.all():
        return wins.mean(-1)
    opponents = np.maximum(scored.sum(1), 1)[:, None]
    return np.where(scored, np.nansum(wins, -1) / opponents, np.nan)


def gaps(rewards: Floats, left: Ints, right: Ints) -> Floats:
    """Return the rewards of some columns minus those of others, (B, q) each -> (B, q).

    NaN where one of the two has no reward, and where a prompt has fewer than two rewards.
    """
    rows = np.arange(len(rewards))[:, None]
    comparable = (~np.isnan(rewards)).sum(1, keepdims=True) >= 2
    return np.where(comparable, rewards[rows, left] - rewards[rows, right], np.nan)


def best_worst(rewards: Floats, rng: np.random.Generator | None) -> Columns:
    """Pair the best response with the worst, as eva does; missing rewards are neither."""
    missing = np.isnan(rewards)
    best = np.where(missing, -np.inf, rewards).argmax(1)
    worst = np.where(missing, np.inf, rewards).argmin(1)
    return best[:, None], worst[:, None]


def best_random(rewards: Floats, rng: np.random.Generator | None) -> Columns:
    """Pair the best response with one of the others, drawn uniformly."""
    if rng is None:
        raise ValueError("best_random draws the rejected response; give it a generator")
    best, _ = best_worst(rewards, None)
    if np.isnan(rewards).any():
        keys = np.where(np.isnan(rewards), -1.0, rng.random(rewards.shape))
        np.put_along_axis(keys, best, -1.0, 1)
        return best, keys.argmax(1)[:, None]
    drawn = rng.integers(rewards.shape[1] - 1, size=best.shape)
    return best, drawn + (drawn >= best)


def all_pairs(rewards: Floats, rng: np.random.Generator | None) -> Columns:
    """Pair every two responses, with the better one as chosen."""
    left, right = np.triu_indices(rewards.shape[1], 1)
    left_wins = rewards[:, left] >= rewards[:, right]
    return np.where(left_wins, left, right), np.where(left_wins, right, left)


Builder = Literal["best_worst", "best_random", "all"]
BUILDERS: dict[Builder, Callable[[Floats, np.random.Generator | None], Columns]] = {
    "best_worst": best_worst,
    "best_random": best_random,
    "all": all_pairs,
}


def build(
    round: Round,
    pairs: Builder = "best_worst",
    margin: float = 0.0,
    rng: np.random.Generator | None = None,
    wins: Floats | None = None,
) -> Preferences:
    """Return the round's pairs, without those of equal reward or closer than ``margin``.

    A response without a reward (NaN) is in no pair.
    The rows of responses hold the pair, chosen first; for "all" they hold all n responses, so
    that each is read once, however many pairs it is in.
    """
    better, worse = BUILDERS[pairs](round.rewards, rng)
    rows = np.arange(len(round.prompts))[:, None]
    gap = gaps(round.rewards, better, worse)
    kept = (gap > 0) & (gap >= margin)
    wins = win_rates(round.rewards) if wins is None else wins
    columns = np.broadcast_to(np.arange(wins.shape[1]), wins.shape)
    if pairs != "all":
        columns = np.hstack([better, worse])
        better, worse = np.zeros_like(better), np.ones_like(worse)
    used_rows = np.flatnonzero(kept.any(1))
    item, candidate = np.nonzero(kept[used_rows])
    return Preferences(
        [round.prompts[i] for i in used_rows.tolist()],
        [[round.responses[i][j] for j in columns[i].tolist()] for i in used_rows.tolist()],
        wins[rows, columns][used_rows],
        item,
        better[used_rows][item, candidate],
        worse[used_rows][item, candidate],
        ties=int((gap == 0).sum()),
        narrow=int(((gap > 0) & ~kept).sum()),
    )
