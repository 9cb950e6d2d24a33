"""Evaluate players on fixed suites, by the judge's reward and against the starting policy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.base import Solver
from agents.evaluate import sample_responses, score, win_rate
from agents.policies.base import Policy
from agents.policies.divergence import kl
from agents.solvers import PolicySolver
from eva_env.boundary import NO_LIMITS, Limits
from eva_env.missing import mean_reward, missing_share
from eva_env.signals import passed
from eva_env.types import Floats, RewardModel, Round
from eva_env.world import World
from experiments.run.rows import numbers, origins_of, plain, words
from experiments.run.seeds import EVALUATION
from experiments.run.start import Start

SEED = EVALUATION
"""Seed of evaluation responses, the same for all runs, so that scores are coupled."""

SHOWN = 3
"""Number of transcripts per suite and evaluation."""

SCORED = 16
"""Number of prompts of a text suite, the first ones, whose responses ``kl`` and ``proxy`` read:
reading a response costs more than sampling it. Suites of integers are read whole."""

_STARTING: dict[str, dict[str, Any]] = {}
"""Responses of the last starting policy, by the key of its ``Evaluator``."""


class Evaluator:
    """Compare players with the policy that a run starts from.

    Args:
        task: the world, whose suites are used.
        start: the starting policy, or what returns it.
        n: responses to each prompt.
        proxy: the reward that trains, in its current state; None if it is the one that judges.
        judge: the reward that judges; None for the world's gold reward.
        passes: whether a reward of 1 means that a response passes.
        limits: of responses, and of the time that players and rewards may take.
        key: names everything that the starting policy's responses depend on, if the cells that
            a worker plays one after the other may share them; None: draw them again.
    """

    def __init__(
        self,
        task: World,
        start: Policy | Start,
        n: int,
        proxy: RewardModel | None = None,
        judge: RewardModel | None = None,
        passes: bool = True,
        key: str | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self.suites, self.passes = task.suites, passes
        self.gold = task.gold_reward() if judge is None else judge
        self._start, self.n, self.proxy, self.limits = start, n, proxy, limits
        drawn = self._starting_responses(key)
        self.before = {
            name: (responses, score(self.gold, self.suites[name], responses, limits))
            for name, responses in drawn.items()
        }
        self.latest = dict(self.before)

    @property
    def start(self) -> Policy:
        """The starting policy."""
        return self._start() if isinstance(self._start, Start) else self._start

    def _starting_responses(self, key: str | None) -> dict[str, Any]:
        """Return the starting policy's responses to each suite."""
        if key is not None and key in _STARTING:
            return _STARTING[key]
        responses = {
            name: sample_responses(self.start, suite, self.n, SEED, self.limits)
            for name, suite in self.suites.items()
        }
        if key is not None:
            _STARTING.clear()  # one policy at a time
            _STARTING[key] = responses
        return responses

    def respond(self, player: Solver | Policy, prompts: Sequence[Any]) -> tuple[Any, Floats]:
        """Return a player's responses (P, n) and the judge's rewards (P, n); NaN: missing."""
        responses = sample_responses(player, prompts, self.n, SEED, self.limits)
        return responses, score(self.gold, prompts, responses, self.limits)

    def evaluate(
        self, player: Solver | Policy, round: int
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return rows of evaluations.jsonl, one per suite, and of transcripts.jsonl.

        Round 0 is the starting policy itself, so its responses are used again.
        """
        evaluations, transcripts = [], []
        for name, suite in self.suites.items():
            after = self.respond(player, suite) if round else self.before[name]
            self.latest[name] = after
            baseline = self.before[name][1]
            evaluations.append(
                {"round": round, "suite": name, **scores(after[1], baseline, self.passes)}
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
        """Return rows of answers.jsonl: the last evaluation's responses to every prompt."""
        return [
            {
                "suite": name,
                "prompt": plain(prompt),
                "responses": [plain(response) for response in responses],
                "rewards": numbers(rewards),
                "start_rewards": numbers(start_rewards),
                "lengths": lengths(responses),
            }
            for name, suite in self.suites.items()
            for prompt, responses, rewards, start_rewards in zip(
                suite, *self.latest[name], self.before[name][1], strict=True
            )
        ]

    def health(
        self, player: Solver | Policy, suite: Sequence[Any], responses: Any
    ) -> dict[str, float | None]:
        """Return the KL to the starting policy, response length and mean training reward.

        ``kl`` is in nats per response. It is that of the policy itself where a method responds
        by other means (best-of-n: 0), and None for a player without a policy. ``length`` is in
        words, None for integers. ``proxy`` is None where the reward that trains judges.
        """
        head = slice(SCORED if isinstance(suite[0], str) else None)
        prompts, read = suite[head], responses[head]
        policy, proxy = policy_of(player), None
        if self.proxy is not None:
            proxy = mean_reward(score(self.proxy, prompts, read, self.limits))
        return {
            "kl": None if policy is None else kl(policy, self.start, prompts, read),
            "length": words(responses),
            "proxy": proxy,
        }

    def replay(self, player: Solver | Policy, round: Round) -> list[dict[str, Any]]:
        """Return transcripts of a finished round's prompts, of evolved ones if it has any."""
        origins = origins_of(round)
        played = [plain(prompt) for prompt in round.prompts if plain(prompt) in origins]
        pool = [prompt for prompt in played if origins[prompt][1]] or played
        prompts = pool[:: max(1, len(pool) // SHOWN)][:SHOWN]
        if not prompts:
            return []
        before, after = self.respond(self.start, prompts), self.respond(player, prompts)
        rows = []
        for i, prompt in enumerate(prompts):
            parent, operator = origins[prompt]
            head = {"round": round.index + 1, "suite": "played"}
            head |= {"parent": parent, "operator": operator}
            rows.append(head | transcript(prompt, i, before, after))
        return rows


def policy_of(player: Solver | Policy) -> Policy | None:
    """Return a policy itself, or that of a solver; None for a solver without one."""
    if isinstance(player, PolicySolver):
        return player.policy
    return None if isinstance(player, Solver) else player


def scores(rewards: Floats, baseline: Floats, passes: bool = True) -> dict[str, float | None]:
    """Return gold reward, pass rate and win rate of coupled rewards (P, n).

    They are means over prompts of the scored responses, None without any;
    ``rewards_missing`` is the share of the others. The pass rate is the share of rewards of 1.
    It is None for a judge without passes, and where a reward lies outside [0, 1].
    """
    both = np.concatenate([rewards, baseline])
    bounded = bool(((both >= -1e-9) & (both <= 1 + 1e-9) | np.isnan(both)).all())
    passing = np.where(np.isnan(rewards), np.nan, passed(rewards))
    return {
        "gold": mean_reward(rewards),
        "pass_rate": mean_reward(passing) if passes and bounded else None,
        "win_rate": win_rate(rewards, baseline),
        "rewards_missing": missing_share(rewards),
    }


def lengths(responses: Sequence[Any]) -> list[int] | None:
    """Return the number of words of each response; None where responses are integers."""
    texts = [response for response in responses if isinstance(response, str)]
    return [len(text.split()) for text in texts] if texts else None


def transcript(
    prompt: Any, i: int, before: tuple[Any, Floats], after: tuple[Any, Floats]
) -> dict[str, Any]:
    """Return both policies' responses to prompt i, with their gold rewards."""
    return {
        "prompt": plain(prompt),
        "before": [plain(response) for response in before[0][i]],
        "after": [plain(response) for response in after[0][i]],
        "before_rewards": numbers(before[1][i]),
        "after_rewards": numbers(after[1][i]),
    }
