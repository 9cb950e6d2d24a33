"""A world of your own with its reward model: answer "3 + 4" with seven characters.

Use it with:

    eva train task:experiments/examples/own_task.py:Sums creator:fresh solver:rloo
    eva compare task:experiments/examples/own_task.py:Sums --creators fresh static
"""

from dataclasses import dataclass

import numpy as np

from agents.policies.causal_lm import CausalLM
from eva_env.world import World


def closeness(prompts, responses):
    sums = [[sum(map(int, prompt.split(" + ")))] for prompt in prompts]
    return 1 / (1 + np.abs(np.subtract(sums, [[len(r) for r in row] for row in responses])))


@dataclass(frozen=True)
class Sums(World):
    @property
    def suites(self):
        return {"hard": ("9 + 1", "9 + 5", "2 + 9", "9 + 9")}

    def seed(self, n, rng, distribution="human"):
        highest = 4 if distribution == "human" else 8  # 9 is for the suite alone
        return [f"{a} + {b}" for a, b in rng.integers(1, highest + 1, size=(n, 2))]

    def gold_reward(self):
        return closeness

    def starting_policy(self):
        return CausalLM.untrained("0123456789+ ")
