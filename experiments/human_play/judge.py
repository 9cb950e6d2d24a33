"""The judge of ``eva play``: a person says which of two responses is better."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from eva_env.chat import readable
from eva_env.statistics.ratings import bradley_terry
from experiments.human_play.answer_pairs import (
    AnswerPair,
    Question,
    RecordedAnswers,
    recorded_answers,
)
from experiments.human_play.standings import PRIOR, standings
from experiments.human_play.terminal import Terminal
from experiments.human_play.votes import (
    Vote,
    agreement,
    first_shown,
    read_votes,
    remove_last_vote,
    win_matrix,
)
from experiments.run.errors import naming_record
from experiments.run.records import Run
from experiments.run.wording import counted

CHOICES = ("a", "b", "tie", "skip", "undo", "quit")


@dataclass(frozen=True)
class Judging:
    """Say which of two answers is better, without knowing who gave them."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")] = Path(
        "runs"
    )
    """A comparison, whose arms are judged, or a run: its trained and its starting policy."""
    suite: str | None = None
    """Show only the prompts of this suite. None: of all suites."""
    name: str = "person"
    """Name of the judge; a pair judged under a name is not shown to that name again."""
    seed: int = 0
    """Seed of the order of prompts and answers."""


def judge(command: Judging, terminal: Terminal) -> int:
    """Ask for votes until the person leaves, then rate the players; return the exit status."""
    with naming_record(command.folder):
        answers = recorded_answers(command.folder, command.suite)
    session = JudgeSession(answers, Run(command.folder), command.name, command.seed, terminal)
    stopped = False
    try:
        session.play()
    except EOFError:
        pass
    except KeyboardInterrupt:
        stopped = True
    terminal.say()
    if session.votes and not stopped:
        session.rate()
    new_votes = sum(not isinstance(step, AnswerPair) for step in session.done)
    terminal.say(
        f"{'stopped after' if stopped else 'the end:'} {counted(new_votes, 'vote')} of yours, "
        f"{len(session.votes)} in total, in {command.folder / 'votes.jsonl'}"
    )
    return 130 if stopped else 0


class JudgeSession:
    """A judge's votes so far, and the next pair of responses to show.

    Args:
        answers: the responses to judge.
        run: the folder whose votes.jsonl is read; each vote is appended at once.
        name: name of the judge.
        seed: seed of the order in which pairs are shown.
        terminal: where the judge reads and types.
    """

    def __init__(
        self, answers: RecordedAnswers, run: Run, name: str, seed: int, terminal: Terminal
    ) -> None:
        self.answers, self.run, self.name, self.seed = answers, run, name, seed
        self.terminal = terminal
        self.votes, self.gold = read_votes(run), answers.gold_wins()
        self.done: list[Vote | AnswerPair] = []
        """What this session did, in order: votes, and the pairs that were skipped."""

    def play(self) -> None:
        """Ask until the judge has seen all pairs; raise EOFError if the person leaves."""
        self.explain()
        while pair := self.next_pair():
            self.show(pair)
            choice = self.choose()
            if choice == "undo":
                self.undo()
            elif choice == "skip":
                self.done.append(pair)
            else:
                self.vote(pair, choice)
        self.terminal.say("nothing is left to judge")

    def explain(self) -> None:
        """Print the task of the judge."""
        self.terminal.say(
            f"Which answer is better, a or b? Each prompt was answered by two of "
            f"{len(self.answers.players)} players. You see neither their names nor the gold "
            f"rewards. Type {', '.join(CHOICES)}, or the first letter."
        )

    def next_pair(self) -> AnswerPair | None:
        """Return the most informative pair that this judge has neither judged nor skipped."""
        votes = win_matrix(self.votes, self.answers.players)
        ratings = bradley_terry(votes + self.gold, prior=PRIOR)
        seen = {_key(vote) for vote in self.votes if vote["judge"] == self.name}
        seen |= {step.key for step in self.done if isinstance(step, AnswerPair)}
        return self.answers.next_pair(ratings, votes, seen, self.seed)

    def show(self, pair: AnswerPair) -> None:
        """Print the prompt and both responses."""
        responses = pair.responses if pair.first == "a" else pair.responses[::-1]
        self.terminal.say()
        self.terminal.say_lines(readable(str(pair.question.prompt)), "bold")
        rows = [("a", responses[0], ""), ("b", responses[1], "")]
        self.terminal.grid(rows, keep_lines=True)

    def choose(self) -> str:
        """Ask for one of the choices; a and b are the labels on the screen."""
        while True:
            line = self.terminal.ask("better> ").lower()
            matches = [choice for choice in CHOICES if line and choice.startswith(line)]
            if matches == ["quit"]:
                raise EOFError
            if len(matches) == 1:
                return matches[0]
            if line == "?":
                self.explain()
                continue
            self.terminal.say(
                f"type one of {', '.join(CHOICES)}, or its first letter", indent=2
            )

    def vote(self, pair: AnswerPair, choice: str) -> None:
        """Record a vote; ``choice`` a is the response shown first, whoever gave it."""
        swapped = {"a": "b", "b": "a", "tie": "tie"}
        response_a, response_b = pair.responses
        reward_a, reward_b = pair.rewards
        row = {
            "a": pair.a,
            "b": pair.b,
            **pair.question._asdict(),
            "response_a": response_a,
            "response_b": response_b,
            "reward_a": reward_a,
            "reward_b": reward_b,
            "first": pair.first,
            "winner": choice if pair.first == "a" else swapped[choice],
            "judge": self.name,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self.run.append("votes", [row])
        self.votes.append(row)
        self.done.append(row)

    def undo(self) -> None:
        """Undo the last vote or skip of this session; its pair is shown again."""
        if not self.done:
            self.terminal.say("there is nothing to undo", indent=2)
            return
        last_step = self.done.pop()
        if isinstance(last_step, AnswerPair):
            return
        if remove_last_vote(self.run, last_step):
            self.votes.remove(last_step)
        else:
            self.terminal.say("another judge has voted since; your vote is kept", indent=2)

    def rate(self) -> None:
        """Print the ratings by votes, alone and with gold's games, and their agreement."""
        rows = [("player", "votes", "won", "Elo by votes (95 %)", "with gold's games")]
        ratings = standings(self.votes, self.answers.players, self.gold, self.seed)
        for player, standing in ratings.items():
            elo = standing["elo_by_votes"]
            interval = f"{elo['mean']:.0f} ({elo['low']:.0f} to {elo['high']:.0f})"
            counts = f"{standing['votes']}", f"{standing['won']:g}"
            rows.append((player, *counts, interval, f"{standing['elo_with_gold']:.0f}"))
        self.terminal.grid(rows)
        own_votes = [vote for vote in self.votes if vote["judge"] == self.name]
        agree, comparable = agreement(own_votes)
        first, decided = first_shown(own_votes)
        self.terminal.say(
            f"{counted(len(self.votes), 'vote')}, {self.gold.sum():.0f} games by gold reward. "
            f"You agree with gold in {agree} of the {comparable} cases in which both have a "
            f"preference; {first} of your {decided} votes that are no tie went to the answer "
            f"shown first."
        )


def _key(vote: Vote) -> tuple[str, str, Question]:
    return vote["a"], vote["b"], Question(vote["seed"], vote["suite"], vote["prompt"])
