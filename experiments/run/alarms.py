"""Alarms: signs in the record that a run goes wrong, and the bounds at which they are raised.

A row of alarms.jsonl says that an alarm is raised in a round: its ``value`` lies beyond the
``threshold``. An alarm that reads evaluations stays raised until the next evaluation. All
alarms are functions of rows that are already written. A resumed run therefore raises the same
alarms as an uninterrupted one, and a finished run can be read again with other bounds.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from eva_env.require import require
from experiments.run.records import Run

Row = dict[str, Any]

LEAST_GAIN = 0.05
"""A smaller gold gain counts as this: mere noise can lose half of a gain near 0. With the
default ``max_gold_loss`` a fall must exceed 0.025; noise in healthy runs: at most 0.019."""


@dataclass(frozen=True)
class Alarms:
    """Thresholds of a healthy run. A minimum of 0 or a maximal share of 1 disables its alarm.

    The defaults lie between what was measured in healthy runs (Eva, UniformEvolve and Fresh,
    with DPO and RLOO, on both worlds) and in runs that went wrong; see each.
    """

    min_distinct: float = 0.25
    """Least share of distinct prompts among those drawn. Healthy: at least 0.38."""
    min_entropy: float = 0.5
    """Least entropy of the proposed distribution, as a share of the maximum, log N nats of N
    proposed prompts. Healthy: at least 0.63; a collapsed creator: 0."""
    min_effective: float = 0.25
    """Least effective sample size of that distribution, as a share of the prompts drawn from
    it, or of N if that is smaller. Healthy: at least 0.47; a collapsed creator: 0.03."""
    max_cluster: float = 0.5
    """Greatest share of the drawn prompts in one cluster of near-duplicates. Healthy: at most
    0.34; all prompts evolved from one: 0.7 to 0.8."""
    max_no_gradient: float = 0.95
    """Greatest share of prompts whose responses all have the same reward, so that the solver
    learns nothing from them. In the tabular world 0.9 is normal once most is learned."""
    max_kl_speed: float = 3.0
    """Greatest change of the KL to the starting policy, in nats per response and round.
    Healthy: at most 1.7; a learning rate ten times too high: 5 and more."""
    max_length: float = 2.0
    """Greatest mean length of the responses to a fixed suite, as a multiple of the starting
    policy's. Healthy: at most 1.35; a learning rate ten times too high: 2.5 and more."""
    max_gold_fall: float = 0.05
    """Greatest fall of the gold reward from its best on a suite while the training reward there
    rises: over-optimisation (Gao et al. 2023, arXiv 2210.10760). Healthy: at most 0.01, with
    noisy rewards 0.05; a hacked proxy: up to 1."""
    max_gold_loss: float = 0.5
    """Greatest share of the gold gain since the start of the run that such a fall may lose; a
    gain below 0.05 counts as 0.05. It detects over-optimisation where the whole gain is small.
    Healthy: 0, with noisy rewards at most 0.39; a hacked proxy: 1."""
    max_cut_off: float = 0.5
    """Greatest share of responses that are cut off at the largest number of tokens, and so end
    nowhere. Healthy in the wordlist world: at most 0.02."""
    max_rewrites_failed: float = 0.75
    """Greatest share of a language model's replies that give no usable rewrite, so that human
    prompts fill the round. SmolLM2-135M: 0.1 with examples, 0.9 instructed."""
    max_missing: float = 0.1
    """Greatest share of a round's responses, or of an evaluation's, that get no reward. They
    are left out; what can't be scored is seldom a fair sample."""
    stop: bool = False
    """End the run after a round that raises a new alarm; the run is evaluated and saved.
    Resuming ignores the alarms that are already raised, until a new one is."""

    def __post_init__(self) -> None:
        shares = ("min_distinct", "min_entropy", "min_effective", "max_cluster")
        require(self, "[0, 1]", *shares, "max_no_gradient", "max_gold_loss")
        require(self, "[0, 1]", "max_cut_off", "max_missing", "max_rewrites_failed")
        require(self, "[0, inf]", "max_kl_speed", "max_length", "max_gold_fall")

    def stops(self, raised: Mapping[str, Row]) -> bool:
        """Return whether these alarms end the run: only new ones do."""
        return self.stop and any(row["begins"] for row in raised.values())


JUDGED = ("gold", "kl", "length", "proxy")
"""Columns of evaluations.jsonl that the alarms read."""


