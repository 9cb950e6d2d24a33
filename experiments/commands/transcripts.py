"""Responses before and after training, as a command prints them."""

from experiments.run.records import Run

SHOWN = 3
"""Prompts that are shown."""


def transcripts(run: Run) -> list[str]:
    """Evolved prompts of the last round, the first response before and after training."""
    rows = [row for row in run.rows("transcripts") if row["operator"] is not None]
    return [
        f"\nprompt  {row['prompt']}\n"
        f"  from  {row['parent']}  ({row['operator']})\n"
        f"before  {row['before'][0]}  (gold reward {row['before_rewards'][0]:.2f})\n"
        f" after  {row['after'][0]}  (gold reward {row['after_rewards'][0]:.2f})"
        for row in rows[-SHOWN:]
    ]
