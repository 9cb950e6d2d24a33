"""Print a diagnosis: the numbers with their intervals, then the verdict."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.diagnosis.inheritance import FEWEST_PAIRS
from experiments.diagnosis.measures import ENOUGH
from experiments.run.wording import counted

TOPICS = 12
"""Topics that the terminal shows, of those with the most prompts; diagnosis.json has all."""


def print_diagnosis(result: Mapping[str, Any], console: Console) -> None:
    """Print the tables, the conditions, the prediction and the next steps."""
    console.print(_numbers(result))
    console.print(_signals(result))
    if result["operators"]:
        console.print(_operators(result))
    if len(result["topics"]) > 1:
        console.print(_topics(result))
    verdict = result["verdict"]
    paragraphs = [
        "Brackets are 95 % bootstrap intervals over the human prompts; of many such intervals "
        "one in twenty misses.",
        *(condition["text"] for condition in verdict["conditions"].values()),
        verdict["prediction"],
        *(f"next: {step}" for step in verdict["next_steps"]),
    ]
    for paragraph in paragraphs:
        console.print(paragraph, highlight=False, markup=False, soft_wrap=True)


def _numbers(result: Mapping[str, Any]) -> Table:
    n, signal = result["samples"], result["signal"]
    table = Table(f"{signal}, n = {n}", "value", "95 % interval")
    bound = result["no_signal_bound"]
    rows = [
        ("mean signal of the human prompts", "mean_signal", False),
        (f"prompts without a signal (below {bound:.3g})", "no_signal", True),
        ("prompts with a signal of exactly 0", "zero_signal", True),
        ("prompts of which all responses pass", "all_pass", True),
        ("prompts of which no response passes", "none_passes", True),
        (f"reliability: two groups of {n} responses", "reliability", False),
        ("heredity: correlation of parent and child", "heredity", False),
        ("heredity corrected for noise", "heredity_corrected", False),
        ("selection gain: children of chosen parents", "gain", True),
        ("its ceiling: the parents themselves, again", "ceiling", True),
        ("mean signal of the children", "children_mean_signal", False),
    ]
    for text, name, in_percent in rows:
        if result[name] is not None:
            table.add_row(text, *written(result[name], in_percent))
    table.add_row(f"n projected to reach reliability {ENOUGH:.2f}", *_projection(result))
    return table


def _projection(result: Mapping[str, Any]) -> tuple[str, str]:
    needed = result["samples_needed"]
    return "none" if needed is None else str(needed), f"assumes {result['projection']}"


def _signals(result: Mapping[str, Any]) -> Table:
    table = Table("signal of the same responses", "reliability", "95 % interval")
    for row in result["signals"]:
        table.add_row(row["signal"], *written(row["reliability"]))
    return table


def _operators(result: Mapping[str, Any]) -> Table:
    table = Table("operator", "pairs", "mean signal", "heredity", "95 % interval", "corrected")
    for row in result["operators"]:
        correlation = written(row["heredity"])
        if row["pairs"] < FEWEST_PAIRS:
            correlation = ("", f"under {FEWEST_PAIRS} pairs")
        table.add_row(
            row["operator"],
            str(row["pairs"]),
            _decimal(row["mean_signal"]),
            *correlation,
            _decimal(row["heredity_corrected"]["value"]),
        )
    return table


def _topics(result: Mapping[str, Any]) -> Table:
    largest = sorted(result["topics"], key=lambda row: -row["prompts"])[:TOPICS]
    table = Table("topic", "prompts", "mean reward", "95 % interval", "mean signal")
    for row in result["topics"]:
        if row in largest:
            reward = written(row["mean_reward"])
            signal = _decimal(row["mean_signal"]["value"])
            table.add_row(row["topic"], str(row["prompts"]), *reward, signal)
    hidden = len(result["topics"]) - len(largest)
    if hidden:
        table.caption = f"{counted(hidden, 'topic')} more in diagnosis.json"
    return table


def written(estimate: Mapping[str, float | None], in_percent: bool = False) -> tuple[str, str]:
    """Return an estimate and its interval as text; "undefined" without a value."""
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "undefined", ""
    if in_percent:
        return f"{value:.0%}", f"{low:.0%} to {high:.0%}"
    return f"{value:.2f}", f"{low:.2f} to {high:.2f}"


def _decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
