"""A world of short requests without a policy of its own, for runs of tiny language models."""

from dataclasses import dataclass

import numpy as np

from eva_env.world import World

TOPICS = ("sea", "fox", "snow", "film", "forest", "poem")


@dataclass(frozen=True)
class Letters(World):
    """Requests for text; the reward is the share of the letter e."""

    longest: int = 1
    suites = {"hard": ("Describe the first snow.", "Tell a story about a fox.")}

    def seed(self, n, rng, distribution="human"):
        sizes = rng.integers(1, self.longest + 1, size=n)
        return [" ".join(rng.choice(TOPICS, size)) for size in sizes]

    def gold_reward(self):
        return share_of_e


def share_of_e(prompts, responses):
    return np.array([[text.count("e") / (1 + len(text)) for text in row] for row in responses])
