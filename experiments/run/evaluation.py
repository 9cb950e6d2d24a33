"""Judging on the task's fixed suites, by gold reward and against the starting policy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.base import Solver
from agents.evaluate import sample_responses, win_rate
from agents.policies.base import Policy
from agents.policies.divergence import kl
from eva_env.signals import passed
from eva_env.types import Floats, RewardModel, Round
from eva_env.world import World
from experiments.run.rows import origins_of, plain, words

SEED = 1
"""All policies answer from the same random streams, whatever the seed of the run."""

SHOWN = 3
"""Transcripts per suite and evaluation."""

SCORED = 16
"""Texts of a suite, the first ones, whose answers are read again for ``kl`` and ``proxy``: to
read an answer costs more than to have written it. Of numbers all are, since it costs little."""


class Judge:
    """Compares players with the policy that a run starts from, on n answers to each prompt.

    ``proxy`` is the reward that trains, as it stands when it is asked; None if that is gold.
    """

    def __init__(
        self, task: World, start: Policy, n: int, proxy: RewardModel | None = None
    ) -> None:
        self.suites, self.gold = task.suites, task.gold_reward()
        self.start, self.n, self.proxy = start, n, proxy
        self.before = {name: self.ask(start, suite) for name, suite in self.suites.items()}
        self.latest = dict(self.before)

    def ask(self, player: Solver | Policy, prompts: Sequence[Any]) -> tuple[Any, Floats]:
        """Responses (P, n) and gold rewards (P, n)."""
        responses = sample_responses(player, prompts, self.n, SEED)
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
            self.latest[name] = after
            baseline = self.before[name][1]
            evaluations.append(
                {"round": round, "suite": name, **scores(after[1], baseline)}
                | self.health(player, suite, after[0])
                | {"n": self.n}
            )
            head = {"round": round, "suite": name, "parent": None, "operator": None}
            transcripts += [
                head | transcript(prompt, i, self.before[name], after)
                for i, prompt in enumerate(suite[:SHOWN])
            ]
        return evaluations, transcripts

    def answers(self) -> list[dict[str, Any]]:
        """Rows of answers.jsonl: to every prompt of every suite, as judged the last time."""
        return [
            {"suite": name, "prompt": plain(prompt), "responses": [*map(plain, given)]}
            | {"rewards": rewards.tolist(), "lengths": lengths(given)}
            for name, suite in self.suites.items()
            for prompt, given, rewards in zip(suite, *self.latest[name], strict=True)
        ]

    def health(
        self, player: Solver | Policy, suite: Sequence[Any], responses: Any
    ) -> dict[str, float | None]:
        """How far the player's policy is from the start, and what it is being paid.

        ``kl`` in nats per response, of the policy itself where a method answers otherwise
        (best-of-n: 0), None for a player without one; ``length`` in words, None of numbers;
        ``proxy`` the mean training reward, None where gold trains.
        """
        policy = getattr(player, "policy", None) if isinstance(player, Solver) else player
        head = slice(SCORED if isinstance(suite[0], str) else None)
        prompts, few = suite[head], responses[head]
        return {
            "kl": None if policy is None else kl(policy, self.start, prompts, few),
            "length": words(responses),
            "proxy": None if self.proxy is None else float(np.mean(self.proxy(prompts, few))),
        }

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
        "pass_rate": float(passed(rewards).mean()),
        "win_rate": win_rate(rewards, baseline),
    }


def lengths(responses: Sequence[Any]) -> list[int] | None:
    """Words of each response; None where responses are integers."""
    texts = [response for response in responses if isinstance(response, str)]
    return [len(text.split()) for text in texts] if texts else None


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
