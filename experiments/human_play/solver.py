"""A person as the solver: a creator makes the prompts, and the person answers them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from agents.base import Solver
from agents.evaluate import score
from eva_env.game import Game
from eva_env.missing import mean_reward
from eva_env.types import CREATOR, SOLVER, Round
from eva_env.world import HouseRules
from experiments.human_play.session import PlayerSession
from experiments.human_play.terminal import Terminal
from experiments.run.match import Match
from experiments.run.rows import origins_of, plain
from experiments.run.settings import Settings


class PersonSolver(Solver):
    """Respond with the answers that a person types; an empty line repeats the last answer.

    A creator may have the prompts of a round answered again, to measure them: then the last
    answers are returned, and the person is not asked again. EOFError is passed on when the
    person leaves.

    Args:
        terminal: where the person types.
        rules: the rules for answers in this world.
        game: shows whether it is the solver's move.
    """

    def __init__(self, terminal: Terminal, rules: HouseRules, game: Game) -> None:
        self.terminal, self.rules, self.game = terminal, rules, game
        self.last_answers: list[list[Any]] = []

    def respond(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Any:
        """Ask for n answers to each of B prompts; return them as (B, n)."""
        if self.game.proposal is not None:
            self.last_answers = [self._ask_answers(prompt, n) for prompt in prompts]
        return self.last_answers

    def twin(self) -> "PersonSolver":
        """Raise ValueError: a person has no copy."""
        raise ValueError(
            "this creator plays against a copy of the solver, and a person has none; "
            "name another creator"
        )

    def _ask_answers(self, prompt: Any, n: int) -> list[Any]:
        self.terminal.say()
        self.terminal.say_lines(self.rules.named(prompt), "bold")
        answers: list[Any] = []
        while len(answers) < n:
            line = self.terminal.ask(f"answer {len(answers) + 1} of {n}> ")
            if line == "-" and answers:
                answers.pop()
            elif line == "?" or not (line or answers):
                rows = [*self.rules.responses(prompt), ("-", "removes the last answer")]
                self.terminal.grid([*rows, ("empty line", "repeats it")])
            else:
                try:
                    answers.append(self.rules.response(line) if line else answers[-1])
                except ValueError as error:
                    self.terminal.say(error, "yellow", indent=2)
        return answers


class SolverSession(PlayerSession):
    """A session in which a person answers the prompts."""

    role, rival = SOLVER, "the model would earn"

    def __init__(self, match: Match, settings: Settings, terminal: Terminal) -> None:
        super().__init__(match, settings, terminal)
        self.match.solver = PersonSolver(terminal, self.rules, self.game)
        # Raises ValueError if the creator cannot play against a person.
        match.creator.on_start(self.match.solver)

    @property
    def welcome(self) -> str:
        """The solver's task, in a few sentences."""
        settings, creator = self.settings, type(self.settings.creator).__name__
        return (
            f"{creator} makes {settings.prompts} prompts a round, and you answer each "
            f"{settings.samples} times. You earn the mean {settings.reward} reward of your "
            f"answers. The creator earns the {self.payoff} and learns from your results. An "
            f"empty line repeats an answer."
        )

    def rounds(self) -> Iterator[tuple[Round, float]]:
        """Yield each round with the mean reward of the model's most likely responses."""
        rounds = self.match.rounds()
        while not self.game.done:
            self.announce_round()
            round = next(rounds)
            self.greedy = self.policy.greedy(round.prompts)
            self.greedy_rewards = score(self.game.reward_model, round.prompts, self.greedy)
            yield round, mean_reward(self.greedy_rewards) or 0.0

    def show(self, round: Round) -> None:
        """Print each prompt with the person's answers and the model's response."""
        origins = origins_of(round)
        for i, prompt in enumerate(map(plain, round.prompts)):
            parent, operator = origins.get(prompt, (None, None))
            self.terminal.say()
            self.terminal.say_lines(self.rules.named(prompt), "bold")
            if parent is not None:
                self.terminal.say(f"{operator} of: {self.rules.named(parent)}", "dim", indent=2)
            names = ["you"] * len(round.responses[i]) + ["model"]
            responses = [*map(plain, round.responses[i]), plain(self.greedy[i][0])]
            rewards = np.append(round.rewards[i], self.greedy_rewards[i])
            rows = self.answer_rows(names, prompt, responses, rewards)
            self.terminal.grid(rows, keep_lines=True)
        self.terminal.say()
        self.terminal.say(
            f"the creator earned {round.payoffs[CREATOR]:.2f} ({self.payoff_name})"
        )
