"""Losses on samples and their advantages: hand-worked numbers, gradients, expectations.

Against TRL: ``test_online_goldens``; fixed points: ``test_fixed_points_online``.
"""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.losses import samples as losses
from agents.losses.advantages import centred, preferred, standardised
from agents.losses.samples import Samples


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def test_advantages_by_hand():
    rewards = double([[1.0, 2.0, 6.0], [0.5, 0.5, 0.5]])
    assert centred(rewards).tolist() == [[-2.0, -1.0, 3.0], [0.0, 0.0, 0.0]]
    # Population variance (4 + 1 + 9) / 3, sample variance 14 / 2.
    deviation = math.sqrt(14 / 3)
    assert standardised(rewards, 0, 0.0)[0].tolist() == pytest.approx(
        [-2 / deviation, -1 / deviation, 3 / deviation]
    )
    assert standardised(rewards, 1, 0.5)[0, 2].item() == pytest.approx(3 / (math.sqrt(7) + 0.5))
    assert standardised(rewards, 0, 0.0)[1].tolist() == [0, 0, 0]
    tenths = double([[0.1] * 6])  # their mean isn't 0.1 in floating point
    assert standardised(tenths, 0, 0.0).tolist() == [[0.0] * 6]
    won = preferred(double([[0.0, math.log(3)]]), double([[0.0]]))
    assert won[0].tolist() == pytest.approx([0.0, 0.25])
    mean = preferred(double([[0.0]]), double([[0.0, -math.log(3)]]))
    assert mean.item() == pytest.approx(0.125)


def coefficient(n, p):
    """E of GRPO's advantage times a response's score: closed form for binary rewards."""
    return sum(
        math.comb(n, k) * p**k * (1 - p) ** (n - k) * math.sqrt(k * (n - k)) / n
        for k in range(n + 1)
    )


def test_grpo_coefficient_of_binary_rewards():
    """T11: the gradient is c_n(p) times that of log pi of a pass minus that of a fail."""
    assert coefficient(6, 0.25) == pytest.approx(0.355583, abs=5e-7)
    assert coefficient(6, 0.5) == pytest.approx(0.447098, abs=5e-7)
    for n, p in ((6, 0.25), (6, 0.5), (2, 0.3), (3, 0.8)):
        logits = double([math.log(p), math.log(1 - p)]).requires_grad_()
        draws = torch.tensor(list(itertools.product((0, 1), repeat=n)))
        logprobs = logits.log_softmax(0)[draws]
        advantages = standardised((draws == 0).double(), 0, 0.0)
        column = logprobs.view(-1, 1)
        same = column.detach()
        flat = Samples(column, same, same, torch.ones_like(column), advantages.flatten())
        values = losses.grpo(flat, 0.2, 0.0).view(-1, n).mean(1)
        (gradient,) = torch.autograd.grad(values @ logprobs.detach().sum(1).exp(), logits)
        # Of the logit of passing, d log pi is 1 - p for a pass and -p for a fail.
        assert -gradient[0].item() == pytest.approx(coefficient(n, p), abs=1e-12)
        if n == 2:
            assert coefficient(n, p) == pytest.approx(p * (1 - p), abs=1e-12)


def columns(logprobs, reference):
    """A response of one token each, from the policy as it is."""
    now, start = logprobs[:, None], reference[:, None]
    return Samples(now, now.detach(), start, torch.ones_like(now), torch.zeros_like(logprobs))


def test_k3_is_the_kl_on_average_and_its_gradient_that_of_the_other_direction():
    logits = double([0.3, -0.8, 1.1, 0.0]).requires_grad_()
    reference = double([0.1, 0.9, -0.5, 0.2]).log_softmax(0)
    logprobs = logits.log_softmax(0)
    values = losses.k3(columns(logprobs, reference))[:, 0]
    probabilities = logprobs.detach().exp()
    kl = (probabilities * (logprobs - reference)).sum()
    assert (probabilities * values).sum().item() == pytest.approx(kl.item(), abs=1e-12)
    (actual,) = torch.autograd.grad((probabilities * values).sum(), logits, retain_graph=True)
    forward = -(reference.exp() * logprobs).sum()  # KL(reference || policy) and a constant
    (expected,) = torch.autograd.grad(forward, logits)
    assert torch.allclose(actual, expected, atol=1e-12)


