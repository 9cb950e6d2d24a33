"""Losses and advantages of every registered method at the ends of their inputs.

The registry is walked, so a new method is tested without an edit. Inputs are float32 or
bfloat16; the oracle is the same formula in float64 on the same numbers. Log-probabilities of
exactly 0 and ratios too large for float32 are worked out by hand.
"""

import itertools
import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from agents.losses import pairs as pair_losses
from agents.losses import samples as sample_losses
from agents.losses.advantages import centred, preferred, rloo_advantages, standardised
from agents.losses.pairs import Pairs
from agents.losses.robust import worst_case
from agents.losses.samples import Samples
from agents.solvers import AnyMethod, Offline, Online
from agents.solvers.online_pairs import OnlinePairs
from agents.solvers.optimise import OptimizerSettings
from tests.support.online_rounds import round_of, table_solver

METHODS = get_args(AnyMethod)
ON_PAIRS = [method for method in METHODS if issubclass(method, Offline | OnlinePairs)]
ON_SAMPLES = [method for method in METHODS if issubclass(method, Online)]
DTYPES = [torch.float32, torch.bfloat16]
LARGEST = 1e37
"""Numbers above it are taken as too large for float32."""
LOGPROBS = (0.0, -1e-8, -1.0, -700.0, -1e4)
LOG_RATIOS = (0.0, 1e-8, -1e-8, 1.0, -1.0, 50.0, -50.0, 100.0, -100.0, 1e4, -1e4)
TOKENS = 257  # bfloat16 rounds it to 256


def names(parts):
    return [getattr(part, "__name__", str(part)) for part in parts]


def test_every_method_that_learns_has_a_saturated_case():
    learning = {method for method in METHODS if issubclass(method, OptimizerSettings)}
    assert learning == {*ON_PAIRS, *ON_SAMPLES}


def assert_like_the_oracle(actual, expected, rtol=1e-3, atol=2e-6):
    """Compare values or gradients with a float64 oracle where float32 can hold it.

    Elsewhere they are finite and have its sign.
    """
    assert actual.isfinite().all(), f"{int((~actual.isfinite()).sum())} are not finite"
    actual, expected = actual.double(), expected.double()
    fits = expected.abs() < LARGEST
    error = (actual - expected).abs()
    assert (error <= atol + rtol * expected.abs())[fits].all(), error[fits].max()
    assert (actual.sign() == expected.sign())[expected.abs() > 1e-4].all()


# --- pairs


def pair_columns(dtype):
    """Log-probabilities, lengths and win rates of all combinations, and random wins."""
    table = torch.tensor(
        [
            (*logprobs, *lengths)
            for logprobs in itertools.product(LOGPROBS, repeat=4)
            for lengths in ((1.0, 1.0), (TOKENS, 3.0))
        ],
        dtype=torch.float64,
    )
    logprobs = [column.to(dtype) for column in table[:, :4].unbind(1)]
    lengths = [column.float() for column in table[:, 4:].unbind(1)]
    wins = [torch.full_like(lengths[0], 0.9), torch.full_like(lengths[0], 0.2)]
    return [*logprobs, *lengths, *wins]


def loss_of_pairs(method, columns):
    """Return the loss of each pair and its gradient in the two log-probabilities."""
    sides = [column.clone().requires_grad_() for column in columns[:2]]
    pairs = Pairs(*sides, *columns[2:])
    if issubclass(method, OnlinePairs):
        loss = method().loss(pairs, torch.arange(len(sides[0])) % 2 == 0)
    else:
        loss = method().loss(pairs)
    return loss, torch.stack(torch.autograd.grad(loss.sum(), sides))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("method", ON_PAIRS, ids=names(ON_PAIRS))
