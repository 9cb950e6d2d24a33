"""Population gradients of online methods, by enumeration, on a table of one prompt.

The gradient of a method's loss is averaged over all draws of n responses, of one token
each, with their exact probabilities.
"""

import itertools

import numpy as np
import torch

from agents.losses.samples import Samples
from agents.policies.table import TablePolicy
from agents.solvers import NashMD, PolicySolver
from eva_env.types import Proposal, Round

REFERENCE = torch.tensor([0.2, -0.6, 0.7], dtype=torch.float64).log_softmax(0)
REWARDS = torch.tensor([0.1, 0.9, 0.4], dtype=torch.float64)
BETA = 0.5
GIBBS = (REFERENCE + REWARDS / BETA).softmax(0)


def solver_of(method, **memory):
    solver = PolicySolver(TablePolicy(REFERENCE[None].numpy()), method)
    solver.memory |= memory
    return solver


def gradient(method, policy, rewards=REWARDS, n=2, memory=None):
    """Population gradient of the loss in the logits of a policy (M,)."""
    solver = solver_of(method, **(memory or {}))
    logits = policy.log().requires_grad_()
    logprobs = logits.log_softmax(0)
    chances = [policy] * n
    if isinstance(method, NashMD):  # n - n // 2 responses are the policy's
        mixed = (1 - method.mixture) * policy.log() + method.mixture * REFERENCE
        chances[n - n // 2 :] = [mixed.softmax(0)] * (n // 2)
    draws = torch.tensor(list(itertools.product(range(len(rewards)), repeat=n)))
    probability = torch.stack([chances[i][draws[:, i]] for i in range(n)]).prod(0)
    proposal, nothing = Proposal([0], np.zeros(1)), np.zeros(0)
    round = Round(0, proposal, [0] * len(draws), draws.numpy(), nothing, nothing, {})
    kl = (policy.log() - REFERENCE)[draws]
    advantages = method.advantages(rewards[draws], kl, round, solver)
    now, start = logprobs[draws].view(-1, 1), REFERENCE[draws].view(-1, 1)
    samples = Samples(now, now.detach(), start, torch.ones_like(now), advantages.flatten())
    values = method.loss(samples).view(draws.shape).mean(1)
    return torch.autograd.grad(probability @ values, logits)[0]


def descend(slope, steps=150, rate=2.0):
    """Return the policy after descending the population gradient from the reference."""
    logits = REFERENCE.clone()
    for _ in range(steps):
        logits = logits - rate * slope(logits.softmax(0))
    return logits.softmax(0)
