"""The rules of a tabular world for a person at the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from eva_env.world import HouseRules, Rows


@dataclass(frozen=True)
class TabularRules(HouseRules):
    """The rules of ``eva play`` where prompts and responses are numbers."""

    def prompt(self, text: str) -> int:
        """Return the number of a prompt; ValueError unless it may be published."""
        prompt = self._number(text, "prompts", self.world.size)
        if not self.world.valid(prompt):
            raise ValueError(f"{self.named(prompt)} is held out for the evaluation (? shows)")
        return prompt

    def named(self, prompt: int) -> str:
        """Return the number with its topic, level and variant."""
        topic, level, variant = self.world.coordinates[:, prompt]
        return f"{prompt} (topic {topic}, level {level}, variant {variant})"

    def prompts(self) -> Rows:
        """Return the prompts that may be published, by topic and level."""
        topics, levels = self.world.prompt_topics, self.world.prompt_levels
        trainable = self.world.trainable
        rows = [("a prompt", "its number; here by topic, from level 0, the easiest, on")]
        for topic in range(self.world.topics):
            of_topic = trainable[topics[trainable] == topic]
            by_level = [of_topic[levels[of_topic] == n] for n in range(self.world.levels)]
            text = "|".join(" ".join(map(str, prompts)) for prompts in by_level)
            rows.append((f"topic {topic}", text if len(of_topic) else "held out"))
        return rows

    def response(self, text: str) -> int:
        """Return the number of a response."""
        return self._number(text, "responses", self.world.responses)

    def responses(self, prompt: int) -> Rows:
        """Return the range of responses, without their rewards."""
        numbers = f"a number in 0 ... {self.world.responses - 1}, one of which is the best"
        return [("a response", numbers)]

    def remarks(self, prompt: int, responses: Sequence[int]) -> list[str]:
        """Return the best response and its reward; "" for a response that is the best."""
        gold = self.world.gold[prompt]
        best = f"best is {gold.argmax()}, with {gold.max():.2f}"
        return ["" if gold[response] == gold.max() else best for response in responses]

    def _number(self, text: str, kind: str, size: int) -> int:
        is_number = text.isascii() and text.isdecimal() and len(text) < 10
        if not (is_number and int(text) < size):
            raise ValueError(
                f"{kind} are numbers in 0 ... {size - 1}, got {text!r} (? explains)"
            )
        return int(text)
