"""A task of a few lines for the creators' tests: prompts are ``topic:level:variant``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tiny:
    topics: int = 5
    levels: int = 6
    variants: int = 10_000
    operators: tuple[str, ...] = ("harder", "easier", "move")

    depth, breadth, quality = ("harder",), ("move",), ("harder", "move")
    suites = {"hard": ("0:5:0",)}

    def seed(self, n, rng, distribution="human"):
        low = 0 if distribution == "human" else self.levels - 1
        return [self._name(rng.integers(self.topics), low, rng) for _ in range(n)]

    def mutate(self, prompt, operator, rng):
        topic, level, _ = map(int, prompt.split(":"))
        if operator == "move":
            return self._name((topic + 1) % self.topics, level, rng)
        level += 1 if operator == "harder" else -1
        return self._name(topic, level, rng) if 0 <= level < self.levels else None

    def valid(self, prompt):
        return prompt not in self.suites["hard"]

    def complexity(self, prompt):
        return level(prompt)

    def topic(self, prompt):
        return prompt.split(":")[0]

    def _name(self, topic, level, rng):
        return f"{topic}:{level}:{rng.integers(1, self.variants + 1)}"


def level(prompt):
    return int(prompt.split(":")[1])
