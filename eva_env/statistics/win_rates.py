"""Win rates between players' responses, exact or over all pairs of draws.

Shape letters: P prompts, V responses to each, L players.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eva_env.missing import has_missing
from eva_env.types import Floats


@dataclass(frozen=True, eq=False)
class PlayerResponses:
    """The rewards of a player's responses to P prompts.

    ``rewards`` (P, V) are in reward-model units. ``weights`` (P, V) are the probabilities of
    the V responses if these are all that the player can give; None if they are draws. Draws
    are coupled: draw i of every player comes from the same random stream. ``lengths`` (P, V)
    are in words, or None. A missing reward of a draw is NaN. ValueError for other shapes, for
    infinite rewards, for a missing reward next to weights, and for weights that are not
    probabilities.
    """

    rewards: Floats
    weights: Floats | None = None
    lengths: Floats | None = None

    def __post_init__(self) -> None:
        if self.rewards.ndim != 2 or not self.rewards.size:
            raise ValueError(f"rewards must have shape (P, V), got {self.rewards.shape}")
        wrong = self.rewards[np.isinf(self.rewards)]
        if len(wrong):
            raise ValueError(
                f"rewards must not be infinite, got {wrong[0]}; leave a failed player out"
            )
        if self.weights is not None and np.isnan(self.rewards).any():
            raise ValueError("rewards with weights must be finite, got nan")
        for name in ("weights", "lengths"):
            array = getattr(self, name)
            if array is not None and array.shape != self.rewards.shape:
                raise ValueError(
                    f"{name} must have the shape of the rewards, {self.rewards.shape}, "
                    f"got {array.shape}"
                )
        if self.weights is not None:
            total = self.weights.sum(-1)
            if not ((self.weights >= 0).all() and np.allclose(total, 1, atol=1e-6)):
                raise ValueError(
                    "weights must be probabilities that sum to 1 by prompt, got sums from "
                    f"{total.min():g} to {total.max():g}, lowest weight {self.weights.min():g}"
                )


def wins(player: PlayerResponses, opponent: PlayerResponses) -> Floats:
    """Return P(reward > the opponent's) + P(tie) / 2 on each prompt, (P,) in [0, 1]."""
    return win_matrix([player, opponent])[0, 1]


def win_matrix(players: Sequence[PlayerResponses]) -> Floats:
    """Return the win rate of each player against each other by prompt, (L, L, P) in [0, 1].

    The rates of a pair of players sum to 1; the diagonal is exactly 1/2. Between draws, all
    pairs count except (i, i): those share a random stream, all others are independent. Pairs
    with a missing reward do not count; without any pair the rate is NaN.
    ValueError for players with different prompts, for exact distributions mixed with draws,
    for a single draw, and for different numbers of draws.
    """
    require_comparable(players)
    mass = _mass(players)
    below = mass.cumsum(-1) - mass
    above = mass @ below.swapaxes(1, 2)
    margin = above - above.swapaxes(1, 2)
    if is_coupled(players):
        rewards = np.stack([player.rewards for player in players])
        n = rewards.shape[-1]
        paired = np.sign(rewards[:, None] - rewards)
        if not has_missing(rewards):
            margin -= paired.sum(-1).transpose(2, 0, 1)
            margin /= n * (n - 1)
        else:
            margin -= np.nansum(paired, -1).transpose(2, 0, 1)
            scored = (~np.isnan(rewards)).astype(np.float64).swapaxes(0, 1)  # (P, L, n)
            counts = scored.sum(-1)
            pairs = counts[:, :, None] * counts[:, None, :] - scored @ scored.swapaxes(1, 2)
            margin /= np.where(pairs > 0, pairs, np.nan)
            margin[:, range(len(players)), range(len(players))] = 0.0
    return 0.5 + np.clip(margin, -1, 1).transpose(1, 2, 0) / 2


def is_coupled(players: Sequence[PlayerResponses]) -> bool:
    """Return True if the responses are draws, which share random streams."""
    return players[0].weights is None


def require_comparable(players: Sequence[PlayerResponses]) -> None:
    """Raise ValueError unless the players can be compared response by response."""
    if not players:
        raise ValueError("win rates need at least one player, got none")
    weighted = [player.weights is not None for player in players]
    if any(weighted) and not all(weighted):
        raise ValueError(
            f"{sum(weighted)} of {len(weighted)} players have weights, the others draws; "
            "give weights for all, or for none"
        )
    sizes = sorted({len(player.rewards) for player in players})
    if len(sizes) > 1:
        raise ValueError(f"players must have the same prompts, got {sizes} of them")
    draws = sorted({player.rewards.shape[1] for player in players})
    if is_coupled(players) and (len(draws) > 1 or draws[0] < 2):
        raise ValueError(
            f"coupled responses must be the same number of draws, 2 or more, got {draws}"
        )


def _mass(players: Sequence[PlayerResponses]) -> Floats:
    """Return each player's mass on the distinct rewards of a prompt, ascending, (P, L, U).

    U is the largest number of distinct rewards. A draw has mass 1, so that counts are exact; a
    missing one has none.
    """
    # 1. Put the responses of all players into one row per prompt.
    rewards = np.concatenate([player.rewards for player in players], axis=1)
    weights = np.concatenate(
        [
            ~np.isnan(player.rewards) if player.weights is None else player.weights
            for player in players
        ],
        axis=1,
    )
    # 2. Number the distinct rewards of each row.
    order = rewards.argsort(axis=1)
    ranked = np.take_along_axis(rewards, order, axis=1)
    distinct = np.zeros(ranked.shape, dtype=np.int64)
    distinct[:, 1:] = (ranked[:, 1:] > ranked[:, :-1]).cumsum(axis=1)
    place = np.empty_like(distinct)
    np.put_along_axis(place, order, distinct, axis=1)
    # 3. Sum the mass by prompt, player and distinct reward.
    owner = np.repeat(np.arange(len(players)), [player.rewards.shape[1] for player in players])
    shape = (len(rewards), len(players), int(distinct.max()) + 1)
    index = np.ravel_multi_index((np.arange(shape[0])[:, None], owner, place), shape)
    mass = np.bincount(index.ravel(), weights.ravel(), minlength=int(np.prod(shape)))
    return mass.astype(np.float64, copy=False).reshape(shape)
