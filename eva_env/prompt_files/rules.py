"""The rules of a world of prompt files for a person at the terminal."""

from dataclasses import dataclass
from typing import Any

from eva_env.chat import readable
from eva_env.world import HouseRules, Rows

BREAK = "\\n"
"""What a person types where a new line begins."""


@dataclass(frozen=True)
class PromptRules(HouseRules):
    """The rules of ``eva play``: prompts and responses are text of one or several lines."""

    def prompt(self, text: str) -> str:
        """Return the typed prompt; ValueError says why it cannot be published."""
        prompt = with_lines(text)
        reason = self.world.reason_against(prompt)
        if reason:
            raise ValueError(f"that prompt {reason}; write another")
        return prompt

    def named(self, prompt: Any) -> str:
        """Return the prompt, a conversation with the role before each message."""
        return readable(prompt)

    def prompts(self) -> Rows:
        """Return the form of prompts, and their greatest length."""
        length = f"at most {self.world.max_characters:,} characters"
        return [("a prompt", f"any text, {length}; {BREAK} begins a new line")]

    def response(self, text: str) -> str:
        """Return the typed response."""
        return with_lines(text)

    def responses(self, prompt: Any) -> Rows:
        """Return the form of responses."""
        return [("a response", f"any text; {BREAK} begins a new line")]


def with_lines(text: str) -> str:
    r"""Return typed text with a line break in the place of each ``\n``."""
    return "\n".join(line.strip() for line in text.split(BREAK))
