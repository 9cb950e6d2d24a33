"""From a round to (chosen, rejected) pairs."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from eva_env.types import Floats, Round


@dataclass(frozen=True)
class Preferences:
    """P pairs of responses; ``*_wins`` (P,) as in ``agents.losses.pairs.Pairs``."""

    prompts: list[Any]
    chosen: list[Any]
    rejected: list[Any]
    chosen_wins: Floats
    rejected_wins: Floats

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """All pairs of several rounds."""
        return cls(
            [prompt for part in parts for prompt in part.prompts],
            [response for part in parts for response in part.chosen],
            [response for part in parts for response in part.rejected],
            np.concatenate([part.chosen_wins for part in parts]),
            np.concatenate([part.rejected_wins for part in parts]),
        )


def win_rates(rewards: Floats) -> Floats:
    """Probability in [0, 1] that each response beats one of the n samples, (B, n) -> (B, n).

    Under Bradley-Terry, mean over j of sigmoid(r_i - r_j), j = i included, as in the authors'
    code of SPPO (Wu et al. 2024, arXiv 2405.00675, Sec. 4).
    """
    gap = rewards[:, :, None] - rewards[:, None, :]
    return (0.5 + 0.5 * np.tanh(gap / 2)).mean(-1)


def best_against_worst(round: Round) -> tuple[Any, Any]:
    """Columns of chosen (best) and rejected (worst) response, (B, 1) each."""
    return round.rewards.argmax(1)[:, None], round.rewards.argmin(1)[:, None]


def build(round: Round) -> Preferences:
    """The round's pairs; those of equal reward are left out."""
    columns = best_against_worst(round)
    rows = np.arange(len(round.prompts))[:, None]
    better = round.rewards[rows, columns[0]] > round.rewards[rows, columns[1]]
    row = np.broadcast_to(rows, better.shape)[better]
    chosen, rejected = columns[0][better], columns[1][better]
    wins = win_rates(round.rewards)
    return Preferences(
        [round.prompts[i] for i in row.tolist()],
        [round.responses[i][j] for i, j in zip(row.tolist(), chosen.tolist(), strict=True)],
        [round.responses[i][j] for i, j in zip(row.tolist(), rejected.tolist(), strict=True)],
        wins[row, chosen],
        wins[row, rejected],
    )
