"""The verdict of a diagnosis in plain English: conditions, prediction and next steps."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.diagnosis.inheritance import best_and_worst
from experiments.run.wording import join

NO_SIGNAL, RELIABILITY, HEREDITY = 0.4, 0.6, 0.5
"""Thresholds: targets set by hand for a world in which steering can show an effect."""


class Condition(NamedTuple):
    """One of the three conditions without which choosing parents changes little."""

    name: str
    text: str
    """The measured quantity and its threshold, in words."""
    value: float | None
    holds: bool | None
    """True if the estimate reaches the threshold; None where it is undefined."""
    resolved: bool
    """True if the whole interval lies on the estimate's side of the threshold."""

    @property
    def sentence(self) -> str:
        """The condition's finding as one sentence."""
        if self.holds is None:
            return f"{self.name} is undefined: {self.text}."
        finding = "holds" if self.holds else "does not hold"
        doubt = "" if self.resolved else "; the interval includes the threshold"
        return f"{self.name} {finding}: {self.text}{doubt}."


def conditions(result: Mapping[str, Any]) -> list[Condition]:
    """Return the conditions heterogeneity, reliability and heredity of a result."""
    n = result["samples"]
    return [
        _condition(
            "Heterogeneity",
            "the share of prompts without a signal",
            result["no_signal"],
            NO_SIGNAL,
        ),
        _condition(
            "Reliability",
            f"the correlation of the signal between two groups of {n} responses",
            result["reliability"],
            RELIABILITY,
        ),
        _condition(
            "Heredity",
            "the correlation of the signal between parent and child",
            result["heredity"],
            HEREDITY,
        ),
    ]


def _condition(
    name: str, quantity: str, estimate: Mapping[str, Any], threshold: float
) -> Condition:
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    if value is None:
        return Condition(name, f"{quantity} has no value here", None, None, False)
    text = f"{quantity} is {value:.2f} ({low:.2f} to {high:.2f}), the threshold {threshold:.2f}"
    holds = value >= threshold
    return Condition(name, text, value, holds, low >= threshold if holds else high < threshold)


def verdict(result: Mapping[str, Any], signal: str) -> dict[str, Any]:
    """Return the conditions, the prediction and the next steps as JSON of plain sentences."""
    checked = conditions(result)
    return {
        "conditions": {
            condition.name.lower(): {
                "holds": condition.holds,
                "resolved": condition.resolved,
                "text": condition.sentence,
            }
            for condition in checked
        },
        "can_help": can_help(result, checked),
        "prediction": prediction(result, checked, signal),
        "next_steps": next_steps(result, checked),
    }


def can_help(result: Mapping[str, Any], checked: list[Condition]) -> bool:
    """Return True if all three conditions hold and the gain's interval lies above 0."""
    low = result["gain"]["low"]
    return all(condition.holds for condition in checked) and low is not None and low > 0


def prediction(result: Mapping[str, Any], checked: list[Condition], signal: str) -> str:
    """Return what the numbers predict for choosing parents by the signal.

    It never says that steering helps: a diagnosis trains nothing.
    """
    gain, failing = result["gain"], [c.name.lower() for c in checked if not c.holds]
    verb = "do" if len(failing) > 1 else "does"
    lack = f"{join(failing)} {verb} not hold"
    if gain["value"] is None and has_no_signal(result):
        return (
            f"Nothing can be predicted for choosing parents by {signal}: no human prompt has a "
            f"signal, because all responses to a prompt have the same reward "
            f"({result['mean_reward']:.2f} on average)."
        )
    if gain["value"] is None:
        return (
            f"Nothing can be predicted for choosing parents by {signal}: the selection gain is "
            f"undefined, because there are no children with a signal."
        )
    amount = (
        f"the children of parents chosen by {signal} have {gain['value']:+.0%} "
        f"({gain['low']:+.0%} to {gain['high']:+.0%}) signal relative to equal weights"
    )
    if gain["high"] < 0:
        return f"Choosing parents by {signal} lowers the signal on these prompts: {amount}."
    if gain["low"] <= 0:
        reason = lack if failing else "the interval of the gain includes 0"
        return (
            f"Choosing parents by {signal} cannot be expected to help on these prompts: "
            f"{reason}, and {amount}."
        )
    if failing:
        return (
            f"Choosing parents by {signal} changes the children, but {lack}: {amount}. Expect "
            f"little of it on these prompts."
        )
    return (
        f"Choosing parents by {signal} can help on these prompts: {amount}. Whether the solver "
        f"learns more from more signal is not measured here; a comparison with parents drawn "
        f"equally shows it."
    )


