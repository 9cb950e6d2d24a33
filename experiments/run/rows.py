"""Turn a Round into rows of rounds.jsonl and prompts.jsonl."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from agents.base import Budget
from agents.evolution.diversity import distribution, effective_size, entropy, largest_cluster
from eva_env.missing import mean_reward, mean_scored, missing_share
from eva_env.rewards.ending import cut_off
from eva_env.types import Floats, RatesComplexity, Round, Task, offers

OUTCOME = ("mean", "best", "worst", "rewards", "best_response", "worst_response")
"""Columns that describe a drawn prompt's n responses; rewards in reward-model units. A missing
reward is None; without any reward all but ``rewards`` are None."""


@dataclass
class Genealogy:
    """Ids of prompts by order of appearance; a prompt keeps its id for the whole run."""

    ids: dict[Any, int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "Genealogy":
        """Return the ids that rows of prompts.jsonl have assigned."""
        return cls({row["text"]: row["id"] for row in rows})

    def rows(self, round: Round) -> list[dict[str, Any]]:
        """Return a row for each drawn prompt, after a row for a parent that was never drawn."""
        origins = origins_of(round)
        drawn = [plain(text) for text in round.prompts]
        new = set(drawn) - set(self.ids)
        rows = []
        for i, text in enumerate(drawn):
            parent, operator = origins.get(text, (None, None))
            if parent is not None and parent not in self.ids and parent not in new:
                rows.append(self._row(parent, round) | {"drawn": False})
            rows.append(
                self._row(text, round)
                | {"parent": None if parent is None else self._id(parent)}
                | {"operator": operator, "drawn": True, "signal": number(round.signal[i])}
                | outcome(round, i)
            )
        return rows

    def _id(self, text: Any) -> int:
        return self.ids.setdefault(text, len(self.ids))

    def _row(self, text: Any, round: Round) -> dict[str, Any]:
        empty = dict.fromkeys(("parent", "operator", "signal", *OUTCOME))
        return {"id": self._id(text), "text": text, "round": round.index + 1, **empty}


def outcome(round: Round, i: int) -> dict[str, Any]:
    """Return the columns ``OUTCOME`` of the i-th drawn prompt.

    With two reward models they are the solver's, and ``creator_rewards`` are the creator's.
    """
    rewards, responses = round.rewards[i], round.responses[i]
    columns = dict.fromkeys(OUTCOME) | {"rewards": numbers(rewards)}
    scored = np.flatnonzero(~np.isnan(rewards))
    if len(scored):
        best = scored[rewards[scored].argmax()]
        worst = scored[rewards[scored].argmin()]
        columns |= {
            "mean": float(rewards[scored].mean()),
            "best": float(rewards[best]),
            "worst": float(rewards[worst]),
            "best_response": plain(responses[best]),
            "worst_response": plain(responses[worst]),
        }
    if round.other_rewards is not None:
        columns["creator_rewards"] = numbers(round.other_rewards[i])
    return columns


def summarise(round: Round, task: Task, budget: Budget, seconds: float) -> dict[str, Any]:
    """Return the row of rounds.jsonl.

    ``entropy`` (nats) and ``effective`` (sample size) describe the proposed distribution over
    distinct prompts; ``proposed`` counts its used slots. ``rewards_missing`` is the share of
    responses without a reward. ``response_length`` is in words, None for integers; ``cut_off``
    is the share of responses without an end. ``complexity`` is None for a task that does not
    rate it.
    """
    proposed = distribution(round.proposal)
    complexity = None
    if offers(task, RatesComplexity):
        complexity = float(np.mean([task.complexity(prompt) for prompt in round.prompts]))
    return {
        "round": round.index + 1,
        "payoffs": dict(round.payoffs),
        **reward_columns(round),
        "signal_mean": number(mean_scored(round.signal)),
        "invalid": round.invalid,
        "no_gradient": no_gradient(round.rewards),
        "proposed": sum(prompt != "" for prompt in round.proposal.prompts),
        "entropy": entropy(proposed),
        "effective": effective_size(proposed),
        "distinct_prompts": len(set(map(plain, round.prompts))),
        "cluster_share": largest_cluster(round.prompts, task),
        "complexity": complexity,
        "response_length": words(round.responses),
        "cut_off": float(cut_off(round.responses).mean()),
        "logs": {name: float(value) for name, value in round.logs.items()},
        "budget": asdict(budget),
        "seconds": seconds,
    }


def reward_columns(round: Round) -> dict[str, float | None]:
    """Return mean, lowest and highest reward of a round, and the share that is missing.

    With two reward models they are the solver's, and the creator's with a prefix.
    """
    columns = _reward_columns(round.rewards)
    if round.other_rewards is not None:
        other = _reward_columns(round.other_rewards)
        columns |= {f"creator_{name}": value for name, value in other.items()}
    return columns


def _reward_columns(rewards: Floats) -> dict[str, float | None]:
    scored = rewards[~np.isnan(rewards)]
    return {
        "reward_mean": mean_reward(rewards),
        "reward_min": float(scored.min()) if len(scored) else None,
        "reward_max": float(scored.max()) if len(scored) else None,
        "rewards_missing": missing_share(rewards),
    }


def no_gradient(rewards: Floats) -> float:
    """Return the share of prompts whose scored responses all have the same reward.

    A prompt with a single scored response, or none, counts.
    """
    highest = np.where(np.isnan(rewards), -np.inf, rewards).max(1)
    lowest = np.where(np.isnan(rewards), np.inf, rewards).min(1)
    return float((highest <= lowest).mean())


def origins_of(round: Round) -> dict[Any, tuple[Any, str | None]]:
    """Return each proposed prompt's parent and operator; of equal prompts the first counts."""
    proposal = round.proposal
    nothing = [None] * len(proposal.prompts)
    parents = [plain(parent) for parent in proposal.parents] or nothing
    rows = zip(proposal.prompts, parents, proposal.operators or nothing, strict=True)
    origins: dict[Any, tuple[Any, str | None]] = {}
    for text, parent, operator in rows:
        origins.setdefault(plain(text), (parent, operator))
    return origins


def words(responses: Any) -> float | None:
    """Return the mean number of words of responses (P, n); None where they are integers."""
    flat = [response for row in responses for response in row]
    if not isinstance(flat[0], str):
        return None
    return float(np.mean([len(response.split()) for response in flat]))


def number(value: Any) -> float | None:
    """Return a number as JSON can hold it: NaN becomes None."""
    return None if np.isnan(value) else float(value)


def numbers(values: Floats) -> list[float | None]:
    """Return numbers as JSON can hold them: NaN becomes None."""
    return [None if value != value else value for value in values.tolist()]


def plain(prompt: Any) -> Any:
    """Return a prompt as JSON can hold it: a numpy integer becomes an int."""
    return prompt.item() if isinstance(prompt, np.generic) else prompt
