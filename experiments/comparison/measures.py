"""The scores of all cells as arrays, by seed and prompt; NaN where a cell is missing.

Shape letters: S seeds, A arms, L players (the arms and the starting model), P prompts of a
suite, Q prompts drawn from a creator's last proposal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eva_env.signals import passed
from eva_env.statistics.win_rates import PlayerResponses, win_matrix
from eva_env.types import Floats
from experiments.comparison.cells import ASKED, is_finished, place
from experiments.run.records import Run

START = "start"
"""The player that has learned nothing."""


@dataclass(frozen=True)
class Measures:
    """What was measured, before any interval."""

    arms: list[str]
    seeds: list[int]
    answers: dict[str, list[list[PlayerResponses | None]]]
    """By suite: (S, L) answers, gold rewards and lengths."""
    gold: dict[str, Floats]
    """By suite: mean gold reward (S, L, P)."""
    passes: dict[str, Floats]
    """By suite: share of answers whose gold reward is 1 (S, L, P), in [0, 1]."""
    wins: dict[str, Floats]
    """By suite: win rate of each player against each other (S, L, L, P), in [0, 1]."""
    regret: Floats
    """True regret (S, A, L, Q), in units of gold reward, of players on the prompts that the
    creators of arms have proposed for the round after the last."""

    @property
    def players(self) -> list[str]:
        """The arms, and the starting model last."""
        return [*self.arms, START]

    def against_start(self, suite: str) -> Floats:
        """Win rate of each player against the starting model, (S, L, P)."""
        return self.wins[suite][:, :, -1]


def measure(folder: Path, arms: Sequence[str], seeds: Sequence[int]) -> Measures:
    """Read the cells of a comparison's folder; those that are not finished are missing."""
    players = [*arms, START]
    cells = [[Run(place(folder, player, seed)) for player in players] for seed in seeds]
    read = [
        [by_suite(answers_of(cell, player)) for cell, player in zip(row, players, strict=True)]
        for row in cells
    ]
    suites = next((list(own) for row in read for own in row if own), [])
    answers = {suite: [[own.get(suite) for own in row] for row in read] for suite in suites}
    gold, passes, wins = {}, {}, {}
    for suite, own in answers.items():
        prompts = next(len(one.rewards) for row in own for one in row if one is not None)
        gold[suite] = np.stack([means(row, prompts) for row in own])
        passes[suite] = np.stack([means(row, prompts, passed) for row in own])
        wins[suite] = np.stack([compare(row, prompts) for row in own])
    regret = np.stack(
        [np.stack([crossed(cell, arms) for cell in row], axis=1) for row in cells]
    )
    return Measures(list(arms), list(seeds), answers, gold, passes, wins, regret)


def answers_of(cell: Run, player: str) -> Sequence[Mapping[str, Any]]:
    """Rows of answers.jsonl, none of a run that has stopped under way: it has them too."""
    return cell.rows("answers") if player == START or is_finished(cell.folder) else []


def by_suite(rows: Sequence[Mapping[str, Any]]) -> dict[str, PlayerResponses]:
    """The answers of one player to each suite."""
    suites: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        suites.setdefault(row["suite"], []).append(row)
    return {suite: _answers(own) for suite, own in suites.items()}


def _answers(rows: Sequence[Mapping[str, Any]]) -> PlayerResponses:
    lengths = None
    if rows[0]["lengths"] is not None:
        lengths = np.array([row["lengths"] for row in rows], dtype=np.float64)
    return PlayerResponses(np.array([row["rewards"] for row in rows]), None, lengths)


def compare(row: Sequence[PlayerResponses | None], prompts: int) -> Floats:
    """Win rates (L, L, P) of a seed's players."""
    known = [i for i, own in enumerate(row) if own is not None]
    wins = np.full((len(row), len(row), prompts), np.nan)
    if known:
        wins[np.ix_(known, known)] = win_matrix([own for own in row if own is not None])
    return wins


def means(
    row: Sequence[PlayerResponses | None],
    prompts: int,
    of: Callable[[Floats], Any] = np.asarray,
) -> Floats:
    """Mean reward, or something ``of`` rewards, of a seed's players by prompt, (L, P)."""
    none = np.full(prompts, np.nan)
    return np.stack([none if own is None else of(own.rewards).mean(-1) for own in row])


def crossed(cell: Run, arms: Sequence[str]) -> Floats:
    """Regret (A, Q) of a player on what the creators of arms have proposed."""
    rows = {row["creator"]: row for row in cell.rows("crossplay")}
    found = {arm: np.repeat(row["regret"], row["drawn"]) for arm, row in rows.items()}
    return np.stack([found.get(arm, np.full(ASKED, np.nan)) for arm in arms])
