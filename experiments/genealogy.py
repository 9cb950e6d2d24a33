"""Rows of rounds and prompts: what a Round looks like in the record."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from agents.play import Budget
from eva_env.types import Round


@dataclass
class Genealogy:
    """Ids of prompts, in order of appearance: a prompt keeps its id for the whole run."""

    ids: dict[Any, int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "Genealogy":
        """The ids that the rows of prompts.jsonl have given."""
        return cls({row["text"]: row["id"] for row in rows})

    def rows(self, round: Round) -> list[dict[str, Any]]:
        """A row for each drawn prompt; before it one for a parent that never was drawn."""
        origins = origins_of(round)
        drawn = [plain(text) for text in round.prompts]
        new = set(drawn) - set(self.ids)
        rows = []
        for i, text in enumerate(drawn):
            parent, operator = origins.get(text, (None, None))
            if parent is not None and parent not in self.ids and parent not in new:
                rows.append(self._row(parent, round) | {"drawn": False})
            rewards = round.rewards[i]
            rows.append(
                self._row(text, round)
                | {"parent": None if parent is None else self._id(parent)}
                | {"operator": operator, "drawn": True, "signal": float(round.signal[i])}
                | {"mean": float(rewards.mean())}
                | {"best": float(rewards.max()), "worst": float(rewards.min())}
            )
        return rows

    def _id(self, text: Any) -> int:
        return self.ids.setdefault(text, len(self.ids))

    def _row(self, text: Any, round: Round) -> dict[str, Any]:
        empty = dict.fromkeys(("parent", "operator", "signal", "mean", "best", "worst"))
        return {"id": self._id(text), "text": text, "round": round.index + 1, **empty}


def summarise(round: Round, budget: Budget, seconds: float) -> dict[str, Any]:
    """The row of rounds.jsonl; ``response_length`` in words, None where responses have none."""
    return {
        "round": round.index + 1,
        "payoffs": dict(round.payoffs),
        "reward_mean": float(round.rewards.mean()),
        "reward_min": float(round.rewards.min()),
        "reward_max": float(round.rewards.max()),
        "signal_mean": float(np.mean(round.signal)),
        "invalid": round.invalid,
        "distinct_prompts": len(set(map(plain, round.prompts))),
        "response_length": _words(round.responses),
        "logs": {name: float(value) for name, value in round.logs.items()},
        "budget": asdict(budget),
        "seconds": seconds,
    }


def origins_of(round: Round) -> dict[Any, tuple[Any, str | None]]:
    """Parent and operator of each proposed prompt; of repeats, those of the first."""
    proposal = round.proposal
    nothing = [None] * len(proposal.prompts)
    parents = [plain(parent) for parent in proposal.parents] or nothing
    rows = zip(proposal.prompts, parents, proposal.operators or nothing, strict=True)
    origins: dict[Any, tuple[Any, str | None]] = {}
    for text, parent, operator in rows:
        origins.setdefault(plain(text), (parent, operator))
    return origins


def _words(responses: Any) -> float | None:
    flat = [response for row in responses for response in row]
    if not isinstance(flat[0], str):
        return None
    return float(np.mean([len(response.split()) for response in flat]))


def plain(prompt: Any) -> Any:
    """A prompt as JSON can hold it: a numpy integer becomes an int."""
    return prompt.item() if isinstance(prompt, np.generic) else prompt
