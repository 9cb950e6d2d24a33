"""The scores of all cells as arrays, by seed and prompt; NaN where a cell is missing.

Shape letters: S seeds, A arms, L players (the arms and the starting policy), P prompts of a
suite, Q prompts drawn from a creator's last proposal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eva_env.missing import LEAST_SCORED, has_missing, mean_scored
from eva_env.signals import passed
from eva_env.statistics.win_rates import PlayerResponses, win_matrix
from eva_env.types import Floats
from experiments.comparison.cells import DRAWN_PROMPTS, cell_folder, is_finished
from experiments.run.errors import UserError
from experiments.run.records import Run

START = "start"
"""Name of the player that is the starting policy, without any training."""


@dataclass(frozen=True)
class Scores:
    """All scores of a comparison, before any interval."""

    arms: list[str]
    seeds: list[int]
    responses: dict[str, list[list[PlayerResponses | None]]]
    """By suite: (S, L) gold rewards and lengths of responses; None for a missing cell."""
    gold: dict[str, Floats]
    """By suite: mean gold reward (S, L, P)."""
    passes: dict[str, Floats]
    """By suite: share of responses whose gold reward is 1 (S, L, P), in [0, 1]."""
    wins: dict[str, Floats]
    """By suite: win rate of each player against each other (S, L, L, P), in [0, 1]."""
    regret: Floats
    """True regret (S, A, L, Q), in units of gold reward: of each player (L) on the prompts
    that the creator of each arm (A) proposes for the round after the last."""
    left_out: dict[str, int] = field(default_factory=dict)
    """By suite: prompts that are left out, since a player has too few rewards on them."""

    @property
    def players(self) -> list[str]:
        """Names of the arms, and of the starting policy last."""
        return [*self.arms, START]

    def against_start(self, suite: str) -> Floats:
        """Return each player's win rate against the starting policy, (S, L, P)."""
        return self.wins[suite][:, :, -1]

    def deciding(self, suite: str, metric: str) -> Floats:
        """Return the scores (S, L, P) that decide the comparison."""
        return self.gold[suite] if metric == "gold" else self.against_start(suite)


def read_scores(folder: Path, arms: Sequence[str], seeds: Sequence[int]) -> Scores:
    """Read the cells of a comparison's folder; those that are not finished are missing."""
    players = [*arms, START]
    cells = [[Run(cell_folder(folder, player, seed)) for player in players] for seed in seeds]
    # 1. Responses by seed, player and suite.
    read = [
        [by_suite(response_rows(cell, name)) for cell, name in zip(row, players, strict=True)]
        for row in cells
    ]
    suites = next((list(by_name) for row in read for by_name in row if by_name), [])
    responses = {
        suite: [[by_name.get(suite) for by_name in row] for row in read] for suite in suites
    }
    # 2. Scores by suite.
    gold, passes, wins, left_out = {}, {}, {}, {}
    for suite, table in responses.items():
        left_out[suite] = leave_out_missing(table, suite)
        prompts = next(len(cell.rewards) for row in table for cell in row if cell is not None)
        gold[suite] = np.stack([prompt_means(row, prompts) for row in table])
        passes[suite] = np.stack([prompt_means(row, prompts, passed) for row in table])
        wins[suite] = np.stack([win_rates(row, prompts) for row in table])
    # 3. Cross-play: creators on axis 1, players on axis 2.
    regret = np.stack(
        [np.stack([crossplay_regret(cell, arms) for cell in row], axis=1) for row in cells]
    )
    return Scores(list(arms), list(seeds), responses, gold, passes, wins, regret, left_out)


def leave_out_missing(table: list[list[PlayerResponses | None]], suite: str) -> int:
    """Leave prompts out of a suite's responses by seed and player; return their number.

    All players are compared on the same prompts: those on which each of them has at least two
    scored responses, in every seed. UserError if there is none.
    """
    present = [player for row in table for player in row if player is not None]
    if not any(np.isnan(player.rewards).any() for player in present):
        return 0
    counts = np.stack([(~np.isnan(player.rewards)).sum(-1) for player in present])
    kept = (counts >= LEAST_SCORED).all(0)
    if not kept.any():
        raise UserError(
            f"no prompt of the suite {suite} has two scored responses by every player; the "
            f"judge gave too few rewards"
        )
    for row in table:
        for i, player in enumerate(row):
            if player is not None:
                lengths = None if player.lengths is None else player.lengths[kept]
                row[i] = PlayerResponses(player.rewards[kept], None, lengths)
    return int((~kept).sum())


def response_rows(cell: Run, player: str) -> Sequence[Mapping[str, Any]]:
    """Return the rows of answers.jsonl; none of an unfinished cell, which has the file too."""
    return (
        cell.rows("answers", keys=("lengths",))
        if player == START or is_finished(cell.folder)
        else []
    )


def by_suite(rows: Sequence[Mapping[str, Any]]) -> dict[str, PlayerResponses]:
    """Return the responses of one player by suite."""
    suites: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        suites.setdefault(row["suite"], []).append(row)
    return {suite: _responses(suite_rows) for suite, suite_rows in suites.items()}


def _responses(rows: Sequence[Mapping[str, Any]]) -> PlayerResponses:
    lengths = None
    if rows[0]["lengths"] is not None:
        lengths = np.array([row["lengths"] for row in rows], dtype=np.float64)
    rewards = np.array([row["rewards"] for row in rows], dtype=np.float64)  # None is NaN
    return PlayerResponses(rewards, None, lengths)


def win_rates(players: Sequence[PlayerResponses | None], prompts: int) -> Floats:
    """Return the win rates (L, L, P) among the players of one seed; NaN for missing ones."""
    present = [i for i, player in enumerate(players) if player is not None]
    wins = np.full((len(players), len(players), prompts), np.nan)
    if present:
        wins[np.ix_(present, present)] = win_matrix([p for p in players if p is not None])
    return wins


def prompt_means(
    players: Sequence[PlayerResponses | None],
    prompts: int,
    of: Callable[[Floats], Any] = np.asarray,
) -> Floats:
    """Return the mean of ``of(rewards)`` by player and prompt of one seed, (L, P)."""
    missing = np.full(prompts, np.nan)
    return np.stack([missing if p is None else means_of(p.rewards, of) for p in players])


def means_of(rewards: Floats, of: Callable[[Floats], Any]) -> Floats:
    """Return the mean of ``of(rewards)`` over the scored responses of each prompt, (P,)."""
    if not has_missing(rewards):
        return of(rewards).mean(-1)
    return mean_scored(np.where(np.isnan(rewards), np.nan, of(rewards)))


def crossplay_regret(cell: Run, arms: Sequence[str]) -> Floats:
    """Return a player's regret (A, Q) on the last proposal of each arm's creator."""
    regret = {
        row["creator"]: np.repeat(filled(row["regret"]), row["drawn"])
        for row in cell.rows("crossplay")
    }
    return np.stack([regret.get(arm, np.full(DRAWN_PROMPTS, np.nan)) for arm in arms])


def filled(values: Sequence[float | None]) -> Floats:
    """Return numbers with the mean of the others in place of None, which leaves means alone."""
    array = np.array(values, dtype=np.float64)
    return np.where(np.isnan(array), mean_scored(array), array)
