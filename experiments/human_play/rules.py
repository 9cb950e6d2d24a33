"""The rules of each task, as a person at the terminal has to know them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from eva_env.wordlist.feasibility import feasible
from eva_env.wordlist.instruction import ORDERS, SIZES, VERBS, Instruction, parse
from eva_env.wordlist.lexicon import LONG, NUMBERS, SHORT, TOPICS
from eva_env.wordlist.prompts import (
    MAX_CONSTRAINTS,
    MAX_COUNT,
    MAX_MIXED,
    MAX_TOTAL,
    held_out,
    within_bounds,
)
from eva_env.wordlist.verify import JUDGED, satisfaction
from experiments.run.setup import AnyTask

Rows = list[tuple[str, str]]
"""A term and what there is to say of it."""


class Rules(Protocol):
    """What a person may type, and what it means."""

    def prompt(self, text: str) -> Any:
        """The prompt that is meant; ValueError says why it cannot be published."""
        ...

    def named(self, prompt: Any) -> str:
        """The prompt as a person reads it."""
        ...

    def prompts(self) -> Rows:
        """How prompts are written."""
        ...

    def response(self, text: str) -> Any:
        """The response that is meant; ValueError says what is wrong."""
        ...

    def responses(self, prompt: Any) -> Rows:
        """How responses to a prompt are written."""
        ...

    def remarks(self, prompt: Any, responses: Sequence[Any]) -> list[str]:
        """What each response falls short in, as far as the task can tell; "" for nothing."""
        ...


def rules_of(task: AnyTask) -> Rules:
    """The rules of a task."""
    return TabularRules(task) if isinstance(task, TabularWorld) else WordlistRules(task)


@dataclass(frozen=True)
class WordlistRules:
    """Sentences of the micro-language, answered by words of its topics."""

    task: Wordlist

    def prompt(self, text: str) -> str:
        """The sentence as the language writes it."""
        ask = parse(text)
        if ask is None:
            raise ValueError(
                f"that is no prompt of the wordlist world; one reads "
                f"{str(Instruction(3, 'animals', avoid='e'))!r} (? explains)"
            )
        if not within_bounds(ask):
            raise ValueError(
                f"that asks for too much: at most {NUMBERS[MAX_COUNT]} words, "
                f"{NUMBERS[MAX_MIXED]} of a second topic, {NUMBERS[MAX_TOTAL]} in all, and "
                f"{NUMBERS[MAX_CONSTRAINTS]} constraints"
            )
        if not feasible(ask):
            raise ValueError("no answer can meet that")
        if held_out(ask):
            raise ValueError("only the suite 'unseen' may combine these constraints")
        if not self.task.valid(str(ask)):
            raise ValueError("that one is kept for the evaluation; ask for something else")
        return str(ask)

    def named(self, prompt: str) -> str:
        """The prompt itself."""
        return prompt

    def prompts(self) -> Rows:
        """The grammar."""
        options: list[dict[str, Any]] = [
            {"avoid": "e"},
            {"contain": "e"},
            *({"size": size} for size in SIZES),
            {"unique": True},
            *({"order": order} for order in ORDERS),
            *({family: "cat"} for family in ("start", "end", "include")),
        ]
        asks = [str(Instruction(2, "animals", **option)) for option in options]
        first, second = NUMBERS[2], NUMBERS[MAX_MIXED]
        return [
            (
                "a prompt",
                f"{'|'.join(VERBS).title()} {first}..{NUMBERS[MAX_COUNT]} TOPIC "
                f"[and {first}|{second} TOPIC], CLAUSE, CLAUSE.",
            ),
            ("topics", ", ".join(TOPICS)),
            ("clauses", "; ".join(ask.split(", ")[1].removesuffix(".") for ask in asks)),
        ]

    def response(self, text: str) -> str:
        """Any line of words; commas between them are left out."""
        return " ".join(text.replace(",", " ").split())

    def responses(self, prompt: str) -> Rows:
        """The words of the topics that are asked for."""
        ask = parse(prompt)
        asked = [] if ask is None else [ask.topic, *([ask.mix[1]] if ask.mix else [])]
        return [
            ("an answer", "words of these topics; any other word meets nothing"),
            (
                "lengths",
                f"short: at most {SHORT} letters; long: at least {LONG}",
            ),
            *((topic, TOPICS[topic]) for topic in asked),
        ]

    def remarks(self, prompt: str, responses: Sequence[str]) -> list[str]:
        """The constraints that are missed, with the degree to which they are met."""
        degrees = satisfaction([prompt], [responses])[0]
        missed = [
            ", ".join(f"{JUDGED[i]} {row[i]:.2f}" for i in np.flatnonzero(row < 1))
            for row in degrees
        ]
        return [f"missed {names}" if names else "" for names in missed]


@dataclass(frozen=True)
class TabularRules:
    """Prompts and responses are numbers."""

    task: TabularWorld

    def prompt(self, text: str) -> int:
        """The number of a prompt that may be published."""
        prompt = self._number(text, "prompts", self.task.size)
        if not self.task.valid(prompt):
            raise ValueError(f"{self.named(prompt)} is held out for the evaluation (? shows)")
        return prompt

    def named(self, prompt: int) -> str:
        """The number with its place on the ladder."""
        topic, level, variant = self.task.coordinates[:, prompt]
        return f"{prompt} (topic {topic}, level {level}, variant {variant})"

    def prompts(self) -> Rows:
        """The board: by topic the prompts that may be published, level by level."""
        topics, levels = self.task.prompt_topics, self.task.prompt_levels
        free = self.task.trainable
        rows = [("a prompt", "its number; here by topic, from level 0, the easiest, on")]
        for topic in range(self.task.topics):
            own = free[topics[free] == topic]
            cells = [own[levels[own] == level] for level in range(self.task.levels)]
            shown = "|".join(" ".join(map(str, cell)) for cell in cells)
            rows.append((f"topic {topic}", shown if len(own) else "held out"))
        return rows

    def response(self, text: str) -> int:
        """The number of a response."""
        return self._number(text, "responses", self.task.responses)

    def responses(self, prompt: int) -> Rows:
        """The range; rewards are seen once they are earned."""
        numbers = f"a number in 0 ... {self.task.responses - 1}, one of which is the best"
        return [("an answer", numbers)]

    def remarks(self, prompt: int, responses: Sequence[int]) -> list[str]:
        """The best response, for those that are not it."""
        gold = self.task.gold[prompt]
        best = f"best is {gold.argmax()}, with {gold.max():.2f}"
        return ["" if gold[response] == gold.max() else best for response in responses]

    def _number(self, text: str, what: str, size: int) -> int:
        plain = text.isascii() and text.isdecimal() and len(text) < 10
        if not (plain and int(text) < size):
            raise ValueError(
                f"{what} are numbers in 0 ... {size - 1}, got {text!r} (? explains)"
            )
        return int(text)
