"""A creator of your own: human prompts, and long ones more often.

Use it with:

    eva train creator:experiments/examples/own_creator.py:LongestFirst --creator.strength 0.2
    eva compare --creators fresh experiments/examples/own_creator.py:LongestFirst
"""

from dataclasses import dataclass

import numpy as np

from agents.base import Creator
from eva_env.types import Proposal, Task


@dataclass
class LongestFirst(Creator):
    """Publish human prompts; the logit of a prompt grows with its length."""

    strength: float = 0.1
    """Logit per character, in nats."""

    def propose(self, task: Task, n: int, rng: np.random.Generator) -> Proposal:
        """Return n human prompts with logits (n,)."""
        prompts = task.seed(n, rng)
        return Proposal(prompts, self.strength * np.array([len(str(p)) for p in prompts]))
