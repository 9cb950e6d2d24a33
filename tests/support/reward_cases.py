"""A matrix, a world and some texts that the tests of reward models share."""

import numpy as np

from eva_env.tabular.reward import TabularReward
from eva_env.tabular.world import TabularWorld
from eva_env.types import CREATOR, SOLVER, Proposal, Round
from eva_env.wordlist import Wordlist

WORLD = TabularWorld(topics=2, levels=2, variants=2, responses=6, hackable=1)
TABLE = TabularReward(np.array([[0.0, 1.0, 0.25], [0.5, 0.0, 0.75]]))
PROMPTS = Wordlist().seed(4, np.random.default_rng(0))
WORDS = [["cat dog", "wolf", "dog cat wolf"], ["axe", "saw axe", ""]] * 2
IDS = np.arange(24).reshape(4, 6) % 6


def played(prompts, responses, index=0):
    rewards = np.zeros(np.shape(responses))
    proposal = Proposal(prompts, np.zeros(len(prompts)))
    payoffs = {CREATOR: 0.0, SOLVER: 0.0}
    return Round(index, proposal, prompts, responses, rewards, rewards[:, 0], payoffs)
