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
    """The rules of ``eva play``: prompts are instructions, responses are words of topics."""

    def prompt(self, text: str) -> str:
        """Return the prompt in standard form; ValueError unless it may be published."""
        instruction = parse(text)
        if instruction is None:
            raise ValueError(
                f"{text!r} is not a prompt of the wordlist world; write one like "
                f"{str(Instruction(3, 'animals', avoid='e'))!r} (? explains)"
            )
        if not within_bounds(instruction):
            raise ValueError(
                f"that prompt exceeds the limits: at most {NUMBERS[MAX_COUNT]} words, "
                f"{NUMBERS[MAX_MIXED]} of a second topic, {NUMBERS[MAX_TOTAL]} in all, and "
                f"{NUMBERS[MAX_CONSTRAINTS]} constraints"
            )
        if not feasible(instruction):
            raise ValueError("no response can satisfy that prompt; leave out a constraint")
        if held_out(instruction):
            raise ValueError(
                "these constraints are combined only in the suite 'unseen'; leave one out"
            )
        if not self.world.valid(str(instruction)):
            raise ValueError("that prompt is held out for the evaluation; write another")
        return str(instruction)

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
        prompts = [str(Instruction(2, "animals", **option)) for option in options]
        first, second = NUMBERS[2], NUMBERS[MAX_MIXED]
        return [
            (
                "a prompt",
                f"{'|'.join(VERBS).title()} {first}..{NUMBERS[MAX_COUNT]} TOPIC "
                f"[and {first}|{second} TOPIC], CLAUSE, CLAUSE.",
            ),
            ("topics", ", ".join(TOPICS)),
            (
                "clauses",
                "; ".join(prompt.split(", ")[1].removesuffix(".") for prompt in prompts),
            ),
        ]

    def response(self, text: str) -> str:
        """Return the words of a line, without commas."""
        return " ".join(text.replace(",", " ").split())

    def responses(self, prompt: str) -> Rows:
        """Return the words of the prompt's topics, and the lengths of short and long words."""
        instruction = parse(prompt)
        topics = []
        if instruction is not None:
            topics = [instruction.topic]
            if instruction.mix:
                topics.append(instruction.mix[1])
        return [
            ("a response", "words of these topics; other words satisfy nothing"),
            (
                "lengths",
                f"short: at most {SHORT} letters; long: at least {LONG}",
            ),
            *((topic, TOPICS[topic]) for topic in topics),
        ]

    def remarks(self, prompt: str, responses: Sequence[str]) -> list[str]:
        """Return the constraints that each response misses, with the degrees it reaches."""
        degrees = satisfaction([prompt], [responses])[0]
        missed = [
            ", ".join(f"{JUDGED[i]} {row[i]:.2f}" for i in np.flatnonzero(row < 1))
            for row in degrees
        ]
        return [f"missed {names}" if names else "" for names in missed]
