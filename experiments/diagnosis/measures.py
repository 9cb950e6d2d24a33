"""The numbers of a diagnosis: heterogeneity and reliability, and those of ``inheritance``."""

from collections.abc import Callable
from typing import Any

import numpy as np

from eva_env.missing import mean_reward, missing_share, prompt_means
from eva_env.signals import PASS, SIGNALS, Signal, pass_rate
from eva_env.types import Floats, Ints
from experiments.diagnosis import estimates
from experiments.diagnosis.beta_binomial import PassRates, signals_by_passes
from experiments.diagnosis.estimates import Parents, estimate, finite
from experiments.diagnosis.inheritance import inheritance
from experiments.diagnosis.responses import Answers
from experiments.run.errors import UserError
from experiments.run.setup import check_payoff

SMALL = 0.1
"""Share of the largest possible signal below which a prompt counts as one without a signal."""

ENOUGH = 0.8
"""Reliability for which the n is projected."""

COMPARED = ("a_star_min", "a_star_avg", "variance")
"""Signals whose reliability is shown next to that of the chosen one."""

ZERO = 1e-9


def find_signal(name: str) -> Signal:
    """Return a signal by name, or a function by its path; UserError for anything else."""
    signal = check_payoff(name)
    if signal == "regret":
        raise UserError(
            f"--signal regret reads more than rewards; give one of {', '.join(SIGNALS)}"
        )
    return SIGNALS[signal] if isinstance(signal, str) else signal


def measure(
    answers: Answers,
    signal: Signal,
    topic: Callable[[Any], str],
    has_passes: bool,
    seed: int,
    draws: int = estimates.DRAWS,
) -> dict[str, Any]:
    """Return every number of the diagnosis as JSON; None is a number that is undefined.

    ``topic`` names a prompt's subject. ``has_passes`` says that a reward of 1 means that a
    response passes. Intervals are 95 % percentile bootstraps over the parents, each by itself.
    """
    everything = np.concatenate([answers.parents.ravel(), answers.children.ravel()])
    if np.isnan(everything).all():
        raise UserError("the reward gave no response a number, so there is nothing to measure")
    rng = np.random.default_rng((seed, 2))
    n = answers.parents.shape[1] // 2
    units = Parents.of(len(answers.parents), rng, draws)
    first, second = estimates.halves(answers.parents, signal, rng, n)
    bounded = np.nanmin(everything) >= -ZERO and np.nanmax(everything) <= 1 + ZERO
    result = {
        "parents": len(answers.parents),
        "children": len(answers.children),
        "samples": n,
        "mean_reward": mean_reward(answers.parents),
        "children_mean_reward": mean_reward(answers.children) if answers.operators else None,
        "rewards_missing": missing_share(everything),
        **heterogeneity(np.concatenate([first, second]), everything, signal, n, units),
        **passing(answers.parents, n, units, rng, has_passes and bool(bounded)),
        **reliability(answers.parents, (first, second), signal, n, units),
        "topics": by_topic(answers, (first + second) / 2, topic, units),
    }
    result["signals"] = alternatives(answers.parents, n, units, rng)
    return result | inheritance(answers, (first, second), signal, units, rng)


def heterogeneity(
    values: Floats, rewards: Floats, signal: Signal, n: int, units: Parents
) -> dict[str, Any]:
    """Return the mean signal, and the shares of prompts with none.

    No signal is less than ``SMALL`` of the largest signal of n rewards that each lie at the
    lower or at the upper end of all rewards seen. For best minus worst that is a tenth of the
    range of the rewards.
    """
    low, high = float(np.nanmin(rewards)), float(np.nanmax(rewards))
    bound = SMALL * float(np.nanmax(signals_by_passes(signal, n, low, high)))
    missing = np.isnan(values)
    zero = np.abs(values) < ZERO
    shares = {"zero_signal": zero, "no_signal": zero | (values < bound)}
    return {
        "mean_signal": estimate(estimates.mean_over(values, units.counts)),
        "no_signal_bound": bound,
        **{
            name: estimate(estimates.mean_over(np.where(missing, np.nan, flags), units.counts))
            for name, flags in shares.items()
        },
    }


def passing(
    rewards: Floats, n: int, units: Parents, rng: np.random.Generator, has_passes: bool
) -> dict[str, Any]:
    """Return the shares of prompts whose n responses all pass, or none; None without passes."""
    if not has_passes:
        return {"all_pass": None, "none_passes": None}
    rates = np.concatenate(estimates.halves(rewards, pass_rate, rng, n))
    missing = np.isnan(rates)
    return {
        name: estimate(estimates.mean_over(np.where(missing, np.nan, flags), units.counts))
        for name, flags in {"all_pass": rates >= PASS, "none_passes": rates <= ZERO}.items()
    }


def reliability(
    rewards: Floats, groups: tuple[Floats, Floats], signal: Signal, n: int, units: Parents
) -> dict[str, Any]:
    """Return the split-half reliability at n, and the n that would reach ``ENOUGH``.

    ``projection`` names the assumption of that n: a fitted beta-binomial distribution for
    rewards that are 0 or 1 only, the formula of Spearman and Brown for others.
    """
    measured = estimates.correlation(*groups, units.counts)
    result: dict[str, Any] = {"reliability": estimate(measured)}
    scored = ~np.isnan(rewards)
    if np.isin(rewards[scored], (0.0, 1.0)).all():
        passes = np.where(scored, rewards, 0.0).sum(-1)
        fitted = PassRates.fit(passes, scored.sum(-1).astype(np.float64))
        return result | {
            "projection": "beta-binomial",
            "pass_rates": fitted._asdict(),
            "fitted_reliability": finite(fitted.reliability(signal, n)),
            "samples_needed": fitted.samples_needed(signal, ENOUGH),
        }
    needed = estimates.spearman_brown_samples(float(measured[0]), n, ENOUGH)
    return result | {
        "projection": "spearman-brown",
        "pass_rates": None,
        "fitted_reliability": None,
        "samples_needed": None if needed is None else int(np.ceil(needed)),
    }


def alternatives(
    rewards: Floats, n: int, units: Parents, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return the reliability at n of each signal in ``COMPARED``, on the same responses."""
    rows = []
    for name in COMPARED:
        groups = estimates.halves(rewards, SIGNALS[name], rng, n)
        measured = estimate(estimates.correlation(*groups, units.counts))
        rows.append({"signal": name, "reliability": measured})
    return rows


def by_topic(
    answers: Answers, signals: Floats, topic: Callable[[Any], str], units: Parents
) -> list[dict[str, Any]]:
    """Return a row for each topic: its prompts, mean reward and mean signal, easiest first."""
    topics = np.array([str(topic(prompt)) for prompt in answers.prompts])
    means = prompt_means(answers.parents)
    rows = []
    for topic in dict.fromkeys(topics.tolist()):
        at: Ints = np.flatnonzero(topics == topic)
        counts = units.counts[:, at]
        rows.append(
            {
                "topic": topic,
                "prompts": len(at),
                "mean_reward": estimate(estimates.mean_over(means[None, at], counts)),
                "mean_signal": estimate(estimates.mean_over(signals[:, at], counts)),
            }
        )
    return sorted(rows, key=lambda row: -(row["mean_reward"]["value"] or 0.0))