@given(st.lists(st.floats(-5, 0), min_size=1, max_size=5), st.floats(-3, 3))
def test_k3_is_never_negative_and_zero_for_one_policy(logprobs, shift):
    now = double(logprobs)
    assert (losses.k3(columns(now, now + shift)) >= -1e-15).all()
    assert torch.equal(losses.k3(columns(now, now)), torch.zeros(len(now), 1).double())


def test_clipping_by_hand():
    """rho 1.5 and 0.5 against bounds 0.8 and 1.28, for advantages 2 and -2."""
    logprobs = double([[math.log(1.5)], [math.log(0.5)]] * 2).requires_grad_()
    zero = torch.zeros_like(logprobs).detach()
    advantages = double([2.0, 2.0, -2.0, -2.0])
    samples = Samples(logprobs, zero, zero, torch.ones_like(zero), advantages)
    value = losses.dapo(samples, 0.2, 0.28, 0.0)
    assert value.tolist() == pytest.approx([-2.56, -1.0, 3.0, 1.6])
    (gradient,) = torch.autograd.grad(value.sum(), logprobs)
    assert gradient.flatten().tolist() == pytest.approx([0.0, -1.0, 3.0, 0.0])
    assert losses.grpo(samples, 0.2, 0.0)[0].item() == pytest.approx(-2.4)


def test_ratios_by_hand():
    logprobs = double([[-1.0, -2.0, 0.0]])
    sampled = double([[-1.5, -2.1, 0.0]])
    mask = double([[1.0, 1.0, 0.0]])
    samples = Samples(logprobs, sampled, sampled, mask, torch.ones(1).double())
    assert losses.response_ratio(samples).item() == pytest.approx(math.exp(0.6))
    assert losses.mean_ratio(samples).item() == pytest.approx(math.exp(0.3))
    assert losses.token_ratio(samples)[0].tolist() == pytest.approx(
        [math.exp(0.5), math.exp(0.1), 1.0]
    )


LOSSES = {
    "ppo": lambda s: losses.ppo(s, 0.2),
    "grpo": lambda s: losses.grpo(s, 0.2, 0.3),
    "dr_grpo": lambda s: losses.dr_grpo(s, 0.2, 0.3, 6.0),
    "dapo": lambda s: losses.dapo(s, 0.2, 0.28, 0.3),
    "gspo": lambda s: losses.gspo(s, 0.1, 0.2, 0.3),
}


def random_samples(seed=0, rows=8):
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 6, (rows, 1), generator=generator)
    mask = (torch.arange(5) < sizes).double()
    now, sampled, reference = (
        -torch.rand(rows, 5, generator=generator, dtype=torch.float64) * mask for _ in range(3)
    )
    advantages = torch.randn(rows, generator=generator, dtype=torch.float64)
    return Samples(now, sampled, reference, mask, advantages)


def changed(samples, change):
    """Return samples with a change made to every field that is by token."""
    return Samples(
        change(samples.logprobs),
        change(samples.sampled),
        change(samples.reference),
        change(samples.mask),
        samples.advantages,
    )


@pytest.mark.parametrize("name", LOSSES)
def test_losses_ignore_padding_and_treat_each_response_alone(name):
    samples = random_samples()
    value = LOSSES[name](samples)
    wide = changed(samples, lambda part: torch.cat([part, torch.zeros(8, 3).double()], 1))
    assert torch.allclose(LOSSES[name](wide), value, atol=1e-14)
    order = torch.tensor([3, 0, 7, 1, 6, 2, 5, 4])
    shuffled = changed(samples, lambda part: part[order])
    shuffled = replace(shuffled, advantages=samples.advantages[order])
    assert torch.allclose(LOSSES[name](shuffled), value[order], atol=1e-14)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_against_finite_differences(name):
    samples = random_samples(seed=1, rows=4)

    def value(now):
        return LOSSES[name](replace(samples, logprobs=now * samples.mask))

    assert torch.autograd.gradcheck(value, samples.logprobs.clone().requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_at_the_policy_that_sampled_each_is_reinforce_over_its_divisor(name):
    samples = random_samples(seed=2)
    now = samples.sampled.clone().requires_grad_()
    same = Samples(now, samples.sampled, samples.sampled, samples.mask, samples.advantages)
    (gradient,) = torch.autograd.grad(LOSSES[name](same).sum(), now)
    tokens = samples.mask.sum(-1)
    divisor = {"grpo": tokens, "gspo": tokens, "dr_grpo": 6.0}.get(name, 1.0)
    expected = -(samples.advantages / divisor)[:, None] * samples.mask
    assert torch.allclose(gradient * samples.mask, expected, atol=1e-12)
