"""The solver's seat: a creator makes the prompts, and a person answers."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from agents.base import Solver
from eva_env.game import Game
from eva_env.types import CREATOR, SOLVER, Round
from experiments.human_play.rules import Rules
from experiments.human_play.session import Seat
from experiments.human_play.terminal import Terminal
from experiments.run.match import Match
from experiments.run.rows import origins_of, plain
from experiments.run.settings import Settings


class PersonSolver(Solver):
    """Answers what a person types; an empty line repeats the last answer.

    A creator that has the round answered once more is given the same answers: it may measure
    its prompts anew, and the person has moved. EOFError is passed on when the person leaves.

    Args:
        terminal: where the person types.
        rules: what may be typed.
        game: tells whether it is the solver's move.
    """

    def __init__(self, terminal: Terminal, rules: Rules, game: Game) -> None:
        self.terminal, self.rules, self.game = terminal, rules, game
        self.given: list[list[Any]] = []

    def respond(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Any:
        """Ask for n answers to each of B prompts, (B, n)."""
        if self.game.proposal is not None:
            self.given = [self._answers(prompt, n) for prompt in prompts]
        return self.given

    def twin(self) -> "PersonSolver":
        """Raise ValueError."""
        raise ValueError(
            "this creator plays against a copy of the solver, and a person has none; "
            "name another creator"
        )

    def _answers(self, prompt: Any, n: int) -> list[Any]:
        self.terminal.say()
        self.terminal.say(self.rules.named(prompt), "bold")
        answers: list[Any] = []
        while len(answers) < n:
            line = self.terminal.ask(f"answer {len(answers) + 1} of {n}> ")
            if line == "-" and answers:
                answers.pop()
            elif line == "?" or not (line or answers):
                rows = [*self.rules.responses(prompt), ("-", "takes the last answer back")]
                self.terminal.grid([*rows, ("empty line", "repeats it")])
            else:
                try:
                    answers.append(self.rules.response(line) if line else answers[-1])
                except ValueError as error:
                    self.terminal.say(error, "yellow", indent=2)
        return answers


class SolverSeat(Seat):
    """A person answers."""

    role, rival = SOLVER, "the model"

    def __init__(self, match: Match, settings: Settings, terminal: Terminal) -> None:
        super().__init__(match, settings, terminal)
        self.match.solver = PersonSolver(terminal, self.rules, self.game)
        match.creator.on_start(self.match.solver)  # some cannot play a person: ValueError

    @property
    def welcome(self) -> str:
        """The solver's task."""
        s, creator = self.settings, type(self.settings.creator).__name__
        return (
            f"{creator} makes {s.prompts} prompts a round, and you answer each {s.samples} "
            f"times. You are paid the mean {s.reward} reward of your answers, the creator "
            f"{self.payoff}; it learns from how you do. An empty line repeats an answer."
        )

    def rounds(self) -> Iterator[tuple[Round, float]]:
        """Rounds, each with what the model's most likely answers would have earned."""
        rounds = self.match.rounds()
        while not self.game.done:
            self.begin()
            round = next(rounds)
            self.likely = self.policy.greedy(round.prompts)
            self.scored = np.asarray(self.game.reward_model(round.prompts, self.likely))
            yield round, float(self.scored.mean())

    def show(self, round: Round) -> None:
        """Each prompt with the person's answers and the model's."""
        origins = origins_of(round)
        for i, prompt in enumerate(map(plain, round.prompts)):
            parent, operator = origins.get(prompt, (None, None))
            self.terminal.say()
            self.terminal.say(self.rules.named(prompt), "bold")
            if parent is not None:
                self.terminal.say(f"{operator} of: {self.rules.named(parent)}", "dim", indent=2)
            who = ["you"] * len(round.responses[i]) + ["model"]
            responses = [*map(plain, round.responses[i]), plain(self.likely[i][0])]
            rewards = np.append(round.rewards[i], self.scored[i])
            self.terminal.grid(self.answers(who, prompt, responses, rewards))
        self.terminal.say()
        self.terminal.say(f"the creator earned {round.payoffs[CREATOR]:.2f} ({self.paid})")