def test_losses_on_pairs(method, dtype):
    columns = pair_columns(dtype)
    loss, gradient = loss_of_pairs(method, columns)
    expected, slopes = loss_of_pairs(method, [column.double() for column in columns])
    # At a log-probability of 0 the odds are infinite: only sign and finiteness are tested.
    at_zero = (columns[0] == 0) | (columns[1] == 0)
    if method.__name__ == "ORPO":
        assert loss[at_zero].isfinite().all()
        assert gradient[:, at_zero].isfinite().all()
        signs = gradient[:, at_zero].sign() * slopes[:, at_zero].sign()
        assert (signs >= 0).all()
        loss, expected = loss[~at_zero], expected[~at_zero]
        gradient, slopes = gradient[:, ~at_zero], slopes[:, ~at_zero]
    assert_like_the_oracle(loss, expected)
    # The gradient of a bfloat16 input is a bfloat16 number.
    assert_like_the_oracle(gradient, slopes, 0.01 if dtype == torch.bfloat16 else 1e-3)


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float64], ids=str)
def test_orpo_where_a_response_is_certain(dtype):
    """The limits for p -> 1, with q the other response's probability.

    Chosen: loss 0, slope -1 - weight * odds(q). Rejected: the loss rises without bound, so that
    its slope is large and positive.
    """

    def slopes(chosen, rejected):
        sides = [torch.tensor([v], dtype=dtype, requires_grad=True) for v in (chosen, rejected)]
        loss = pair_losses.orpo(Pairs(*sides), 0.5)
        return loss.item(), *(g.item() for g in torch.autograd.grad(loss, sides))

    half = math.log(0.5)
    loss, chosen, rejected = slopes(0.0, half)
    assert loss == pytest.approx(0, abs=1e-6)
    assert chosen == pytest.approx(-1 - 0.5 * 1.0, rel=0.01)
    assert rejected == pytest.approx(0, abs=1e-6)
    loss, chosen, rejected = slopes(half, 0.0)
    assert 10 < loss < 100
    assert chosen == pytest.approx(-1 - 0.5 * 2.0, rel=0.01)
    assert rejected > 1e3
    loss, chosen, rejected = slopes(-1e-8, -1e-8)
    rounded = 1e-8 if dtype != torch.bfloat16 else torch.tensor(1e-8, dtype=dtype).item()
    assert loss == pytest.approx(0.5 * math.log(2), rel=1e-4)
    assert rejected == pytest.approx(0.25 / rounded, rel=0.01)
    assert -chosen == pytest.approx(1 + 0.25 / rounded, rel=0.01)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", [1, 2, 7])
def test_worst_case_weights_of_saturated_gaps(dtype, count):
    gaps = torch.tensor([-1e4, 1e4, 0.0, 100.0, -100.0, 50.0, -50.0][:count], dtype=dtype)
    for radius in (1e-3, 0.01, 1e6):
        weights = worst_case(gaps, radius)
        assert weights.isfinite().all()
        assert (weights >= 0).all()
        assert weights.double().mean().item() == pytest.approx(1, rel=1e-3)
        assert weights.argmax() == gaps.argmin()


# --- samples


def sample_columns(dtype):
    """Responses of 1 and of 257 tokens, whose log-ratios are spread over their tokens."""
    rows = [
        (ratio, to_reference, advantage, tokens)
        for ratio in LOG_RATIOS
        for to_reference in LOG_RATIOS[::2]
        for advantage in (-1.0, 0.0, 1.0)
        for tokens in (1, TOKENS)
    ]
    rows += [(r, 0.0, a, 1) for r in (0.0, 0.1, -0.1) for a in (-1e30, 1e30)]
    table = torch.tensor(rows, dtype=torch.float64)
    ratio, to_reference, advantage, tokens = table.unbind(1)
    mask = (torch.arange(TOKENS) < tokens[:, None]).double()
    sampled = -0.5 * mask
    now = sampled + (ratio / tokens)[:, None] * mask
    reference = now + (to_reference / tokens)[:, None] * mask
    return [part.to(dtype) for part in (now, sampled, reference, mask)], advantage.float()


