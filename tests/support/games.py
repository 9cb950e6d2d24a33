"""Ids, modules and a tiny text task that the tests of several environments share."""

from dataclasses import dataclass, field

import numpy as np

from eva_env import tabular_v0, text_v0

FAMILIES = {"tabular": tabular_v0, "text": text_v0}
GAMES = {"eva/Tabular-v0": tabular_v0, "eva/Text-v0": text_v0}
TABULAR_SINGLE_AGENT = ["eva/TabularCreator-v0", "eva/TabularSolver-v0"]
TEXT_SINGLE_AGENT = ["eva/TextCreator-v0", "eva/TextSolver-v0"]
SINGLE_AGENT = TABULAR_SINGLE_AGENT + TEXT_SINGLE_AGENT


@dataclass(frozen=True)
class Sums:
    """Prompts are sums like "3+4"; the operator "grow" doubles the first number."""

    operators: tuple[str, ...] = ("grow",)
    suites: dict = field(default_factory=lambda: {"hard": ("99+99",)})

    def seed(self, n, rng, distribution="human"):
        return [f"{a}+{b}" for a, b in rng.integers(1, 10, (n, 2))]

    def mutate(self, prompt, operator, rng):
        if operator != "grow":
            raise ValueError(f"unknown operator {operator!r}; known: grow")
        a, b = prompt.split("+")
        child = f"{2 * int(a)}+{b}"
        return child if self.valid(child) else None

    def valid(self, prompt):
        parts = prompt.split("+")
        numbers = len(parts) == 2 and all(p.isascii() and p.isdigit() for p in parts)
        return numbers and len(prompt) <= 6 and prompt != "99+99"

    def topic(self, prompt):
        return "odd" if int(prompt.split("+")[0]) % 2 else "even"


class Close:
    """Rewards a sum by 1 / (1 + its error), and anything else by 0."""

    def __call__(self, prompts, responses):
        return np.array(
            [
                [self._reward(prompt, response) for response in row]
                for prompt, row in zip(prompts, responses, strict=True)
            ]
        )

    def best(self, prompts):
        return np.ones(len(prompts))

    def _reward(self, prompt, response):
        if not (response.isascii() and response.isdigit()):
            return 0.0
        return 1 / (1 + abs(sum(map(int, prompt.split("+"))) - int(response)))


def sampled_actions(env, seed=0):
    """Return a function that samples legal actions by agent, reproducibly for a seed."""
    spaces = {agent: env.action_space(agent) for agent in env.possible_agents}
    for i, space in enumerate(spaces.values()):
        space.seed(seed + i)
    return lambda agent: spaces[agent].sample()


def plain(value):
    """Return observations, infos and the like as nested lists, for exact comparison."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [plain(entry) for entry in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
