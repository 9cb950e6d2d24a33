"""The next step after a comparison: more seeds, tuning, a larger suite, or failed cells."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.contrasts import decided, main_comparisons
from experiments.comparison.ties import tie_step, tied_score
from experiments.comparison.wording import gap
from experiments.run.wording import join

Summary = Mapping[str, Any]
Row = Mapping[str, Any]

MOST_SEEDS = 1000
"""Most seeds that a next step proposes."""


def next_step(summary: Summary) -> list[str]:
    """Return at most one sentence: what to do next, and why."""
    main = main_comparisons(summary)
    if summary["failures"]:
        return ["Next: play the failed cells again (--resume)."]
    if not main:
        return []
    if tied_score(summary) is not None:
        return [tie_step(summary)]
    seeds = next_seeds(summary)
    open_rows = [row for row in main if not decided(row)[0]]
    if not open_rows:
        if summary["tuning"]:
            return []
        return [
            "Next: every comparison is decided for untuned settings; tune every arm equally "
            "(--tune 6) to see whether the differences remain."
        ]
    if any(row["low"] is None for row in open_rows):
        return [f"Next: add seeds, since one seed shows nothing (--seeds {seeds})."]
    row = easiest(open_rows)
    if affordable(row):
        size = gap(abs(row["mean"]), summary["metric"])
        return [
            f"Next: to distinguish {row['a']} from {row['b']} with 80 % power you need about "
            f"{seeds} seeds (--seeds {seeds}), if the true difference is the measured {size}."
        ]
    pairs = join([f"{row['a']} - {row['b']}" for row in open_rows])
    small = f"the measured {pairs} is too small to detect with {MOST_SEEDS:,} seeds"
    if seeds:
        half = gap(0.5 * summary["power"]["headroom"], summary["metric"])
        return [
            f"Next: add seeds (--seeds {seeds}) to detect a difference of half the head-room "
            f"({half}); {small}."
        ]
    return [f"Next: take the intervals as the result, or use a larger suite: {small}."]


def next_seeds(summary: Summary) -> int | None:
    """Return the number of seeds that the next step proposes; None if more do not help.

    It decides the easiest open comparison, or else detects half of the head-room.
    """
    played = len(summary["seeds"])
    open_rows = [row for row in main_comparisons(summary) if not decided(row)[0]]
    if not open_rows or summary["failures"] or tied_score(summary) is not None:
        return None
    if any(row["low"] is None for row in open_rows):
        return max(5, played + 1)
    row = easiest(open_rows)
    needed = row["seeds_needed"] if affordable(row) else summary["power"]["seeds_needed"]
    return max(needed, played + 1) if needed and needed <= MOST_SEEDS else None


def affordable(row: Row) -> bool:
    """Whether at most ``MOST_SEEDS`` detect the measured difference."""
    return row["seeds_needed"] is not None and row["seeds_needed"] <= MOST_SEEDS


def easiest(rows: Sequence[Row]) -> Row:
    """Return the comparison that needs the fewest seeds."""
    return min(rows, key=lambda row: row["seeds_needed"] or float("inf"))