def loss_of_samples(method, columns, advantages):
    """Return the loss of each response and its gradient in the tokens' log-probabilities."""
    now = columns[0].clone().requires_grad_()
    samples = Samples(now, *columns[1:], advantages)
    settings = method(beta=0.5) if method.kl_in_loss else method()
    loss = settings.loss(samples)
    (gradient,) = torch.autograd.grad(loss.sum(), now)
    return loss, gradient


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("method", ON_SAMPLES, ids=names(ON_SAMPLES))
def test_losses_on_samples(method, dtype):
    columns, advantages = sample_columns(dtype)
    loss, gradient = loss_of_samples(method, columns, advantages)
    columns = [column.double() for column in columns]
    expected, slopes = loss_of_samples(method, columns, advantages.double())
    # Beyond 1e26 the ratio is continued by its tangent.
    fits = (expected.abs() < 1e26) | (advantages.abs() > 1)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()
    assert_like_the_oracle(loss[fits], expected[fits])
    rtol = 0.01 if dtype == torch.bfloat16 else 1e-3
    assert_like_the_oracle(gradient[fits], slopes[fits], rtol)
    assert (gradient.sign() == slopes.sign())[slopes.abs() > 1e-4].all()
    assert (loss[~fits] > 1e20).all()
    assert (~fits).sum() >= 12


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("log_ratio", [89.0, 100.0, 1e4])
def test_clipped_losses_by_hand_where_the_ratio_overflows(log_ratio, dtype):
    """Above the upper bound: -(1 + clip) and no slope for A = 1; for A = -1 the slope is up."""
    now = torch.full((2, 1), log_ratio, dtype=dtype, requires_grad=True)
    same = torch.zeros(2, 1, dtype=dtype)
    samples = Samples(now, same, now.detach(), same + 1, torch.tensor([1.0, -1.0]))
    for loss in (
        sample_losses.ppo(samples, 0.2),
        sample_losses.grpo(samples, 0.2, 0.5),
        sample_losses.dr_grpo(samples, 0.2, 0.0, 1.0),
        sample_losses.dapo(samples, 0.2, 0.2, 0.0),
        sample_losses.gspo(samples, 0.1, 0.2, 0.5),
    ):
        assert loss[0].item() == pytest.approx(-1.2)
        (slope,) = torch.autograd.grad(loss.sum(), now)
        assert slope[0].item() == 0
        assert 1e20 < slope[1].item() < math.inf
        assert loss[1].item() < math.inf


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_k3_by_hand_where_it_is_large(dtype):
    """q - log q - 1 of log q = 48, and its slope 1 - q; above float32 both stay finite."""
    now = torch.tensor([[-48.0], [-100.0], [-1e4], [1e4]], dtype=dtype, requires_grad=True)
    zero = torch.zeros(4, 1, dtype=dtype)
    values = sample_losses.k3(Samples(now, zero, zero, zero + 1, torch.zeros(4)))
    (slope,) = torch.autograd.grad(values.sum(), now)
    assert values[0].item() == pytest.approx(math.exp(48) - 49, rel=1e-5)
    assert slope[0].item() == pytest.approx(1 - math.exp(48), rel=0.01)
    assert values.isfinite().all()
    assert slope.isfinite().all()
    assert values[0] < values[1] < values[2]
    assert (slope[:3] < -1e20).all()
    assert values[3].item() == pytest.approx(1e4 - 1, rel=0.01)
    assert slope[3].item() == pytest.approx(1)


def test_a_mean_over_257_tokens_divides_by_257_in_bfloat16():
    mask = torch.ones(1, TOKENS, dtype=torch.bfloat16)
    samples = Samples(0 * mask, 0 * mask, 0 * mask, mask, torch.ones(1))
    assert sample_losses.grpo(samples, 0.2, 0.0).item() == pytest.approx(-1, rel=1e-6)
    now = torch.zeros(1, TOKENS, dtype=torch.bfloat16)
    now[0, 0] = 1.0
    ratio = sample_losses.mean_ratio(Samples(now, 0 * mask, 0 * mask, mask, torch.ones(1)))
    assert ratio.item() == pytest.approx(math.exp(1 / 257), rel=1e-6)
    chosen = torch.tensor([-257.0], dtype=torch.float32)
    pairs = Pairs(chosen, chosen, chosen_lengths=torch.tensor([257]))
    assert pairs.chosen_mean.item() == pytest.approx(-1, rel=1e-6)


