"""Rows of data sets, in the formats of TRL, from the recorded prompts of runs.

TRL's documentation, "Dataset formats and types", defines them: a row is standard (text) or
conversational (messages), and its type is prompt-only, preference or unpaired preference.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from eva_env.chat import messages_of
from experiments.run.disk import refuse_links
from experiments.run.errors import UserError
from experiments.run.records import Run

Row = dict[str, Any]

OUTCOME = ("text", "best", "worst", "best_response", "worst_response")
"""Columns of prompts.jsonl that a data set is made from."""

REPEATED, TIED, CLOSE, UNSCORED = (
    "repeated",
    "tied",
    "below the least gap",
    "without two rewards",
)
"""Reasons for which a drawn prompt is left out."""


@dataclass
class Exported:
    """Rows of a data set, and what they come from."""

    rows: list[Row] = field(default_factory=list)
    prompts: int = 0
    """Drawn prompts of the rounds that were read."""
    runs: int = 0
    left_out: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys((REPEATED, TIED, CLOSE, UNSCORED), 0)
    )
    """Drawn prompts that gave no row, by reason."""


def runs_of(folder: Path) -> list[Run]:
    """Return the run of a folder, or those of a comparison's cells; UserError for neither."""
    refuse_links(folder)
    cells = sorted((folder / "cells").glob("*/seed-*"))
    runs = [Run(cell) for cell in cells if (cell / "prompts.jsonl").is_file()]
    if runs:
        return runs
    run = Run.open(folder).require_kind("run", "comparison")
    if cells or not (folder / "prompts.jsonl").is_file():
        raise UserError(f"{folder} has no prompts yet: no round has been recorded")
    return [run]


def exported(
    runs: Sequence[Run],
    format: str,
    rounds: tuple[int, int | None] = (1, None),
    min_gap: float = 0.0,
    conversational: bool = False,
) -> Exported:
    """Return the rows of a format from the drawn prompts of runs.

    Args:
        runs: the records.
        format: ``prompt-only`` (each prompt once), ``preference`` (the best response against
            the worst) or ``unpaired`` (both as rows of their own, with a label).
        rounds: the first and the last round, from 1; None is the last one played.
        min_gap: the best reward must exceed the worst by more than this.
        conversational: write every row as messages. If one prompt is a conversation, all rows
            are written so, because a data set has one form.
    """
    prompts = list(drawn(runs, rounds))
    conversational = conversational or any(is_conversation(row["text"]) for row in prompts)
    result = Exported(prompts=len(prompts), runs=len(runs))
    seen: set[Any] = set()
    for row in prompts:
        if format == "prompt-only":
            reason = REPEATED if row["text"] in seen else ""
        else:
            reason = reason_against(row, min_gap)
            pair = (row["text"], row.get("best_response"), row.get("worst_response"))
            reason = reason or (REPEATED if pair in seen else "")
            seen.add(pair)
        seen.add(row["text"])
        if reason:
            result.left_out[reason] += 1
        else:
            result.rows += rows_of(row, format, conversational)
    return result


def drawn(runs: Sequence[Run], rounds: tuple[int, int | None]) -> Iterator[Row]:
    """Yield the drawn prompts of some rounds; UserError for prompts that are no text."""
    first, last = rounds
    for run in runs:
        for row in run.rows("prompts", keys=OUTCOME):
            if not row.get("drawn", True) or row["round"] < first:
                continue
            if last is not None and row["round"] > last:
                continue
            if not isinstance(row["text"], str):
                raise UserError(
                    f"{run.folder} has prompts that are no text ({row['text']!r}); only worlds "
                    f"of text can be exported"
                )
            yield row


def reason_against(row: Mapping[str, Any], min_gap: float) -> str:
    """Return why a prompt's best and worst response make no pair; empty if they do."""
    best, worst = row.get("best"), row.get("worst")
    if not (is_number(best) and is_number(worst)):
        return UNSCORED
    if best == worst or row["best_response"] == row["worst_response"]:
        return TIED
    return "" if best - worst > min_gap else CLOSE


def rows_of(row: Mapping[str, Any], format: str, conversational: bool) -> list[Row]:
    """Return the rows of a format for one drawn prompt."""
    prompt = messages_of(row["text"]) if conversational else row["text"]
    if format == "prompt-only":
        return [{"prompt": prompt}]
    best, worst = (
        [{"role": "assistant", "content": row[name]}] if conversational else row[name]
        for name in ("best_response", "worst_response")
    )
    if format == "unpaired":
        return [
            {"prompt": prompt, "completion": best, "label": True, "reward": row["best"]},
            {"prompt": prompt, "completion": worst, "label": False, "reward": row["worst"]},
        ]
    return [
        {
            "prompt": prompt,
            "chosen": best,
            "rejected": worst,
            "score_chosen": row["best"],
            "score_rejected": row["worst"],
            "reward_gap": row["best"] - row["worst"],
            "round": row["round"],
        }
    ]


def is_conversation(prompt: str) -> bool:
    """Return True if a prompt has several messages, or one that is not the user's."""
    messages = messages_of(prompt)
    return len(messages) != 1 or messages[0]["role"] != "user"


def is_number(value: Any) -> TypeGuard[float]:
    """Return True for a finite reward; a missing one is None or NaN."""
    return isinstance(value, int | float) and math.isfinite(value)
