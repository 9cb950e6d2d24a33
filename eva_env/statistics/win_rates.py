"""How often the answers of a player beat those of another, exactly or over all pairs of draws.

Shape letters: P prompts, V answers to each, L players.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eva_env.types import Floats


@dataclass(frozen=True, eq=False)
class Answers:
    """What a player answered to P prompts.

    ``rewards`` (P, V) in reward-model units. ``weights`` (P, V) are the probabilities of the
    V answers where those are all that the player can give; None if they are draws, which then
    are coupled: draw i of every player came from the same random stream. ``lengths`` (P, V)
    in words, or None. ValueError for other shapes, for rewards that are not finite and for
    weights that are no probabilities.
    """

    rewards: Floats
    weights: Floats | None = None
    lengths: Floats | None = None

    def __post_init__(self) -> None:
        if self.rewards.ndim != 2 or not self.rewards.size:
            raise ValueError(f"rewards must have shape (P, V), got {self.rewards.shape}")
        if not np.isfinite(self.rewards).all():
            odd = self.rewards[~np.isfinite(self.rewards)][0]
            raise ValueError(f"rewards must be finite, got {odd}; leave a failed player out")
        for name in ("weights", "lengths"):
            given = getattr(self, name)
            if given is not None and given.shape != self.rewards.shape:
                raise ValueError(
                    f"{name} must have the shape of the rewards, {self.rewards.shape}, "
                    f"got {given.shape}"
                )
        if self.weights is not None:
            total = self.weights.sum(-1)
            if not ((self.weights >= 0).all() and np.allclose(total, 1, atol=1e-6)):
                raise ValueError(
                    "weights must be probabilities that sum to 1 by prompt, got sums from "
                    f"{total.min():g} to {total.max():g}, least weight {self.weights.min():g}"
                )


def wins(one: Answers, other: Answers) -> Floats:
    """P(reward > the other's) + P(tie) / 2 of each prompt, (P,) in [0, 1]."""
    return win_matrix([one, other])[0, 1]


def win_matrix(players: Sequence[Answers]) -> Floats:
    """Win rate of each player against each other by prompt, (L, L, P) in [0, 1].

    The sum over a pair of players is 1, and a player is exactly on a par with itself. Of draws,
    all pairs count except (i, i), which share a random stream: the others are independent, and
    no pair is drawn by luck. ValueError for other prompts, for laws mixed with draws, for a
    single draw and for numbers of draws that differ.
    """
    check(players)
    mass = _mass(players)
    below = mass.cumsum(-1) - mass
    above = mass @ below.swapaxes(1, 2)
    margin = above - above.swapaxes(1, 2)
    if is_coupled(players):
        rewards = np.stack([own.rewards for own in players])
        n = rewards.shape[-1]
        margin -= np.sign(rewards[:, None] - rewards).sum(-1).transpose(2, 0, 1)
        margin /= n * (n - 1)
    return 0.5 + np.clip(margin, -1, 1).transpose(1, 2, 0) / 2


def is_coupled(players: Sequence[Answers]) -> bool:
    """Whether the answers are draws."""
    return players[0].weights is None


def check(players: Sequence[Answers]) -> None:
    """ValueError unless the players can be compared answer by answer."""
    if not players:
        raise ValueError("win rates need at least one player, got none")
    exact = [own.weights is not None for own in players]
    if any(exact) and not all(exact):
        raise ValueError(
            f"{sum(exact)} of {len(exact)} players have exact laws, the others draws; "
            "give all weights, or none"
        )
    sizes = sorted({len(own.rewards) for own in players})
    if len(sizes) > 1:
        raise ValueError(f"players must have answered the same prompts, got {sizes} of them")
    draws = sorted({own.rewards.shape[1] for own in players})
    if is_coupled(players) and (len(draws) > 1 or draws[0] < 2):
        raise ValueError(
            f"coupled answers must be the same number of draws, 2 or more, got {draws}"
        )


def _mass(players: Sequence[Answers]) -> Floats:
    """Mass of each player on the distinct rewards of a prompt in ascending order, (P, L, U).

    U is the largest number of distinct rewards. Draws weigh 1, so that counts are exact.
    """
    rewards = np.concatenate([own.rewards for own in players], axis=1)
    weights = np.concatenate(
        [np.ones(own.rewards.shape) if own.weights is None else own.weights for own in players],
        axis=1,
    )
    order = rewards.argsort(axis=1)
    ranked = np.take_along_axis(rewards, order, axis=1)
    distinct = np.zeros(ranked.shape, dtype=np.int64)
    distinct[:, 1:] = (ranked[:, 1:] > ranked[:, :-1]).cumsum(axis=1)
    place = np.empty_like(distinct)
    np.put_along_axis(place, order, distinct, axis=1)
    owner = np.repeat(np.arange(len(players)), [own.rewards.shape[1] for own in players])
    shape = (len(rewards), len(players), int(distinct.max()) + 1)
    cell = np.ravel_multi_index((np.arange(shape[0])[:, None], owner, place), shape)
    size = int(np.prod(shape))
    mass = np.bincount(cell.ravel(), weights.ravel(), minlength=size)
    return mass.astype(np.float64, copy=False).reshape(shape)
