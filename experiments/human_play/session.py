"""A person plays a model: rounds of the real game, shown as they end, and recorded."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from eva_env.types import Floats, Round
from experiments.human_play.terminal import Terminal
from experiments.run.match import Match
from experiments.run.records import Run
from experiments.run.rows import Genealogy, summarise
from experiments.run.settings import Settings

CALLED = {
    "regret": ("true regret", "best attainable minus mean reward"),
    "a_star_avg": ("estimated regret", "A*_avg, best minus mean of the rewards"),
}
"""What the creator is paid by a plainer name than the signal's, and what that means."""


class Seat(ABC):
    """A person in the place of one player of a match.

    Args:
        match: just opened; the person takes the place of one of its players.
        settings: those of the match.
        terminal: where the person sits.
    """

    role: ClassVar[str]
    """Whose payoffs are the person's."""
    rival: ClassVar[str]
    """What these are compared with."""

    def __init__(self, match: Match, settings: Settings, terminal: Terminal) -> None:
        self.match: Any = match
        self.settings, self.terminal = settings, terminal
        self.task: Any = settings.task
        self.game, self.policy = self.match.env.unwrapped.game, match.solver.policy
        self.rules, self.gold = settings.task.house_rules(), settings.task.gold_reward()
        self.paid, meaning = CALLED.get(self.game.signal, (self.game.signal, ""))
        self.payoff = f"{self.paid} ({meaning})" if meaning else self.paid

    @property
    @abstractmethod
    def welcome(self) -> str:
        """What the person is to do."""

    @abstractmethod
    def rounds(self) -> Iterator[tuple[Round, float]]:
        """Yield the rounds, each with what the rival earns in it."""

    @abstractmethod
    def show(self, round: Round) -> None:
        """Print what came of a round."""

    def play(self, run: Run) -> bool:
        """Play to the end, or until the person leaves; whether that was by Ctrl-C."""
        genealogy, began = Genealogy(), time.perf_counter()
        mine = other = 0.0
        try:
            for round, rival in self.rounds():
                now = time.perf_counter()
                round = replace(round, logs={**round.logs, "rival": rival})
                row = summarise(round, self.task, self.match.budget, now - began)
                run.append("prompts", genealogy.rows(round))
                run.append("rounds", [row])
                if round.logs.get("gradient_steps"):
                    run.save(round.index + 1, self.policy, self.match.state_dict())
                mine, other, began = mine + round.payoffs[self.role], other + rival, now
                self.show(round)
                self.terminal.say(
                    f"you earned {round.payoffs[self.role]:.2f}, in all {mine:.2f}; "
                    f"{self.rival} {rival:.2f}, in all {other:.2f}",
                    "bold green",
                )
        except (EOFError, KeyboardInterrupt) as left:
            return isinstance(left, KeyboardInterrupt)
        return False

    def begin(self) -> None:
        """Announce the coming round."""
        self.terminal.say()
        self.terminal.say(f"round {self.game.index + 1} of {self.game.rounds}", "bold cyan")

    def answers(
        self, who: Sequence[str], prompt: Any, responses: Sequence[Any], rewards: Floats
    ) -> list[list[str]]:
        """Rows of answers to a prompt: reward (gold too if another is paid), who, remark."""
        gold = self.gold([prompt], [list(responses)])[0]
        remarks = self.rules.remarks(prompt, responses)
        paid = [f"{reward:.2f}" for reward in rewards]
        if self.settings.reward != "gold":
            both = zip(paid, gold, strict=True)
            paid = [f"proxy {reward}  gold {judged:.2f}" for reward, judged in both]
        columns = zip(paid, who, map(str, responses), remarks, strict=True)
        return [list(row) for row in columns]
