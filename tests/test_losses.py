"""Losses against numbers worked out by hand, gradients and population facts."""

import itertools
import math

import pytest
import torch

from agents.losses.advantages import rloo_advantages
from agents.losses.pairs import Pairs, dpo
from agents.losses.samples import Samples, ppo


def pairs(*rows):
    return Pairs(*(torch.tensor(row, dtype=torch.float64) for row in rows))


def samples(logprobs, sampled, advantages):
    columns = (logprobs[:, None], sampled[:, None], sampled[:, None])
    return Samples(*columns, torch.ones_like(columns[0]), advantages)


def test_dpo_is_log_two_at_zero_margin():
    p = pairs([-3.0, -7.5], [-4.0, -2.0], [-3.5, -7.0], [-4.5, -1.5])
    assert dpo(p, 0.7).tolist() == pytest.approx([math.log(2)] * 2)


def test_dpo_by_hand():
    # Log-ratios 0.5 and -1.5, margin 2, beta 0.25: log(1 + exp(-0.5)).
    p = pairs([-2.0], [-5.0], [-2.5], [-3.5])
    assert p.margin.item() == 2.0
    assert dpo(p, 0.25).item() == pytest.approx(math.log1p(math.exp(-0.5)))


def test_dpo_falls_with_the_margin_and_its_slope_is_minus_beta_sigmoid():
    chosen = torch.tensor([-2.0, -1.0, 0.0], dtype=torch.float64, requires_grad=True)
    rest = [torch.full((3,), v, dtype=torch.float64) for v in (-1.0, -1.0, -1.0)]
    loss = dpo(Pairs(chosen, *rest), 0.3)
    assert loss[0] > loss[1] > loss[2]
    (slope,) = torch.autograd.grad(loss.sum(), chosen)
    margin = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    assert torch.allclose(slope, -0.3 * torch.sigmoid(-0.3 * margin))


def test_dpo_gradient_under_bradley_terry_labels_vanishes_at_the_optimum():
    """T12 of the tabular notes: at pi* ~ pi_ref exp(r / beta), for any pair law."""
    generator = torch.Generator().manual_seed(0)
    beta, m = 0.4, 4
    reference = torch.randn(m, generator=generator, dtype=torch.float64).log_softmax(0)
    rewards = torch.randn(m, generator=generator, dtype=torch.float64)
    law = torch.rand(m, m, generator=generator, dtype=torch.float64)
    logits = (reference + rewards / beta).clone().requires_grad_()
    logprobs = logits.log_softmax(0)
    total = torch.zeros((), dtype=torch.float64)
    for i, j in itertools.combinations(range(m), 2):
        preferred = torch.sigmoid(rewards[i] - rewards[j])
        for win, lose, chance in ((i, j, preferred), (j, i, 1 - preferred)):
            pair = Pairs(logprobs[[win]], logprobs[[lose]], reference[[win]], reference[[lose]])
            total = total + law[i, j] * chance * dpo(pair, beta)[0]
    (gradient,) = torch.autograd.grad(total, logits)
    assert gradient.abs().max() < 1e-12


def test_rloo_advantages_by_hand():
    rewards = torch.tensor([[1.0, 2.0, 6.0]], dtype=torch.float64)
    none = torch.zeros_like(rewards)
    # 1 - (2 + 6) / 2, 2 - (1 + 6) / 2, 6 - (1 + 2) / 2
    assert rloo_advantages(rewards, none, 0.5).tolist() == [[-3.0, -1.5, 4.5]]
    kl = torch.tensor([[0.0, 0.0, 4.0]], dtype=torch.float64)
    # With beta 0.5 the last reward is 6 - 2 = 4.
    assert rloo_advantages(rewards, kl, 0.5)[0].tolist() == pytest.approx([-2.0, -0.5, 2.5])


def test_rloo_expectation_is_the_policy_gradient():
    """T10: by enumeration of all samples (M = 3, n = 3) it is pi (r - V) without a penalty."""
    logits = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    rewards = torch.tensor([0.1, 0.9, 0.4], dtype=torch.float64)
    probabilities = logits.softmax(0)
    expected = torch.zeros(3, dtype=torch.float64)
    for draw in itertools.product(range(3), repeat=3):
        index = torch.tensor(draw)
        logprobs = logits.log_softmax(0)[index]
        advantages = rloo_advantages(rewards[index][None], torch.zeros(1, 3), 0.0)[0]
        loss = ppo(samples(logprobs, logprobs.detach(), advantages), clip=0.2).mean()
        (gradient,) = torch.autograd.grad(loss, logits)
        expected = expected - probabilities[index].prod().detach() * gradient
    p = probabilities.detach()
    assert torch.allclose(expected, p * (rewards - (p * rewards).sum()), atol=1e-12)


def test_rloo_clips_only_where_a_step_has_gone_too_far():
    sampled = torch.zeros(4, dtype=torch.float64)
    logprobs = torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=torch.float64, requires_grad=True)
    advantages = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    loss = ppo(samples(logprobs, sampled, advantages), clip=0.2)
    assert loss.tolist() == pytest.approx([-1.2, math.e, -1 / math.e, 0.8])
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    assert gradient.tolist() == pytest.approx([0.0, math.e, -1 / math.e, 0.0])
