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

    ``prompts`` (I,), ``answers`` (I, k), and ``wins`` (I, k), the probability in [0, 1] that a
    response beats another sample of its prompt. Pair p says that in row ``item[p]`` the
    response of column ``better[p]`` was chosen over that of ``worse[p]``, (P,); items grow.
    ``ties`` and ``narrow`` count candidates left out, for equal rewards and by the margin.
    """

    prompts: list[Any]
    answers: list[list[Any]]
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

    def _column(self, which: Ints) -> list[Any]:
        places = zip(self.item.tolist(), which.tolist(), strict=True)
        return [self.answers[i][j] for i, j in places]

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """All pairs of several rounds."""
        starts = np.cumsum([0, *(len(part.prompts) for part in parts)])
        items = [part.item + start for part, start in zip(parts, starts, strict=False)]
        return cls(
            [prompt for part in parts for prompt in part.prompts],
            [row for part in parts for row in part.answers],
            np.concatenate([part.wins for part in parts]),
            np.concatenate(items),
            np.concatenate([part.better for part in parts]),
            np.concatenate([part.worse for part in parts]),
        )

    def rewritten(self, chosen: Sequence[Any]) -> Self:
        """With other chosen responses, (I,), for one pair a prompt."""
        answers = [[new, row[1]] for new, row in zip(chosen, self.answers, strict=True)]
        return replace(self, answers=answers)

    def mismatched(self) -> Self:
        """With the next prompt's responses in place of each prompt's own."""
        return replace(self, answers=[*self.answers[1:], *self.answers[:1]])


def win_rates(rewards: Floats) -> Floats:
    """Probability in [0, 1] that each response beats one of the n samples, (B, n) -> (B, n).

    Under Bradley-Terry, mean over j of sigmoid(r_i - r_j), j = i included, as in the authors'
    code of SPPO (Wu et al. 2024, arXiv 2405.00675, Sec. 4).
    """
    gap = rewards[:, :, None] - rewards[:, None, :]
    return sigmoid(gap).mean(-1)


def best_worst(rewards: Floats, rng: np.random.Generator | None) -> Columns:
    """The best response against the worst: what eva trains on."""
    return rewards.argmax(1)[:, None], rewards.argmin(1)[:, None]


def best_random(rewards: Floats, rng: np.random.Generator | None) -> Columns:
    """The best response against one of the others, drawn uniformly."""
    if rng is None:
        raise ValueError("best_random draws the rejected response; hand it a generator")
    best = rewards.argmax(1)[:, None]
    drawn = rng.integers(rewards.shape[1] - 1, size=best.shape)
    return best, drawn + (drawn >= best)


def all_pairs(rewards: Floats, rng: np.random.Generator | None) -> Columns:
    """Every two responses, the better one chosen."""
    one, other = np.triu_indices(rewards.shape[1], 1)
    first = rewards[:, one] >= rewards[:, other]
    return np.where(first, one, other), np.where(first, other, one)


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
    """The round's pairs, without those of equal reward or of rewards closer than ``margin``.

    The rows of answers hold the pair, chosen first; for "all" they hold all n responses, so
    that each is read once, however many pairs it is in.
    """
    better, worse = BUILDERS[pairs](round.rewards, rng)
    rows = np.arange(len(round.prompts))[:, None]
    gap = round.rewards[rows, better] - round.rewards[rows, worse]
    kept = (gap > 0) & (gap >= margin)
    wins = win_rates(round.rewards) if wins is None else wins
    columns = np.broadcast_to(np.arange(wins.shape[1]), wins.shape)
    if pairs != "all":
        columns = np.hstack([better, worse])
        better, worse = np.zeros_like(better), np.ones_like(worse)
    used = np.flatnonzero(kept.any(1))
    item, candidate = np.nonzero(kept[used])
    return Preferences(
        [round.prompts[i] for i in used.tolist()],
        [[round.responses[i][j] for j in columns[i].tolist()] for i in used.tolist()],
        wins[rows, columns][used],
        item,
        better[used][item, candidate],
        worse[used][item, candidate],
        ties=int((gap == 0).sum()),
        narrow=int(((gap > 0) & ~kept).sum()),
    )
