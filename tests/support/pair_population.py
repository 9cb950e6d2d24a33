"""The fixed point of a method on pairs, on one prompt and in exact expectation.

M responses of reward r, reference pi_ref, and shares w (M, M) of the pairs shown, symmetric
and positive off the diagonal; labels follow Bradley and Terry: a is chosen over b with
probability p_ab = sigmoid(r_a - r_b). The objective is the sum of w_ab p_ab loss(a chosen, b
rejected) over ordered pairs, of a ``TablePolicy`` and the method's loss. With g_a its
derivative by log pi_a, the derivative by the logit of c is g_c - pi_c sum_a g_a: a policy is at
rest where g = pi sum g. In the tests m_ab is log pi_a - log pi_b, minus that of the reference
if there is one, W_a = sum_b w_ab p_ab the mass of pairs that a wins, and nu_a = sum_b w_ab of
those that it is in.
"""

import numpy as np
import torch
from scipy.optimize import root
from scipy.special import expit, softmax

from agents.losses.pairs import Pairs
from agents.policies.table import TablePolicy
from agents.solvers import ReferenceBased
from agents.solvers.optimise import OptimizerSettings, optimise

M = 5
RNG = np.random.default_rng(1)
R, REFERENCE = RNG.normal(size=M), softmax(RNG.normal(size=M))
SHARES = RNG.random((M, M)) + 0.1
SHARES = (SHARES + SHARES.T) * (1 - np.eye(M))
SHARES /= SHARES.sum()
P = expit(R[:, None] - R)
WON, SHOWN = (SHARES * P).sum(1), SHARES.sum(1)
WINS = P @ REFERENCE


class Population:
    """The objective of a method on one prompt; its items are all ordered pairs."""

    def __init__(self, method, reference=REFERENCE, shares=SHARES, chance=P, wins=WINS):
        self.method = method
        reference_based = isinstance(method, ReferenceBased)
        self.policy = TablePolicy(
            np.log(reference)[None] if reference_based else np.zeros((1, len(shares)))
        )
        self.start = (
            torch.from_numpy(np.log(reference)) if reference_based else torch.zeros(len(shares))
        )
        self.better, self.worse = np.nonzero(shares)
        self.weights = torch.from_numpy((shares * chance)[self.better, self.worse])
        self.wins = torch.from_numpy(wins)

    def pairs(self):
        def columns(y):
            return (
                self.policy.logprobs(np.zeros_like(y), y),
                self.start.double()[y],
                self.wins[y],
            )

        (c, rc, wc), (r, rr, wr) = columns(self.better), columns(self.worse)
        return Pairs(c, r, rc, rr, chosen_wins=wc, rejected_wins=wr)

    def loss(self):
        return (self.weights * self.method.loss(self.pairs())).sum()

    def settle(self):
        """The policy (M,) after LBFGS on the table's parameters."""
        descent = torch.optim.LBFGS(
            self.policy.parameters(),
            max_iter=500,
            tolerance_grad=1e-13,
            tolerance_change=1e-16,
            line_search_fn="strong_wolfe",
        )

        def closure():
            descent.zero_grad()
            loss = self.loss()
            loss.backward()
            return loss

        descent.step(closure)
        return self.policy.probabilities()[0]

    def train(self, steps=400, lr=0.05):
        """The policy (M,) after the update loop of all methods, which needs no smooth loss."""

        def loss(items):
            return self.loss()[None], {}

        training = OptimizerSettings(lr=lr, epochs=steps, schedule="linear", max_grad_norm=1e9)
        optimise(self.policy, loss, np.ones(1, int), training, np.random.default_rng(0))
        return self.policy.probabilities()[0]

    def slope(self, policy):
        """Gradient by the logits at a policy (M,)."""
        with torch.no_grad():
            start = self.policy.reference_logits.log_softmax(-1)
            self.policy.theta.copy_(torch.from_numpy(np.log(policy))[None] - start)
        return torch.autograd.grad(self.loss(), self.policy.theta)[0][0].numpy()


def gibbs(exponent, reference=REFERENCE):
    return softmax(np.log(reference) + exponent)


def margins(pi, reference=None):
    ratio = np.log(pi) - (0 if reference is None else np.log(reference))
    return ratio[:, None] - ratio


def resting(g):
    """The policy where g, the derivative by log pi, is pi times its sum; by scipy's root."""

    def equations(logits):
        pi = softmax(logits)
        slope = g(pi)
        return slope - pi * slope.sum() + logits.mean() / M

    solution = root(equations, np.zeros(M), tol=1e-12)
    assert solution.success
    return softmax(solution.x)


def check(method, expected, tolerance=1e-6, **population):
    population = Population(method, **population)
    assert np.abs(population.slope(REFERENCE)).max() > 1e-4
    np.testing.assert_allclose(population.slope(expected), 0, atol=1e-8)
    np.testing.assert_allclose(population.settle(), expected, atol=tolerance)


def settled_for_two(method, p, settle="settle"):
    """Return a method's fixed point on two responses; the first wins with probability p."""
    shares, chance = np.array([[0.0, 0.5], [0.5, 0.0]]), np.array([[0.5, p], [1 - p, 0.5]])
    half = np.full(2, 0.5)
    return getattr(Population(method, half, shares, chance, half), settle)()
