"""Sizes of small regret games, random pairs of strategies, and briefly trained tables."""

import numpy as np

from agents.solvers import PolicySolver
from eva_env.distributions import softmax
from eva_env.types import Proposal, Round
from experiments.run.setup import load_policy

SIZES = dict(topics=3, levels=4, variants=3, responses=8)


def some_pair(game, seed):
    """Draw a random mu over the game's prompts and a random policy of its class."""
    rng = np.random.default_rng(seed)
    creator = np.zeros(len(game.rewards))
    creator[game.prompts] = rng.dirichlet(np.ones(len(game.prompts)))
    policies = softmax(
        2 * rng.normal(size=(game.information_set.max() + 1, game.rewards.shape[1]))
    )
    return creator, policies[game.information_set]


def train(world, method, rounds=3):
    """Return the table of a solver after a few rounds on all trainable prompts."""
    solver, rng = PolicySolver(load_policy(world), method), np.random.default_rng(0)
    for _ in range(rounds):
        prompts = np.repeat(world.trainable, 4)
        responses = solver.respond(prompts, 4, rng)
        rewards = world.gold[prompts[:, None], responses]
        proposal = Proposal(prompts, np.zeros(len(prompts)))
        solver.learn(Round(0, proposal, prompts, responses, rewards, rewards.max(1), {}), rng)
    return solver.policy.probabilities()
