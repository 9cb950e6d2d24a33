"""Show an evaluation of a comparison's arms by IFEval at the terminal, and say what follows."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.ifeval.conclusion import (
    DECIDING,
    LEAST_SAMPLES,
    SMALL,
    against_constant,
    caveats,
    resolved,
)
from experiments.ifeval.tables import NAMES, text_table, with_interval
from experiments.run.wording import counted, join


def conclusion(result: Mapping[str, Any]) -> list[str]:
    """Return the sentences that say what is resolved, and which arms collapsed."""
    texts, samples = [], result["samples"]
    constant = result["policies"]["constant"][DECIDING]["mean"]
    for name, row in result["arms"].items():
        verdict = _verdict(row["difference"], samples)
        text = f"{name} minus the starting policy: {verdict}."
        if row["collapse"]:
            gained = row["difference"]["mean"] > 0
            text += " The gain comes with collapse: " if gained else " It shows collapse: "
            text += f"{join(row['collapse'])}."
        texts.append(text)
        texts.append(against_constant(name, row[DECIDING]["mean"], constant))
    texts += [
        f"{row['a']} minus {row['b']}: {_verdict(row, samples)}."
        for row in result["differences"]
    ]
    fewest = min(len(row["seeds"]) for row in result["arms"].values())
    if fewest < 2:
        texts.append(
            "An arm with one seed has an interval over prompts alone: it holds for that run, "
            "not for the method; give eva compare more --seeds."
        )
    if samples < LEAST_SAMPLES:
        texts.append(
            f"With {counted(samples, 'sample')} a prompt no difference up to {SMALL} is "
            f"claimed; give --samples {LEAST_SAMPLES}."
        )
    return [text for text in [*texts, *caveats(result)] if text]


def _verdict(row: Mapping[str, Any], samples: int) -> str:
    """Return a difference with its interval, and whether it is resolved."""
    if row["low"] is None:
        return f"{row['mean']:+.3f}, without an interval"
    verdict = "resolved" if resolved(row, samples) else "not resolved"
    return f"{row['mean']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}), {verdict}"


def show(result: Mapping[str, Any], console: Console) -> None:
    """Print the tables and the conclusion."""
    policies = result["policies"] | result["arms"]
    count = counted(len(result["cells"]), "cell")
    table = Table(
        *("", "seeds", "prompt\nstrict", "minus the\nstarting policy"),
        title=f"IFEval: {result['prompts']} prompts, {count}; accuracy (95 %)",
    )
    for name, row in policies.items():
        seeds = len(row["seeds"]) if "seeds" in row else ""
        gap = with_interval(row["difference"], "+") if "difference" in row else ""
        table.add_row(NAMES.get(name, name), str(seeds), with_interval(row[DECIDING]), gap)
    console.print(table)
    console.print(text_table({**result, "policies": policies}))
    for line in result["conclusion"]:
        console.print(line, highlight=False, soft_wrap=True)
