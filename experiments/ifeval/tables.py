"""Show an evaluation by IFEval at the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from experiments.ifeval.scores import LEVELS
from experiments.run.wording import counted

NAMES = {"start": "starting policy", "checkpoint": "checkpoint", "constant": "constant text"}
"""Rows of a table by the name of a policy."""


def show(result: Mapping[str, Any], console: Console) -> None:
    """Print the tables and the conclusion."""
    for table in (accuracy_table(result), text_table(result), instruction_table(result)):
        console.print(table)
    for line in result["conclusion"]:
        console.print(line, highlight=False, soft_wrap=True)


def accuracy_table(result: Mapping[str, Any]) -> Table:
    """Return the four accuracies of each policy with their 95 % intervals."""
    samples = counted(result["samples"], "sample")
    title = f"IFEval: {result['prompts']} prompts, {samples} of each; accuracy (95 %)"
    heads = [level.replace("_", "\n") for level in LEVELS]
    table = Table("", *heads, title=title)
    for name, row in result["policies"].items():
        table.add_row(NAMES.get(name, name), *(with_interval(row[level]) for level in LEVELS))
    if "difference" in result:
        cells = (with_interval(result["difference"][level], "+") for level in LEVELS)
        table.add_row("difference", *cells)
    return table


def text_table(result: Mapping[str, Any]) -> Table:
    """Return how the responses of each policy read, to be seen next to the accuracies."""
    read = result["prompts_read"]
    reader = "starting policy" if "start" in result["policies"] else "checkpoint"
    title = (
        f"the responses; log-probability per token under the {reader}: of the first response "
        f"to {read} prompts"
    )
    heads = ("words", "tokens", "repeated\ntrigrams", "log-prob.,\nnats")
    columns = [Column(head, justify="right") for head in (*heads, "cut off", "copied")]
    table = Table("", *columns, title=title)
    for name, row in result["policies"].items():
        text = row["text"]
        table.add_row(
            NAMES.get(name, name),
            f"{text['words']:.0f}",
            f"{text['tokens']:.0f}",
            f"{text['repeated_trigrams']:.3f}",
            f"{text['logprob']:.2f}",
            "" if text["cut_off"] is None else f"{text['cut_off']:.0%}",
            f"{text['copied']:.0%}",
        )
    return table


def instruction_table(result: Mapping[str, Any]) -> Table:
    """Return the strict rates of all instruction ids."""
    compared = "difference" in result
    heads = ("starting\npolicy", "checkpoint", "difference") if compared else ("checkpoint",)
    columns = [Column(head, justify="right") for head in (*heads, "prompts")]
    table = Table(
        Column("instruction", overflow="fold"), *columns, title="strict rates by instruction id"
    )
    for cells in instruction_rows(result):
        table.add_row(*cells)
    return table


def instruction_rows(result: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of each instruction id."""
    rows = result["policies"]
    for name, after in rows["checkpoint"]["by_instruction"].items():
        cells = [f"{after['rate']:.2f}"]
        if "difference" in result:
            before = rows["start"]["by_instruction"][name]["rate"]
            cells = [f"{before:.2f}", *cells, f"{after['rate'] - before:+.2f}"]
        yield [name, *cells, str(after["prompts"])]


def with_interval(estimate: Mapping[str, float | None], sign: str = "") -> str:
    """Return an estimate with its interval, as two lines of a cell."""
    mean, low, high = (estimate[name] for name in ("mean", "low", "high"))
    if mean is None:
        return ""
    if low is None or high is None:
        return f"{mean:{sign}.3f}"
    return f"{mean:{sign}.3f}\n({low:{sign}.3f} to {high:{sign}.3f})"
