"""The rules of the wordlist world for a person at the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
from eva_env.world import HouseRules, Rows


@dataclass(frozen=True)
class WordlistRules(HouseRules):
    """Prompts are sentences of the micro-language, responses are words of its topics."""

    def prompt(self, text: str) -> str:
        """Return the prompt in standard form; ValueError unless it may be published."""
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
        if not self.world.valid(str(ask)):
            raise ValueError("that one is kept for the evaluation; ask for something else")
        return str(ask)

    def named(self, prompt: str) -> str:
        """Return the prompt itself."""
        return prompt

    def prompts(self) -> Rows:
        """Return the grammar: the parts of a prompt, the topics, and the clauses."""
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
        """Return the words of a line, without commas."""
        return " ".join(text.replace(",", " ").split())

    def responses(self, prompt: str) -> Rows:
        """Return the words of the prompt's topics, and the lengths of short and long words."""
        ask = parse(prompt)
        asked = [] if ask is None else [ask.topic, *([ask.mix[1]] if ask.mix else [])]
        return [
            ("a response", "words of these topics; any other word meets nothing"),
            (
                "lengths",
                f"short: at most {SHORT} letters; long: at least {LONG}",
            ),
            *((topic, TOPICS[topic]) for topic in asked),
        ]

    def remarks(self, prompt: str, responses: Sequence[str]) -> list[str]:
        """Return the constraints that each response misses, with the degrees it reaches."""
        degrees = satisfaction([prompt], [responses])[0]
        missed = [
            ", ".join(f"{JUDGED[i]} {row[i]:.2f}" for i in np.flatnonzero(row < 1))
            for row in degrees
        ]
        return [f"missed {names}" if names else "" for names in missed]
