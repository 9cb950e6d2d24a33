"""A world of prompt files that has a reward of its own, for tests."""

from dataclasses import dataclass

from eva_env.prompt_files import Prompts
from experiments.examples.own_reward import concise


@dataclass(frozen=True)
class Scored(Prompts):
    def gold_reward(self):
        return concise
