"""Judging on the task's fixed suites, by gold reward and against the starting policy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.base import Policy, Solver
from agents.evaluate import answer, win_rate
from eva_env.types import Floats, Round
from experiments.genealogy import origins_of, plain
from experiments.rungs import AnyTask, gold_reward

SEED = 1
"""All policies answer from the same random streams, whatever the seed of the run."""

PASS = 1.0 - 1e-9
SHOWN = 3
"""Transcripts per suite and evaluation."""


class Judge:
    """Compares players with the policy that a run starts from, on n answers to each prompt."""

    def __init__(self, task: AnyTask, start: Policy, n: int) -> None:
        self.suites, self.gold = task.suites, gold_reward(task)
        self.start, self.n = start, n
        self.before = {name: self.ask(start, suite) for name, suite in self.suites.items()}

    def ask(self, player: Solver | Policy, prompts: Sequence[Any]) -> tuple[Any, Floats]:
        """Responses (P, n) and gold rewards (P, n)."""
        responses = answer(player, prompts, self.n, SEED)
        return responses, np.asarray(self.gold(prompts, responses))

    def judge(
        self, player: Solver | Policy, round: int
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of evaluations.jsonl, one per suite, and of transcripts.jsonl.

        Round 0 is the start itself, whose answers are known.
        """
        evaluations, transcripts = [], []
        for name, suite in self.suites.items():
            after = self.ask(player, suite) if round else self.before[name]
            baseline = self.before[name][1]
            evaluations.append(
                {"round": round, "suite": name, **scores(after[1], baseline), "n": self.n}
            )
            head = {"round": round, "suite": name, "parent": None, "operator": None}
            transcripts += [
                head | transcript(prompt, i, self.before[name], after)
                for i, prompt in enumerate(suite[:SHOWN])
            ]
        return evaluations, transcripts

    def replay(self, player: Solver | Policy, round: Round) -> list[dict[str, Any]]:
        """Transcripts of prompts of a finished round, evolved ones if there are any."""
        origins = origins_of(round)
        played = [plain(prompt) for prompt in round.prompts if plain(prompt) in origins]
        pool = [prompt for prompt in played if origins[prompt][1]] or played
        prompts = pool[:: max(1, len(pool) // SHOWN)][:SHOWN]
        if not prompts:
            return []
        before, after = self.ask(self.start, prompts), self.ask(player, prompts)
        rows = []
        for i, prompt in enumerate(prompts):
            parent, operator = origins[prompt]
            head = {"round": round.index + 1, "suite": "played"}
            head |= {"parent": parent, "operator": operator}
            rows.append(head | transcript(prompt, i, before, after))
        return rows


def scores(rewards: Floats, baseline: Floats) -> dict[str, float]:
    """Gold reward, pass rate (a reward of 1) and win rate of coupled rewards (P, n)."""
    return {
        "gold": float(rewards.mean()),
        "pass_rate": float((rewards >= PASS).mean()),
        "win_rate": win_rate(rewards, baseline, coupled=True),
    }


def transcript(
    prompt: Any, i: int, before: tuple[Any, Floats], after: tuple[Any, Floats]
) -> dict[str, Any]:
    """The answers of both policies to prompt i, with their gold rewards."""
    return {
        "prompt": plain(prompt),
        "before": [plain(response) for response in before[0][i]],
        "after": [plain(response) for response in after[0][i]],
        "before_rewards": before[1][i].tolist(),
        "after_rewards": after[1][i].tolist(),
    }
