"""Rounds and solvers for the tests of online methods."""

from typing import Any

import numpy as np
import torch

from agents.policies.table import TablePolicy
from agents.solvers import PolicySolver
from eva_env.types import Proposal, Round

REWARDS = np.array([[0.0, 1.0, 0.3], [0.9, 0.1, 0.5]])


def table_solver(method, logits=((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))) -> Any:
    return PolicySolver(TablePolicy(np.array(logits)), method)


def round_of(prompts, responses, rewards, operators=()):
    proposal = Proposal(prompts, np.zeros(len(prompts)), operators=operators)
    rewards = np.asarray(rewards, dtype=np.float64)
    return Round(0, proposal, prompts, responses, rewards, rewards.max(1), {})


def play_round(solver, batch, n, rng):
    prompts = rng.integers(2, size=batch)
    responses = solver.respond(prompts, n, rng)
    return round_of(prompts, responses, REWARDS[prompts[:, None], responses])


def advantages_of(method, rewards, kl=None, solver=None, **round):
    rewards = torch.tensor(rewards, dtype=torch.float64)
    kl = torch.zeros_like(rewards) if kl is None else torch.tensor(kl, dtype=torch.float64)
    prompts = np.arange(len(rewards)) % 2
    played = round_of(prompts, np.zeros(rewards.shape, int), rewards.numpy(), **round)
    return method.advantages(rewards, kl, played, solver or table_solver(method))


def distance_to_gibbs(method, rounds, late, seed=0):
    """Largest error of the mean policy of the ``late`` last rounds, beta being 0.5."""
    optimum = np.exp(REWARDS / 0.5) / np.exp(REWARDS / 0.5).sum(1, keepdims=True)
    solver, rng, seen = table_solver(method), np.random.default_rng(seed), []
    for _ in range(rounds):
        solver.learn(play_round(solver, 256, 6, rng), rng)
        seen.append(solver.policy.probabilities())
    return np.abs(np.mean(seen[-late:], axis=0) - optimum).max()
