"""The rules of a tabular world, as a person at the terminal has to know them."""

from collections.abc import Sequence
from dataclasses import dataclass

from eva_env.world import HouseRules, Rows


@dataclass(frozen=True)
class TabularRules(HouseRules):
    """Prompts and responses are numbers."""

    def prompt(self, text: str) -> int:
        """The number of a prompt that may be published."""
        prompt = self._number(text, "prompts", self.world.size)
        if not self.world.valid(prompt):
            raise ValueError(f"{self.named(prompt)} is held out for the evaluation (? shows)")
        return prompt

    def named(self, prompt: int) -> str:
        """The number with its place on the ladder."""
        topic, level, variant = self.world.coordinates[:, prompt]
        return f"{prompt} (topic {topic}, level {level}, variant {variant})"

    def prompts(self) -> Rows:
        """The board: by topic the prompts that may be published, level by level."""
        topics, levels = self.world.prompt_topics, self.world.prompt_levels
        free = self.world.trainable
        rows = [("a prompt", "its number; here by topic, from level 0, the easiest, on")]
        for topic in range(self.world.topics):
            own = free[topics[free] == topic]
            cells = [own[levels[own] == level] for level in range(self.world.levels)]
            shown = "|".join(" ".join(map(str, cell)) for cell in cells)
            rows.append((f"topic {topic}", shown if len(own) else "held out"))
        return rows

    def response(self, text: str) -> int:
        """The number of a response."""
        return self._number(text, "responses", self.world.responses)

    def responses(self, prompt: int) -> Rows:
        """The range; rewards are seen once they are earned."""
        numbers = f"a number in 0 ... {self.world.responses - 1}, one of which is the best"
        return [("a response", numbers)]

    def remarks(self, prompt: int, responses: Sequence[int]) -> list[str]:
        """The best response, for those that are not it."""
        gold = self.world.gold[prompt]
        best = f"best is {gold.argmax()}, with {gold.max():.2f}"
        return ["" if gold[response] == gold.max() else best for response in responses]

    def _number(self, text: str, what: str, size: int) -> int:
        plain = text.isascii() and text.isdecimal() and len(text) < 10
        if not (plain and int(text) < size):
            raise ValueError(
                f"{what} are numbers in 0 ... {size - 1}, got {text!r} (? explains)"
            )
        return int(text)