@dataclass
class Watch:
    """The alarms of a run in progress."""

    bounds: Alarms
    evaluations: list[Row]
    """Rows of evaluations.jsonl so far."""
    before: Collection[str]
    """Alarms raised in the previous round."""

    @classmethod
    def over(cls, run: Run, bounds: Alarms, played: int) -> Self:
        """Watch a run that has played ``played`` rounds."""
        before = [row["alarm"] for row in run.rows("alarms") if row["round"] == played]
        return cls(bounds, run.rows("evaluations", keys=JUDGED), before)

    def raised(self, row: Row) -> dict[str, Row]:
        """Return the rows of alarms.jsonl, by alarm, for a row of rounds.jsonl.

        ``begins`` says that the alarm was not raised in the previous round.
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
"""A raised alarm: its name, value, threshold and text."""


def of_prompts(bounds: Alarms, row: Row) -> Iterator[Sign]:
    """Yield the alarms raised by a round's prompts and rewards."""
    size, drawn = row["proposed"], row["budget"]["prompts"] / row["round"]
    share = row["distinct_prompts"] / drawn
    if share < bounds.min_distinct:
        text = f"prompts collapse: only {share:.0%} of those drawn are distinct"
        yield "distinct_prompts", share, bounds.min_distinct, text
    share = row["entropy"] / math.log(size) if size > 1 else 1.0
    if share < bounds.min_entropy:
        text = f"prompts collapse: the entropy is {share:.0%} of its maximum"
        yield "entropy", share, bounds.min_entropy, text
    share = row["effective"] / max(1.0, min(size, drawn))
    if share < bounds.min_effective:
        text = f"prompts collapse: {size} proposed are worth {row['effective']:.1f} equal ones"
        yield "effective", share, bounds.min_effective, text
    share = row["cluster_share"]
    if share > bounds.max_cluster:
        text = f"prompts collapse: {share:.0%} of those drawn are near-duplicates"
        yield "cluster_share", share, bounds.max_cluster, text
    share = row["no_gradient"]
    if share > bounds.max_no_gradient:
        text = f"nothing to learn from {share:.0%} of the prompts: all rewards are equal"
        yield "no_gradient", share, bounds.max_no_gradient, text
    share = row.get("logs", {}).get("rewrites_failed", 0.0)
    if share > bounds.max_rewrites_failed:
        text = f"rewriting fails: {share:.0%} of the replies are no usable prompts"
        yield "rewrites_failed", share, bounds.max_rewrites_failed, text
    share = max(row.get(name, 0.0) for name in ("rewards_missing", "creator_rewards_missing"))
    if share > bounds.max_missing:
        text = f"{share:.0%} of the responses got no reward and are left out"
        if share == 1.0:
            text = "no response got a reward: both payoffs are 0 and nothing is learned"
        yield "rewards_missing", share, bounds.max_missing, text
    share = row.get("cut_off", 0.0)
    if share > bounds.max_cut_off:
        text = f"{share:.0%} of the responses are cut off; raise --sampling.max-tokens"
        yield "cut_off", share, bounds.max_cut_off, text


def of_policy(bounds: Alarms, evaluations: Sequence[Row]) -> Iterator[Sign]:
    """Yield the alarms raised by the responses to the suites, each for its worst suite."""
    suites: dict[str, list[Row]] = {}
    for row in evaluations:
        suites.setdefault(row["suite"], []).append(row)

    def worst(measure: Callable[[Sequence[Row]], float]) -> tuple[float, str]:
        return max((measure(rows), suite) for suite, rows in suites.items())

    speed, suite = worst(kl_speed)
    if speed > bounds.max_kl_speed:
        text = f"the policy moves {speed:.1f} nats a round ({suite} suite)"
        yield "kl_speed", speed, bounds.max_kl_speed, text
    ratio, suite = worst(length)
    if ratio > bounds.max_length:
        text = f"responses are {ratio:.1f} times as long as at first ({suite} suite)"
        yield "length", ratio, bounds.max_length, text
    (fall, fallen), (loss, lost) = worst(gold_fall), worst(gold_loss)
    if fall > bounds.max_gold_fall:
        text = (
            f"over-optimisation: gold reward is {fall:.3f} below its best, training reward "
            f"above ({fallen} suite)"
        )
        yield "over_optimisation", fall, bounds.max_gold_fall, text
    elif loss > bounds.max_gold_loss:
        text = f"over-optimisation: {loss:.0%} of the gold gain is lost, training reward above"
        yield "over_optimisation", loss, bounds.max_gold_loss, f"{text} ({lost} suite)"
    share, suite = worst(lambda rows: rows[-1].get("rewards_missing") or 0.0)
    if share > bounds.max_missing:
        text = f"{share:.0%} of the evaluated responses got no reward ({suite} suite)"
        yield "evaluation_missing", share, bounds.max_missing, text


def kl_speed(rows: Sequence[Row]) -> float:
    """Return how fast the KL changed between the last two evaluations, nats a round, or 0."""
    known = [row for row in rows if row.get("kl") is not None][-2:]
    if len(known) < 2:
        return 0.0
    return abs(known[1]["kl"] - known[0]["kl"]) / (known[1]["round"] - known[0]["round"])


def length(rows: Sequence[Row]) -> float:
    """Return the last evaluation's mean length over the first one's; 0 if unknown."""
    first, last = (rows[i].get("length") for i in (0, -1))
    return last / first if first and last else 0.0


def gold_fall(rows: Sequence[Row]) -> float:
    """Return how far gold is below its best, if the training reward has risen since; else 0.

    Both are means of two successive evaluations, so that one lucky draw raises no alarm.
    """
    means = pair_means(rows)
    if not means:
        return 0.0
    (best, proxy_then), (gold, proxy) = max(means), means[-1]
    return best - gold if proxy > proxy_then else 0.0


def gold_loss(rows: Sequence[Row]) -> float:
    """Return the share of the gold gain that ``gold_fall`` has lost, at most 1.

    The gain is the best mean minus the first one, and counts as ``LEAST_GAIN`` at least.
    """
    means = pair_means(rows)
    if not means:
        return 0.0
    gain = max(means)[0] - means[0][0]
    return min(1.0, gold_fall(rows) / max(gain, LEAST_GAIN))


def pair_means(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Return the means of gold and training reward of every two successive evaluations."""
    known = [
        row for row in rows if row.get("proxy") is not None and row.get("gold") is not None
    ]
    return [
        ((before["gold"] + after["gold"]) / 2, (before["proxy"] + after["proxy"]) / 2)
        for before, after in pairwise(known)
    ]
