"""The judge's seat of ``eva play``: which of two answers is better?"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from eva_env.statistics.ratings import bradley_terry
from experiments.commands.options import parse
from experiments.comparison.wording import counted
from experiments.human_play.answer_pairs import Exhibit, Exhibits, Question, exhibits_of
from experiments.human_play.standings import PRIOR, standings
from experiments.human_play.terminal import Terminal
from experiments.human_play.votes import (
    Vote,
    agreement,
    first_shown,
    given,
    take_back,
    win_matrix,
)
from experiments.run.records import Run

CHOICES = ("a", "b", "tie", "skip", "undo", "quit")


@dataclass(frozen=True)
class Judging:
    """Say which of two answers is better, without knowing whose they are."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")] = Path(
        "runs"
    )
    """A comparison, whose arms are judged, or a run: its trained model and its start."""
    suite: str | None = None
    """Show the prompts of this suite alone. None: of all."""
    name: str = "person"
    """Who judges; what has been judged under a name is not shown to it again."""
    seed: int = 0
    """Seed of the order of prompts and answers."""


def judge(args: list[str], terminal: Terminal) -> int:
    """Ask for votes until the person leaves, then rate the players; the exit status."""
    command = parse(Judging(), args, "play --as judge")
    exhibits = exhibits_of(command.folder, command.suite)
    bench = Bench(exhibits, Run(command.folder), command.name, command.seed, terminal)
    stopped = False
    try:
        bench.sit()
    except EOFError:
        pass
    except KeyboardInterrupt:
        stopped = True
    terminal.say()
    if bench.votes and not stopped:
        bench.rate()
    new = sum(not isinstance(one, Exhibit) for one in bench.done)
    terminal.say(
        f"{'stopped with' if stopped else 'the end:'} {counted(new, 'vote')} of yours, "
        f"{len(bench.votes)} in all, in {command.folder / 'votes.jsonl'}"
    )
    return 130 if stopped else 0


class Bench:
    """A judge before exhibits: the votes so far, and what to show next.

    Args:
        exhibits: what is judged.
        run: the folder whose votes.jsonl is read, and added to at once.
        name: who judges.
        seed: of the order in which things are shown.
        terminal: where the judge sits.
    """

    def __init__(
        self, exhibits: Exhibits, run: Run, name: str, seed: int, terminal: Terminal
    ) -> None:
        self.exhibits, self.run, self.name, self.seed = exhibits, run, name, seed
        self.terminal = terminal
        self.votes, self.gold = given(run), exhibits.gold_wins()
        self.done: list[Vote | Exhibit] = []

    def sit(self) -> None:
        """Ask until all has been seen; EOFError if the person leaves before."""
        self.explain()
        while exhibit := self.next():
            self.show(exhibit)
            choice = self.choose()
            if choice == "undo":
                self.undo()
            elif choice == "skip":
                self.done.append(exhibit)
            else:
                self.vote(exhibit, choice)
        self.terminal.say("nothing is left to judge")

    def explain(self) -> None:
        """Print what is asked."""
        self.terminal.say(
            f"Which answer is better, a or b? Two of {len(self.exhibits.players)} players have "
            f"answered each prompt; you are not told which, nor what the gold judge says. Type "
            f"{', '.join(CHOICES)}, or the first letter."
        )

    def next(self) -> Exhibit | None:
        """The most informative exhibit that this judge has neither judged nor skipped."""
        votes = win_matrix(self.votes, self.exhibits.players)
        ratings = bradley_terry(votes + self.gold, prior=PRIOR)
        seen = {_key(vote) for vote in self.votes if vote["judge"] == self.name}
        seen |= {one.key for one in self.done if isinstance(one, Exhibit)}
        return self.exhibits.next(ratings, votes, seen, self.seed)

    def show(self, exhibit: Exhibit) -> None:
        """Print the prompt and both answers."""
        responses = exhibit.responses if exhibit.first == "a" else exhibit.responses[::-1]
        self.terminal.say()
        self.terminal.say(exhibit.question.prompt, "bold")
        self.terminal.grid([("a", responses[0], ""), ("b", responses[1], "")])

    def choose(self) -> str:
        """What the judge wants, with a and b as they stand on the screen."""
        while True:
            line = self.terminal.ask("better> ").lower()
            meant = [choice for choice in CHOICES if line and choice.startswith(line)]
            if meant == ["quit"]:
                raise EOFError
            if len(meant) == 1:
                return meant[0]
            if line == "?":
                self.explain()
                continue
            self.terminal.say(
                f"type one of {', '.join(CHOICES)}, or its first letter", indent=2
            )

    def vote(self, exhibit: Exhibit, choice: str) -> None:
        """Write a vote down; on the screen, a is the answer that stands first."""
        other = {"a": "b", "b": "a", "tie": "tie"}
        question = exhibit.question
        row = {
            **{"a": exhibit.a, "b": exhibit.b, **question._asdict()},
            **dict(zip(("response_a", "response_b"), exhibit.responses, strict=True)),
            **dict(zip(("reward_a", "reward_b"), exhibit.rewards, strict=True)),
            "first": exhibit.first,
            "winner": choice if exhibit.first == "a" else other[choice],
            "judge": self.name,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self.run.append("votes", [row])
        self.votes.append(row)
        self.done.append(row)

    def undo(self) -> None:
        """Take back the last vote or skip of this sitting, so that it is asked again."""
        if not self.done:
            self.terminal.say("there is nothing to take back", indent=2)
            return
        last = self.done.pop()
        if isinstance(last, Exhibit):
            return
        if take_back(self.run, last):
            self.votes.remove(last)
        else:
            self.terminal.say("someone else has voted since; it stands", indent=2)

    def rate(self) -> None:
        """Print the ratings by the votes, alone and with gold's, and how far both agree."""
        votes = self.votes
        rows = [("player", "votes", "won", "Elo by votes (95 %)", "with gold's games")]
        for player, own in standings(
            votes, self.exhibits.players, self.gold, self.seed
        ).items():
            elo = own["elo_by_votes"]
            interval = f"{elo['mean']:.0f} ({elo['low']:.0f} to {elo['high']:.0f})"
            counts = f"{own['votes']}", f"{own['won']:g}"
            rows.append((player, *counts, interval, f"{own['elo_with_gold']:.0f}"))
        self.terminal.grid(rows)
        mine = [vote for vote in votes if vote["judge"] == self.name]
        agree, decided = agreement(mine)
        first, clear = first_shown(mine)
        self.terminal.say(
            f"{counted(len(votes), 'vote')}, {self.gold.sum():.0f} games by gold reward. You "
            f"and gold agree in {agree} of the {decided} in which both have a preference; "
            f"{first} of your {clear} went to the answer shown first."
        )


def _key(vote: Vote) -> tuple[str, str, Question]:
    return vote["a"], vote["b"], Question(vote["seed"], vote["suite"], vote["prompt"])
