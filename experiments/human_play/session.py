"""A person plays a model: rounds of the real game, each shown when it ends, and recorded."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from agents.evaluate import score
from eva_env.types import Floats, Round
from experiments.human_play.terminal import Terminal
from experiments.run.judging import judge_spec
from experiments.run.match import Match
from experiments.run.records import Run
from experiments.run.rows import Genealogy, summarise
from experiments.run.settings import Settings

PAYOFF_NAMES = {
    "regret": ("true regret", "best attainable minus mean reward"),
    "a_star_avg": ("estimated regret", "A*_avg, best minus mean of the rewards"),
}
"""By signal: a plainer name of the creator's payoff, and its definition."""


class PlayerSession(ABC):
    """A person as one player of a match.

    Args:
        match: a new match; the person replaces one of its players.
        settings: the settings of the match.
        terminal: where the person reads and types.
    """

    role: ClassVar[str]
    """The agent whose payoffs the person earns."""
    rival: ClassVar[str]
    """Words for the player whose payoffs are shown for comparison."""

    def __init__(self, match: Match, settings: Settings, terminal: Terminal) -> None:
        self.match: Any = match
        self.settings, self.terminal = settings, terminal
        self.task: Any = settings.task
        self.game, self.policy = self.match.env.unwrapped.game, match.solver.policy
        self.rules = settings.task.house_rules()
        judge = match.judge
        self.gold = settings.task.gold_reward() if judge is None else judge.model
        self.payoff_name, definition = PAYOFF_NAMES.get(
            self.game.signal, (self.game.signal, "")
        )
        self.payoff = f"{self.payoff_name} ({definition})" if definition else self.payoff_name

    @property
    @abstractmethod
    def welcome(self) -> str:
        """The person's task, in a few sentences."""

    @abstractmethod
    def rounds(self) -> Iterator[tuple[Round, float]]:
        """Yield each round with the payoff of the rival in it."""

    @abstractmethod
    def show(self, round: Round) -> None:
        """Print the outcome of a round."""

    def play(self, run: Run) -> bool:
        """Play until the last round or until the person leaves; return True after Ctrl-C."""
        genealogy, round_start = Genealogy(), time.perf_counter()
        own_total = rival_total = 0.0
        try:
            for round, rival_payoff in self.rounds():
                now = time.perf_counter()
                round = replace(round, logs={**round.logs, "rival": rival_payoff})
                row = summarise(
                    round,
                    self.task,
                    self.match.budget,
                    now - round_start,
                    self.match.similarity,
                )
                run.append("prompts", genealogy.rows(round))
                run.append("rounds", [row])
                if round.logs.get("gradient_steps"):
                    run.save(round.index + 1, self.policy, self.match.checkpoint())
                round_start = now
                own_payoff = round.payoffs[self.role]
                own_total, rival_total = own_total + own_payoff, rival_total + rival_payoff
                self.show(round)
                self.terminal.say(
                    f"you earned {own_payoff:.2f}, {own_total:.2f} in total; "
                    f"{self.rival} {rival_payoff:.2f}, {rival_total:.2f} in total",
                    "bold green",
                )
        except (EOFError, KeyboardInterrupt) as left:
            return isinstance(left, KeyboardInterrupt)
        return False

    def announce_round(self) -> None:
        """Print the number of the round that begins."""
        self.terminal.say()
        self.terminal.say(f"round {self.game.index + 1} of {self.game.rounds}", "bold cyan")

    def answer_rows(
        self, names: Sequence[str], prompt: Any, responses: Sequence[Any], rewards: Floats
    ) -> list[list[str]]:
        """Return a row per response: reward, name, response, remark.

        If the players are paid another reward than the judge's, the first column shows both.
        """
        remarks = self.rules.remarks(prompt, responses)
        paid = [reward_text(reward) for reward in rewards]
        if self.settings.reward != judge_spec(self.settings):
            gold = score(self.gold, [prompt], [list(responses)])[0]
            paid = [
                f"proxy {proxy}  gold {reward_text(judged)}"
                for proxy, judged in zip(paid, gold, strict=True)
            ]
        columns = zip(paid, names, map(str, responses), remarks, strict=True)
        return [list(row) for row in columns]


def reward_text(reward: float) -> str:
    """Return a reward as a person reads it; "none" for a missing one."""
    return "none" if np.isnan(reward) else f"{reward:.2f}"
