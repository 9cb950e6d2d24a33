"""A person as the creator: the person makes the prompts, and a model answers them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Creator
from agents.creators import Fresh
from agents.evolution.evolve import Lineage, publish
from eva_env.missing import mean_scored
from eva_env.types import CREATOR, Proposal, Round, Task
from eva_env.world import HouseRules
from experiments.human_play.session import PlayerSession
from experiments.human_play.terminal import Terminal
from experiments.run.match import Match
from experiments.run.rows import plain
from experiments.run.settings import Settings

HUMAN_PROMPTS = 64
"""Number of human prompts over which the payoff of the rival is averaged."""

SHOWN = 8
"""Number of distinct responses to a prompt that are printed."""


@dataclass
class PersonCreator(Creator):
    """Publish the prompts that a person types, with equal logits; a repeated one counts twice.

    ``?`` explains, ``!OPERATOR`` adds a rewrite of the last prompt, ``-`` removes the last
    prompt, and an empty line publishes. EOFError is passed on when the person leaves.
    """

    terminal: Terminal
    """Where the person types."""
    rules: HouseRules
    """The rules for prompts in this world."""
    prompts: int
    """Maximum number of prompts in a round."""

    def __post_init__(self) -> None:
        self.typed: list[Lineage] = []
        self.last_published: list[Lineage] = []

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Publish the prompts that are typed until an empty line."""
        self.typed = []
        while True:
            line = self.terminal.ask(f"prompt {len(self.typed) + 1}> ")
            if not line and self.typed:
                self.last_published = self.typed
                return publish(self.typed)
            try:
                self._execute(line, task, min(n, self.prompts), rng)
            except ValueError as error:
                self.terminal.say(error, "yellow", indent=2)

    def _execute(
        self, line: str, task: Task, max_prompts: int, rng: np.random.Generator
    ) -> None:
        """Carry out a typed line; raise ValueError with the reason if it is not possible."""
        if line in ("", "?"):
            self._explain(task, rng)
        elif line == "-":
            if not self.typed:
                raise ValueError("there is no prompt to remove")
            self.typed.pop()
        elif len(self.typed) == max_prompts:
            raise ValueError(
                f"a round has at most {max_prompts} prompts; an empty line publishes them"
            )
        elif line.startswith("!"):
            self.typed.append(self._rewrite(line[1:].strip(), task, rng))
            self.terminal.say(self.rules.named(self.typed[-1].prompt), indent=2)
        else:
            self.typed.append(Lineage(self.rules.prompt(line)))

    def _rewrite(self, name: str, task: Task, rng: np.random.Generator) -> Lineage:
        """Rewrite the last prompt by an operator; the first letters of its name suffice."""
        if not (self.typed or self.last_published):
            raise ValueError("there is no prompt to rewrite yet")
        matches = [operator for operator in task.operators if operator.startswith(name)]
        if name in matches:
            matches = [name]
        if len(matches) != 1:
            raise ValueError(f"operators: !{', !'.join(task.operators)}")
        parent = (self.typed or self.last_published)[-1].prompt
        child = task.mutate(parent, matches[0], rng)
        if child is None:
            raise ValueError(f"{matches[0]} does not apply to {self.rules.named(parent)}")
        return Lineage(child, parent, matches[0])

    def _explain(self, task: Task, rng: np.random.Generator) -> None:
        example = self.rules.named(task.seed(1, rng)[0])
        rows = [*self.rules.prompts(), ("a human prompt", example)]
        if task.operators:
            rows.append(("rewrites", f"!{', !'.join(task.operators)} of the last prompt"))
        rows += [("-", "removes the last prompt"), ("empty line", "publishes")]
        self.terminal.grid(rows)


class CreatorSession(PlayerSession):
    """A session in which a person makes the prompts."""

    role, rival = CREATOR, "ordinary human prompts would earn about"

    def __init__(self, match: Match, settings: Settings, terminal: Terminal) -> None:
        super().__init__(match, settings, terminal)
        self.match.creator = PersonCreator(terminal, self.rules, settings.prompts)

    @property
    def welcome(self) -> str:
        """The creator's task, in a few sentences."""
        prompts, samples = self.settings.prompts, self.settings.samples
        method = type(self.settings.solver).__name__
        learns = method not in ("Fixed", "BestOfN")
        learning = f" and learns from its answers by {method}" if learns else ""
        return (
            f"You make the prompts, at most {prompts} a round; a model answers each "
            f"{samples} times{learning}. You earn the {self.payoff}, averaged over {prompts} "
            f"draws from your prompts. Type one prompt a line; an empty line publishes them."
        )

    def rounds(self) -> Iterator[tuple[Round, float]]:
        """Yield each round with the payoff of human prompts against the same solver."""
        rounds = self.match.rounds()
        while not self.game.done:
            self.announce_round()
            human_payoff = self.human_payoff()
            yield next(rounds), human_payoff

    def human_payoff(self) -> float:
        """Return the payoff of human prompts in the next round, on a fork with more draws."""
        game, solver = self.game.fork(), self.match.solver.twin()
        rng = np.random.default_rng(self.settings.seed)
        game.batch_size = HUMAN_PROMPTS
        game.propose(Fresh().propose(self.task, HUMAN_PROMPTS, rng))
        return game.respond(solver.respond(game.prompts, game.samples, rng)).payoffs[CREATOR]

    def show(self, round: Round) -> None:
        """Print each drawn prompt with its payoff and its responses, the best first."""
        draws: dict[Any, list[int]] = {}
        for i, prompt in enumerate(round.prompts):
            draws.setdefault(plain(prompt), []).append(i)
        for prompt, indices in draws.items():
            times = f", drawn {len(indices)} times" if len(indices) > 1 else ""
            signal = round.signal[indices].mean()
            self.terminal.say()
            self.terminal.say_lines(self.rules.named(prompt), "bold")
            self.terminal.say(f"{self.payoff_name} {signal:.2f}{times}", indent=2)
            rows = self._best_first(round, prompt, indices)
            self.terminal.grid(rows[:SHOWN], keep_lines=True)
            if rows[SHOWN:]:
                remainder = f"and {len(rows) - SHOWN} others, down to {rows[-1][0]}"
                self.terminal.say(remainder, "dim", indent=2)
        self.terminal.say()
        not_drawn = sorted(set(map(plain, round.proposal.prompts)) - draws.keys())
        if not_drawn:
            self.terminal.say(f"not drawn: {'; '.join(map(self.rules.named, not_drawn))}")
        steps = int(round.logs.get("gradient_steps", 0))
        if steps:
            self.terminal.say(f"the solver learned from these answers: {steps} gradient steps")

    def _best_first(self, round: Round, prompt: Any, indices: Sequence[int]) -> list[list[str]]:
        """Return a row per distinct response to a prompt, with the number of times it came."""
        rewards: dict[Any, list[float]] = {}
        for i in indices:
            for response, reward in zip(round.responses[i], round.rewards[i], strict=True):
                rewards.setdefault(plain(response), []).append(float(reward))
        mean_of = {text: float(mean_scored(np.array(row))) for text, row in rewards.items()}
        best_first = sorted(rewards, key=lambda text: (np.isnan(mean_of[text]), -mean_of[text]))
        counts = [len(rewards[response]) for response in best_first]
        times = [f"{count}x" if count > 1 else "" for count in counts]
        means = np.array([mean_of[response] for response in best_first])
        return self.answer_rows(times, prompt, best_first, means)
