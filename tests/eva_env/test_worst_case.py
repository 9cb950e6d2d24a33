"""SGPO's follower: the closed form against linear programs, and its effect on training."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from agents.losses.robust import worst_case
from agents.policies.table import TablePolicy
from agents.solvers import DPO, SGPO, PolicySolver
from eva_env.types import Proposal, Round


def gaps(seed, size, spread=1.0):
    return np.random.default_rng(seed).normal(0.3, spread, size)


def follower(values, radius):
    return worst_case(torch.from_numpy(values), radius).numpy()


def logistic(gap):
    return np.log1p(np.exp(-gap))


def transport(values, radius):
    """LP over plans between the pairs themselves: highest mean loss, and the weights."""
    n = len(values)
    distance = np.abs(values[:, None] - values)
    rows = np.kron(np.eye(n), np.ones(n))
    best = linprog(
        -np.tile(logistic(values), n),
        A_ub=distance.reshape(1, -1),
        b_ub=[radius],
        A_eq=rows,
        b_eq=np.full(n, 1 / n),
    )
    return -best.fun, n * best.x.reshape(n, n).sum(0)


def finite_program(values, radius, slopes, offsets):
    """The LP of Mohajerin Esfahani and Kuhn for max_k slope_k gap + offset_k, on the range.

    A share a_ik of pair i moves to where the k-th piece is largest, by q_ik in total: variables
    a, q+, q-. All mass stays within [min gap, max gap].
    """
    n, k = len(values), len(slopes)
    low, high = values.min(), values.max()
    one, zero = np.eye(n * k), np.zeros((n * k, n * k))
    gap = np.repeat(values, k)
    slope, offset = np.tile(slopes, n), np.tile(offsets, n)
    best = linprog(
        -np.concatenate([slope * gap + offset, -slope, slope]) / n,
        A_ub=np.vstack(
            [
                np.hstack([-np.diag(gap - low), one, -one]),
                np.hstack([np.diag(gap - high), -one, one]),
                np.concatenate([np.zeros(n * k), np.ones(2 * n * k)])[None] / n,
            ]
        ),
        b_ub=np.concatenate([np.zeros(2 * n * k), [radius]]),
        A_eq=np.hstack([np.kron(np.eye(n), np.ones(k)), zero[:n], zero[:n]]),
        b_eq=np.ones(n),
    )
    return -best.fun


def test_by_hand():
    """Four pairs, a quarter each: moving the gap 1 to 0 costs 1/4, then 0.15 of 2/4 is left."""
    weights = follower(np.array([3.0, 0.0, 2.0, 1.0]), 0.4)
    assert weights == pytest.approx([1, 1 + 1 + 0.3, 0.7, 0])


@pytest.mark.parametrize("radius", [0.01, 0.1, 0.4, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_weights_are_those_of_the_transport_program(seed, radius):
    values = gaps(seed, 15)
    value, weights = transport(values, radius)
    ours = follower(values, radius)
    assert (ours * logistic(values)).mean() == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(ours, weights, atol=1e-7)


@pytest.mark.parametrize(("size", "radius"), [(10, 0.05), (40, 0.3), (100, 0.01)])
def test_the_worst_case_is_that_of_the_papers_program_with_six_tangents(size, radius):
    values = gaps(size, size)
    at = np.quantile(values, np.linspace(0, 1, 6))
    slopes = -1 / (1 + np.exp(at))
    offsets = logistic(at) - slopes * at
    bound = (slopes * values[:, None] + offsets).max(1)
    ours = (follower(values, radius) * bound).mean()
    assert ours == pytest.approx(finite_program(values, radius, slopes, offsets), abs=1e-9)
    assert ours > bound.mean() + 1e-4


@given(st.integers(0, 1000), st.integers(1, 40), st.floats(0, 3))
def test_weights_are_a_distribution_in_the_ball(seed, size, radius):
    values = gaps(seed, size)
    weights = follower(values, radius)
    assert (weights >= 0).all()
    assert weights.mean() == pytest.approx(1)
    order = np.argsort(values)
    moved = np.cumsum(weights[order] - 1)[:-1] / size  # W1 on a line: area between the CDFs
    spent = (np.abs(moved) * np.diff(values[order])).sum()
    assert spent <= radius + 1e-12
    assert spent == pytest.approx(min(radius, (values - values.min()).mean()))


def test_radius_zero_gives_equal_weights_and_a_huge_one_the_worst_pair():
    values = gaps(1, 9)
    assert (follower(values, 0.0) == 1).all()
    assert (follower(values, 1e9) == 9 * (values == values.min())).all()
    assert (follower(np.full(5, 0.3), 0.5) == 1).all()


def test_order_does_not_matter_and_the_worst_share_equally():
    values = np.array([0.5, -1.0, 2.0, -1.0, 0.1])
    weights = follower(values, 0.3)
    order = np.array([4, 2, 0, 3, 1])
    np.testing.assert_allclose(follower(values[order], 0.3), weights[order])
    assert weights[1] == weights[3] > 1


def test_gaps_that_differ_by_rounding_are_equal():
    values = np.float32(0.7) + 1e-7 * np.random.default_rng(0).normal(size=20)
    assert follower(values, 0.01) == pytest.approx(np.ones(20))


def trained(method):
    rng = np.random.default_rng(0)
    prompts = np.arange(60) % 3
    responses = rng.integers(4, size=(60, 5))
    rewards = rng.random((3, 4))[prompts[:, None], responses]
    solver = PolicySolver(TablePolicy(rng.normal(size=(3, 4))), method)
    round = Round(
        0, Proposal(prompts, np.zeros(60)), prompts, responses, rewards, rewards[0], {}
    )
    solver.learn(round, rng)
    return solver.policy.probabilities()


def test_the_stage_goes_before_any_loss_and_sgpo_is_dpo_with_it():
    assert (trained(SGPO(lr=0.05)) == trained(DPO(lr=0.05, radius=0.01))).all()
    assert (trained(SGPO(lr=0.05, radius=0.0)) == trained(DPO(lr=0.05))).all()
    assert not np.allclose(trained(SGPO(lr=0.05)), trained(DPO(lr=0.05)))


def test_a_huge_radius_trains_on_the_worst_pair_alone():
    """One step of plain descent on two pairs, one of which is already well separated."""
    policy = TablePolicy(np.array([[0.0, 0.0], [0.0, 0.0]]))
    with torch.no_grad():
        policy.theta[0] = torch.tensor([2.0, -2.0])
    solver = PolicySolver(policy, DPO(lr=0.1, radius=10.0, reference="initial", epochs=1))
    with torch.no_grad():
        solver.initial.theta.zero_()
    rewards = np.array([[1.0, 0.0], [1.0, 0.0]])
    responses, prompts = np.array([[0, 1], [0, 1]]), np.array([0, 1])
    round = Round(
        0, Proposal(prompts, np.zeros(2)), prompts, responses, rewards, rewards[0], {}
    )
    solver.learn(round, np.random.default_rng(0))
    moved = solver.policy.theta.detach().numpy() - [[2.0, -2.0], [0.0, 0.0]]
    assert (moved[0] == 0).all()
    assert moved[1, 0] > 0 > moved[1, 1]
