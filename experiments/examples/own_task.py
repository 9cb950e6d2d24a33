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
    sums = np.array([[sum(map(int, prompt.split(" + ")))] for prompt in prompts])
    lengths = np.array([[len(response) for response in row] for row in responses])
    return np.minimum(sums, lengths) / np.maximum(sums, lengths)


@dataclass(frozen=True)
class Sums(World):
    @property
    def suites(self):
        return {"hard": [f"{a} + {a}" for a in range(1, 13)]}

    def seed(self, n, rng, distribution="human"):
        pairs = rng.integers(1, 13, size=(n, 2))
        return [f"{a} + {a + step}" for a, step in pairs]  # never a + a, as in the suite

    def gold_reward(self):
        return closeness

    def starting_policy(self):
        return CausalLM.untrained("0123456789+ ")
