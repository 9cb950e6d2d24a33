"""Alarms: signs in the record that a run goes wrong, and the bounds at which they ring.

A row of alarms.jsonl says that an alarm rings in a round: its ``value`` lies beyond the
``threshold``. Those that read evaluations ring on until the next one. Everything is a function
of rows that are written already, so that a resumed run rings as an uninterrupted one, and a
finished run may be read again with other bounds.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from experiments.run.records import Run

Row = dict[str, Any]


@dataclass(frozen=True)
class Alarms:
    """Bounds of a run that is well. A least share of 0 never rings, nor does a greatest of 1.

    The defaults lie between what was measured in runs that are well (Eva, UniformEvolve and
    Fresh, with DPO and RLOO, on both rungs) and in runs that are not; see each.
    """

    min_distinct: float = 0.25
    """Least share of distinct prompts among those drawn. Healthy: from 0.38."""
    min_entropy: float = 0.5
    """Least entropy of the proposed distribution, as a share of the greatest, log N nats of N
    proposed prompts. Healthy: from 0.63; a creator that has collapsed: 0."""
    min_effective: float = 0.25
    """Least effective sample size of that distribution, as a share of the prompts drawn from
    it, or of N if that is smaller. Healthy: from 0.47; a creator that has collapsed: 0.03."""
    max_cluster: float = 0.5
    """Greatest share of the drawn prompts in one cluster of near twins. Healthy: at most 0.34;
    all prompts bred from one: 0.7 to 0.8."""
    max_no_gradient: float = 0.95
    """Greatest share of prompts whose responses are all rewarded alike, so that they teach
    nothing. On the tabular rung 0.9 is what is left when most is learned."""
    max_kl_speed: float = 3.0
    """Nats per response and round by which the KL to the start may change. Healthy: at most
    1.7; a learning rate ten times too high: 5 and more."""
    max_length: float = 2.0
    """Greatest mean length of the responses to a fixed suite, in lengths of the start's.
    Healthy: at most 1.35; a learning rate ten times too high: 2.5 and more."""
    max_gold_fall: float = 0.05
    """How far gold reward may fall from its best on a suite while the training reward there
    rises: over-optimisation (Gao et al. 2023, arXiv 2210.10760). Healthy: at most 0.01, by mere
    noise in the rewards 0.05; a proxy that is hacked: up to 1."""
    stop: bool = False
    """End the run after a round in which an alarm begins to ring; it is judged and saved.
    Resuming goes on past the alarms that ring already, until another one begins."""

    def __post_init__(self) -> None:
        shares = ("min_distinct", "min_entropy", "min_effective", "max_cluster")
        for name in (*shares, "max_no_gradient"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        for name in ("max_kl_speed", "max_length", "max_gold_fall"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

    def stops(self, ringing: Mapping[str, Row]) -> bool:
        """Whether these alarms end the run: only those do that begin."""
        return self.stop and any(row["begins"] for row in ringing.values())


@dataclass
class Watch:
    """The alarms of one run as it goes on."""

    bounds: Alarms
    evaluations: list[Row]
    """Rows of evaluations.jsonl until now."""
    before: Collection[str]
    """Alarms that rang in the round before."""

    @classmethod
    def over(cls, run: Run, bounds: Alarms, played: int) -> Self:
        """Watch a run that has played so many rounds."""
        rang = [row["alarm"] for row in run.rows("alarms") if row["round"] == played]
        return cls(bounds, run.rows("evaluations"), rang)

    def ringing(self, row: Row) -> dict[str, Row]:
        """Rows of alarms.jsonl, by alarm, for a row of rounds.jsonl.

        ``begins`` says that it did not ring in the round before.
        """
        signs = (*of_prompts(self.bounds, row), *of_policy(self.bounds, self.evaluations))
        return {
            alarm: {
                "round": row["round"],
                "alarm": alarm,
                "value": value,
                "threshold": threshold,
                "begins": alarm not in self.before,
                "text": text,
            }
            for alarm, value, threshold, text in signs
        }


Sign = tuple[str, float, float, str]
"""An alarm that rings: its name, value, threshold and text."""


def of_prompts(bounds: Alarms, row: Row) -> Iterator[Sign]:
    """What a round's prompts and rewards show."""
    size, drawn = row["proposed"], row["budget"]["prompts"] / row["round"]
    share = row["distinct_prompts"] / drawn
    if share < bounds.min_distinct:
        text = f"prompts collapse: only {share:.0%} of those drawn are distinct"
        yield "distinct_prompts", share, bounds.min_distinct, text
    share = row["entropy"] / math.log(size) if size > 1 else 1.0
    if share < bounds.min_entropy:
        text = f"prompts collapse: entropy is {share:.0%} of the greatest"
        yield "entropy", share, bounds.min_entropy, text
    share = row["effective"] / max(1.0, min(size, drawn))
    if share < bounds.min_effective:
        text = f"prompts collapse: {size} proposed are worth {row['effective']:.1f} equal ones"
        yield "effective", share, bounds.min_effective, text
    share = row["cluster_share"]
    if share > bounds.max_cluster:
        text = f"prompts collapse: {share:.0%} of those drawn are near twins"
        yield "cluster_share", share, bounds.max_cluster, text
    share = row["no_gradient"]
    if share > bounds.max_no_gradient:
        text = f"nothing to learn from {share:.0%} of the prompts: all answers rewarded alike"
        yield "no_gradient", share, bounds.max_no_gradient, text


def of_policy(bounds: Alarms, evaluations: Sequence[Row]) -> Iterator[Sign]:
    """What the answers to the fixed suites show; of each alarm, the suite that is worst."""
    suites: dict[str, list[Row]] = {}
    for row in evaluations:
        suites.setdefault(row["suite"], []).append(row)
    for alarm, measure, threshold, text in (
        ("kl_speed", kl_speed, bounds.max_kl_speed, "the policy moves {:.1f} nats a round"),
        ("length", length, bounds.max_length, "answers are {:.1f} times as long as at first"),
        (
            "over_optimisation",
            gold_fall,
            bounds.max_gold_fall,
            "over-optimisation: gold reward is {:.3f} below its best, training reward above",
        ),
    ):
        value, suite = max((measure(rows), name) for name, rows in suites.items())
        if value > threshold:
            yield alarm, value, threshold, f"{text.format(value)} ({suite} suite)"


def kl_speed(rows: Sequence[Row]) -> float:
    """Change of the KL between the last two evaluations, nats a round; 0 if unknown."""
    known = [row for row in rows if row.get("kl") is not None][-2:]
    if len(known) < 2:
        return 0.0
    return abs(known[1]["kl"] - known[0]["kl"]) / (known[1]["round"] - known[0]["round"])


def length(rows: Sequence[Row]) -> float:
    """Mean length of the responses, in lengths of the first evaluation; 0 if unknown."""
    first, last = (rows[i].get("length") for i in (0, -1))
    return last / first if first and last else 0.0


def gold_fall(rows: Sequence[Row]) -> float:
    """Gold reward below its best, if the training reward is above what it was then; else 0.

    Both are means of two successive evaluations, so that one lucky draw does not ring.
    """
    known = [row for row in rows if row.get("proxy") is not None]
    means = [
        ((one["gold"] + other["gold"]) / 2, (one["proxy"] + other["proxy"]) / 2)
        for one, other in pairwise(known)
    ]
    if not means:
        return 0.0
    (best, paid_then), (gold, paid) = max(means), means[-1]
    return best - gold if paid > paid_then else 0.0
