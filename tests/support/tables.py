"""Random policies and rewards for the tests of exact values."""

import numpy as np

from eva_env.distributions import softmax


def random_rows(seed, prompts=5, responses=6, ties=False):
    rng = np.random.default_rng(seed)
    policy, reference = softmax(rng.normal(size=(2, prompts, responses)) * 2)
    rewards = rng.normal(size=(prompts, responses))
    if ties:
        rewards = np.round(rewards)
    return policy, reference, rewards