def has_no_signal(result: Mapping[str, Any]) -> bool:
    """Return True if every human prompt has a signal of exactly 0."""
    return result["zero_signal"]["value"] == 1


def next_steps(result: Mapping[str, Any], checked: list[Condition]) -> list[str]:
    """Return advice for each condition that does not hold, then what to run next."""
    if has_no_signal(result):
        return [
            "Without a signal the conditions say nothing. Take prompts that the policy solves "
            "sometimes, another starting policy, or a --reward that differs between responses; "
            "cut-off responses often fail, so check --sampling.max-tokens."
        ]
    advisers = {
        "Heterogeneity": _more_heterogeneity,
        "Reliability": _more_reliability,
        "Heredity": _more_heredity,
    }
    steps = [advisers[c.name](result) for c in checked if not c.holds]
    if any(not condition.resolved for condition in checked) or _gain_is_open(result):
        steps.append(
            "Give more --prompts to narrow the intervals: half the width takes four times as "
            "many."
        )
    if not steps:
        steps.append(
            "Compare creators at equal budget: eva compare task:NAME --creators uniform-evolve "
            "eva --seeds 6."
        )
    return steps


def _gain_is_open(result: Mapping[str, Any]) -> bool:
    gain = result["gain"]
    return gain["value"] is not None and gain["low"] <= 0 <= gain["high"]


def _more_heterogeneity(result: Mapping[str, Any]) -> str:
    return (
        "For heterogeneity: too many prompts have a signal for a choice to matter much. Take "
        "prompts that differ more in difficulty, or a stricter --reward: partial credit gives "
        "a signal to prompts that no response solves."
    )


def _more_reliability(result: Mapping[str, Any]) -> str:
    needed, model = result["samples_needed"], result["projection"]
    assumption = {
        "beta-binomial": "if pass rates follow the fitted Beta distribution",
        "spearman-brown": "by the formula of Spearman and Brown, which assumes that the signal "
        "averages over responses",
    }[model]
    if needed is None:
        advice = f"no number of --samples is projected to reach 0.80 {assumption}"
    else:
        advice = f"give more --samples; {needed} are projected to reach 0.80 {assumption}"
    return f"For reliability: {advice}.{_more_reliable_signal(result)}"


def _more_reliable_signal(result: Mapping[str, Any]) -> str:
    """The signal of highest reliability on the same responses, if it reaches the threshold."""
    reliabilities = {
        row["signal"]: row["reliability"]["value"]
        for row in result["signals"]
        if row["reliability"]["value"] is not None
    }
    best = max(reliabilities, key=lambda name: reliabilities[name], default=None)
    if best is None or reliabilities[best] < RELIABILITY:
        return ""
    return (
        f" On the same responses {best} has a reliability of {reliabilities[best]:.2f}; eva "
        f"diagnose --resume {result['folder']} --signal {best} reads it."
    )


def _more_heredity(result: Mapping[str, Any]) -> str:
    if not result["children"]:
        return "For heredity: children are needed; give --children 2 and a task with operators."
    extremes = best_and_worst(result["operators"])
    advice = "For heredity: use operators that keep what makes a prompt hard"
    if extremes is None:
        return f"{advice}."
    best, worst = (
        f"{row['operator']} ({row['heredity']['value']:.2f}, {row['pairs']} pairs)"
        for row in extremes
    )
    return (
        f"{advice}. Here {best} keeps the signal best and {worst} least, which is partly "
        f"chance with {len(result['operators'])} operators; --creator.operators weighs them."
    )