def test_a_response_without_tokens_has_ratio_1():
    none = torch.zeros(1, 3)
    samples = Samples(none, none, none, none, torch.ones(1))
    assert sample_losses.mean_ratio(samples).item() == 1
    for method in ON_SAMPLES:
        assert method().loss(samples).isfinite().all()


# --- advantages

REWARDS = (0.1, 0.3, 1 / 3, 1e-30, -1e30, 1e30, 0.0)
"""Values whose mean of several is not always the value itself."""


def advantages_of(method, rewards, rounds=3):
    """Return the advantages of the last of several equal rounds; kl is 0."""
    settings = method(scale=True) if method.__name__ == "RAE" else method()
    solver, prompts = table_solver(settings), np.arange(len(rewards)) % 2
    for _ in range(rounds):
        played = round_of(prompts, np.zeros(rewards.shape, int), rewards.double().numpy())
        advantages = settings.advantages(rewards, torch.zeros_like(rewards), played, solver)
    return advantages


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("value", REWARDS)
@pytest.mark.parametrize("method", ON_SAMPLES, ids=names(ON_SAMPLES))
def test_equal_rewards_have_an_advantage_of_exactly_0(method, value, count):
    rewards = torch.full((3, count), value, dtype=torch.float64)
    rounds = 1 if method.__name__ == "PPO" else 3  # its critic learns the prompts
    advantages = advantages_of(method, rewards, rounds)
    assert advantages.shape == rewards.shape
    assert (advantages == 0).all()


@pytest.mark.parametrize("method", ON_SAMPLES, ids=names(ON_SAMPLES))
def test_advantages_of_huge_rewards_are_those_of_their_pattern(method):
    """1e30 and 3e30 are ranked as 1 and 3 are; no advantage overflows."""
    small = torch.tensor([[1.0, 3.0, 1.0, 2.0], [3.0, 1.0, 2.0, 2.0]], dtype=torch.float64)
    advantages = advantages_of(method, small * 1e30, rounds=1)
    assert advantages.isfinite().all()
    assert advantages.float().isfinite().all()
    assert torch.equal(advantages.sign(), advantages_of(method, small, rounds=1).sign())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_advantage_functions_in_low_precision(count, dtype):
    for value in REWARDS:
        equal = torch.full((2, count), value, dtype=dtype)
        zero = torch.zeros_like(equal)
        for advantages in (
            centred(equal),
            standardised(equal, 0, 0.0),
            standardised(equal, 1, 1e-4),
            rloo_advantages(equal, zero, 0.1),
            preferred(equal, equal),
            preferred(equal, equal[:, :0]),
        ):
            assert (advantages == 0).all()
            assert advantages.dtype != torch.bfloat16


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_standardised_huge_and_long_rows_against_numpy(dtype):
    rewards = torch.tensor([[1e30, 2e30, 4e30], [-1e30, 0.0, 1e30], [0.0, 0.0, 1e-20]]).to(
        dtype
    )
    exact = rewards.double().numpy()
    for ddof in (0, 1):
        expected = exact - exact.mean(1, keepdims=True)
        expected /= exact.std(1, ddof=ddof, keepdims=True)
        np.testing.assert_allclose(
            standardised(rewards, ddof, 0.0).numpy(), expected, rtol=1e-4
        )
    long = torch.zeros(1, TOKENS, dtype=dtype)
    long[0, 0] = TOKENS
    assert centred(long)[0, 1].item() == pytest.approx(-long[0, 0].item() / TOKENS, rel=1e-6)


def test_a_saturated_pair_does_not_change_the_loss_of_the_others():
    chosen = torch.tensor([0.0, -2.0], requires_grad=True)
    pairs = Pairs(chosen, torch.tensor([-1e4, -3.0]))
    alone = replace(pairs, chosen=chosen[1:], rejected=pairs.rejected[1:])
    for loss in (pair_losses.orpo, pair_losses.repo):
        assert loss(pairs, 0.5)[1] == loss(alone, 0.5)[0]
