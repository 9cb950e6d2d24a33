"""The rules of the instruct world for a person at the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eva_env.instruct.families import FAMILIES, GROUPS
from eva_env.instruct.gold import constraints_met
from eva_env.instruct.instruction import is_held_out, parse, read, sentence_of
from eva_env.instruct.requests import FORMS, TOPICS
from eva_env.prompt_files.rules import BREAK, with_lines
from eva_env.world import HouseRules, Rows


@dataclass(frozen=True)
class InstructRules(HouseRules):
    """The rules of ``eva play``: a prompt is a request and 1 to 5 constraints."""

    def prompt(self, text: str) -> str:
        """Return the typed prompt; ValueError unless it may be published."""
        instruction = parse(text)
        similar = read(text)
        if instruction is None and similar is not None:
            raise ValueError(
                f"{text!r} has its sentences in another order or more than these; write "
                f"{str(similar)!r}"
            )
        if instruction is None:
            raise ValueError(
                f"{text!r} is not a prompt of this world; write one like 'Describe bees. Use "
                f"at most 30 words.' (? explains)"
            )
        if is_held_out(instruction.families):
            raise ValueError(
                "these constraints are combined only in the suite 'unseen'; leave one out"
            )
        if not self.world.valid(text):
            raise ValueError("that prompt is held out for the evaluation; write another")
        return text

    def prompts(self) -> Rows:
        """Return the forms, the topics and the constraints."""
        topics = [(f"topics: {subject}", ", ".join(names)) for subject, names in TOPICS.items()]
        constraints = [
            (
                f"constraints: {group}",
                " ".join(sentence_of((name, FAMILIES[name].values[0])) for name in families),
            )
            for group, families in GROUPS.items()
        ]
        head = ("a prompt", "a request, then 1 to 5 constraints in the order of this list")
        return [head, ("requests", " ".join(FORMS)), *topics, *constraints]

    def response(self, text: str) -> str:
        """Return the typed response."""
        return with_lines(text)

    def responses(self, prompt: Any) -> Rows:
        """Return the form of responses."""
        return [("a response", f"any text; {BREAK} begins a new line")]

    def remarks(self, prompt: str, responses: Sequence[str]) -> list[str]:
        """Return the families that each response misses."""
        instruction = parse(prompt)
        families = instruction.families if instruction else ()
        missed = [
            [
                family
                for family, met in zip(
                    families, constraints_met(prompt, str(response)), strict=True
                )
                if not met
            ]
            for response in responses
        ]
        return [f"missed {', '.join(names)}" if names else "" for names in missed]
