"""The creator's seat: a person makes the prompts, and a model answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Creator
from agents.creators import Fresh
from agents.evolution.evolve import Lineage, publish
from eva_env.types import CREATOR, Proposal, Round, Task
from experiments.human_play.rules import Rules
from experiments.human_play.session import Seat
from experiments.human_play.terminal import Terminal
from experiments.run.match import Match
from experiments.run.rows import plain
from experiments.run.settings import Settings

HUMAN_PROMPTS = 64
"""Of which the payoff of ordinary prompts is the mean."""

SHOWN = 8
"""Distinct answers to a prompt that are printed."""


@dataclass
class PersonCreator(Creator):
    """Publishes what a person types, all prompts alike, so that one typed twice counts double.

    ``?`` explains, ``!OPERATOR`` adds a rewrite of the last prompt, ``-`` takes that back, and
    an empty line publishes. EOFError is passed on when the person leaves.
    """

    terminal: Terminal
    """Where the person types."""
    rules: Rules
    """What may be typed."""
    prompts: int
    """Most prompts in a round."""

    def __post_init__(self) -> None:
        self.typed: list[Lineage] = []
        self.latest: list[Lineage] = []

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish the prompts that are typed until an empty line."""
        self.typed = []
        while True:
            line = self.terminal.ask(f"prompt {len(self.typed) + 1}> ")
            if not line and self.typed:
                self.latest = self.typed
                return publish(self.typed)
            try:
                self._obey(line, task, min(n, self.prompts), rng)
            except ValueError as error:
                self.terminal.say(error, "yellow", indent=2)

    def _obey(self, line: str, task: Task, most: int, rng: np.random.Generator) -> None:
        """Do what a line asks for; ValueError says why that cannot be."""
        if line in ("", "?"):
            self._explain(task, rng)
        elif line == "-":
            if not self.typed:
                raise ValueError("there is no prompt to take back")
            self.typed.pop()
        elif len(self.typed) == most:
            raise ValueError(f"a round takes {most} prompts; an empty line publishes them")
        elif line.startswith("!"):
            self.typed.append(self._rewrite(line[1:].strip(), task, rng))
            self.terminal.say(self.rules.named(self.typed[-1].prompt), indent=2)
        else:
            self.typed.append(Lineage(self.rules.prompt(line)))

    def _rewrite(self, name: str, task: Task, rng: np.random.Generator) -> Lineage:
        """The last prompt by an operator, of which the first letters may do."""
        if not (self.typed or self.latest):
            raise ValueError("there is no prompt to rewrite yet")
        meant = [own for own in task.operators if own.startswith(name)]
        if name in meant:
            meant = [name]
        if len(meant) != 1:
            raise ValueError(f"operators: !{', !'.join(task.operators)}")
        parent = (self.typed or self.latest)[-1].prompt
        child = task.mutate(parent, meant[0], rng)
        if child is None:
            raise ValueError(f"{meant[0]} does not apply to {self.rules.named(parent)}")
        return Lineage(child, parent, meant[0])

    def _explain(self, task: Task, rng: np.random.Generator) -> None:
        example = self.rules.named(task.seed(1, rng)[0])
        rows = [*self.rules.prompts(), ("a human prompt", example)]
        if task.operators:
            rows.append(("rewrites", f"!{', !'.join(task.operators)} of the last prompt"))
        rows += [("-", "takes the last prompt back"), ("empty line", "publishes")]
        self.terminal.grid(rows)


class CreatorSeat(Seat):
    """A person makes the prompts."""

    role, rival = CREATOR, "ordinary human prompts about"

    def __init__(self, match: Match, settings: Settings, terminal: Terminal) -> None:
        super().__init__(match, settings, terminal)
        self.match.creator = PersonCreator(terminal, self.rules, settings.prompts)

    @property
    def welcome(self) -> str:
        """The creator's task."""
        s, method = self.settings, type(self.settings.solver).__name__
        learns = "" if method in ("Fixed", "BestOfN") else f" and learns from it by {method}"
        return (
            f"You make the prompts, at most {s.prompts} a round; a model answers each "
            f"{s.samples} times{learns}. You are paid the {self.payoff} of {s.prompts} draws "
            f"from your prompts. One prompt a line; an empty line publishes."
        )

    def rounds(self) -> Iterator[tuple[Round, float]]:
        """Rounds, each with what human prompts would have earned from the same solver."""
        rounds = self.match.rounds()
        while not self.game.done:
            self.begin()
            rival = self.human()
            yield next(rounds), rival

    def human(self) -> float:
        """What human prompts earn now: the coming round on a fork of the game, made larger."""
        game, solver = self.game.fork(), self.match.solver.twin()
        rng = np.random.default_rng(self.settings.seed)
        game.batch_size = HUMAN_PROMPTS
        game.propose(Fresh().propose(self.task, HUMAN_PROMPTS, rng))
        return game.respond(solver.respond(game.prompts, game.samples, rng)).payoffs[CREATOR]

    def show(self, round: Round) -> None:
        """Each prompt with its regret and the answers, best first."""
        drawn: dict[Any, list[int]] = {}
        for i, prompt in enumerate(round.prompts):
            drawn.setdefault(plain(prompt), []).append(i)
        for prompt, places in drawn.items():
            times = f", drawn {len(places)} times" if len(places) > 1 else ""
            signal = round.signal[places].mean()
            self.terminal.say()
            self.terminal.say(self.rules.named(prompt), "bold")
            self.terminal.say(f"{self.paid} {signal:.2f}{times}", indent=2)
            rows = self._best_first(round, prompt, places)
            self.terminal.grid(rows[:SHOWN])
            if rows[SHOWN:]:
                more = f"and {len(rows) - SHOWN} others, down to {rows[-1][0]}"
                self.terminal.say(more, "dim", indent=2)
        self.terminal.say()
        left_out = sorted(set(map(plain, round.proposal.prompts)) - drawn.keys())
        if left_out:
            self.terminal.say(f"not drawn: {'; '.join(map(self.rules.named, left_out))}")
        steps = int(round.logs.get("gradient_steps", 0))
        if steps:
            self.terminal.say(f"the solver has learned from these answers, in {steps} steps")

    def _best_first(self, round: Round, prompt: Any, places: Sequence[int]) -> list[list[str]]:
        """Rows of the distinct answers to a prompt, with how often each was given."""
        found: dict[Any, list[float]] = {}
        for i in places:
            for response, reward in zip(round.responses[i], round.rewards[i], strict=True):
                found.setdefault(plain(response), []).append(float(reward))
        best = sorted(found, key=lambda response: -np.mean(found[response]))
        often = [f"{len(found[one])}x" if len(found[one]) > 1 else "" for one in best]
        rewards = np.array([np.mean(found[one]) for one in best])
        return self.answers(often, prompt, best, rewards)
