"""Fixed points of methods on samples: the zero of their population gradient.

It vanishes at the closed form, and descending it from the reference leads there.
"""

import math

import pytest
import torch
from scipy.optimize import root_scalar

from agents.solvers import DAPO, GRPO, GSPO, PPO, RAE, REINFORCE, RLOO, DrGRPO
from tests.support.population import BETA, GIBBS, REFERENCE, REWARDS, descend, gradient

PASSING = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)
ROLES = {"roles": {"human": (0.37, 1.0)}}
CRITIC = {"critic": (torch.eye(2).double() * 3, torch.tensor([0.7, 1.9]).double())}


@pytest.mark.parametrize(
    ("method", "memory"),
    [
        (RLOO(beta=BETA), {}),
        (REINFORCE(beta=BETA, baseline="none"), {}),
        (RAE(beta=BETA), ROLES),
        (RAE(beta=BETA, scale=True), ROLES),
        (PPO(beta=BETA, whiten=False), {}),
        (PPO(beta=BETA, whiten=False), CRITIC),
    ],
)
def test_a_penalty_in_the_reward_leads_to_the_gibbs_policy(method, memory):
    """pi ~ reference exp(r / beta), for any baseline independent of the samples."""
    assert gradient(method, GIBBS, memory=memory).abs().max() < 1e-12
    settled = descend(lambda policy: gradient(method, policy, memory=memory))
    assert (settled - GIBBS).abs().max() < 1e-4
    assert (REFERENCE.exp() - GIBBS).abs().max() > 0.1


def test_a_baseline_moves_no_gradient_and_ppo_without_a_critic_is_reinforce():
    """T10: by enumeration of all samples, RLOO's and the others' ascent is pi (R - V)."""
    policy = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    plain = gradient(REINFORCE(beta=BETA, baseline="none"), policy)
    without = PPO(beta=BETA, whiten=False)
    assert torch.equal(gradient(without, policy), plain)
    assert torch.allclose(gradient(without, policy, memory=CRITIC), plain, atol=1e-14)
    assert torch.allclose(gradient(RAE(beta=BETA), policy, memory=ROLES), plain, atol=1e-14)
    assert torch.allclose(gradient(RLOO(beta=BETA), policy), plain, atol=1e-14)
    value = (policy * (REWARDS - BETA * (policy.log() - REFERENCE))).sum()
    exact = policy * (REWARDS - BETA * (policy.log() - REFERENCE) - value)
    assert torch.allclose(-plain, exact, atol=1e-14)


def coefficient(n, p):
    """c_n(p) = E sqrt(k (n - k)) / n with k ~ Binomial(n, p)."""
    chances = (math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1))
    return sum(chance * math.sqrt(k * (n - k)) / n for k, chance in enumerate(chances))


@pytest.mark.parametrize("n", [2, 4])
def test_grpo_on_binary_rewards(n):
    """p = p_reference + c_n(p) / beta; passing responses keep their proportions."""
    beta = 1.5
    method = GRPO(beta=beta, eps=0.0)
    start = REFERENCE.exp() @ PASSING
    p = root_scalar(
        lambda p: p - start.item() - coefficient(n, p) / beta, bracket=(0.3, 1 - 1e-12)
    ).root
    fixed = REFERENCE.exp() * torch.where(PASSING > 0, p / start, (1 - p) / (1 - start))
    assert gradient(method, fixed, PASSING, n).abs().max() < 1e-12
    settled = descend(lambda policy: gradient(method, policy, PASSING, n), steps=80, rate=1.0)
    assert (settled - fixed).abs().max() < 1e-4
    gibbs = (REFERENCE + PASSING / beta).softmax(0)
    assert (fixed - gibbs).abs().max() > 0.01


@pytest.mark.parametrize("rewards", [REWARDS, PASSING])
def test_dr_grpo_with_a_penalty(rewards):
    """pi = reference / (1 - (n - 1) / n (r - V) / beta), V being the policy's value."""
    n, beta = 3, 1.5
    method = DrGRPO(beta=beta, length=1.0)

    def policy(value):
        return REFERENCE.exp() / (1 - (n - 1) / n * (rewards - value) / beta)

    start = (REFERENCE.exp() @ rewards).item()
    value = root_scalar(lambda v: policy(v).sum().item() - 1, bracket=(start, 1)).root
    fixed = policy(value)
    assert (fixed @ rewards).item() == pytest.approx(value)
    assert gradient(method, fixed, rewards, n).abs().max() < 1e-12
    settled = descend(lambda policy: gradient(method, policy, rewards, n), steps=80, rate=1.0)
    assert (settled - fixed).abs().max() < 1e-4


@pytest.mark.parametrize("method", [DAPO(), GSPO(), DrGRPO(length=1.0), GRPO(beta=0.0)])
def test_without_a_penalty_all_mass_goes_to_the_best_response(method):
    settled = descend(lambda policy: gradient(method, policy, n=3), steps=60, rate=20.0)
    assert settled[1] > 0.99
