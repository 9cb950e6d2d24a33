"""The error of an update that is not finite names its cause, and lr only where that is it."""

import numpy as np
import pytest
import torch

from agents.policies.table import TablePolicy
from agents.solvers import DPO, OAIF, REINFORCE, PolicySolver
from agents.solvers.optimise import OptimizerSettings, clip, optimise
from tests.support.online_rounds import REWARDS, round_of

ONCE = {"lr": 0.1, "batch_size": 2, "epochs": 1}


def learn(solver, rewards=REWARDS, rounds=1):
    """Learn from rounds of two prompts; return the error of the last one."""
    rng = np.random.default_rng(0)
    played = round_of(np.array([0, 1]), np.array([[0, 1, 2]] * 2), rewards)
    for _ in range(rounds - 1):
        solver.learn(played, rng)
    with pytest.raises(FloatingPointError) as error:
        solver.learn(played, rng)
    assert "\n" not in str(error.value)
    return str(error.value)


def solver_of(method, **policy):
    return PolicySolver(TablePolicy(np.zeros((2, 3))), method, **policy)


def test_a_parameter_that_was_not_finite_before_is_named():
    for method in (DPO(**ONCE), OAIF(**ONCE), REINFORCE(**ONCE)):
        solver = solver_of(method)
        solver.policy.theta.data[1, 2] = float("nan")
        message = learn(solver)
        assert "1 parameters of the policy are not finite, the first theta" in message
        assert "lower lr" not in message
        assert "load an earlier checkpoint" in message


def test_a_reference_that_is_not_finite_is_named():
    broken = TablePolicy(np.zeros((2, 3)))
    broken.theta.data[1] = float("nan")
    message = learn(solver_of(DPO(**ONCE, reference="initial"), initial=lambda: broken))
    assert "entry 1 of the batch (prompt '1') is nan, since its log-probability" in message
    assert "under the reference is not finite" in message
    assert "lower lr" not in message


def test_rewards_that_are_too_large_are_named(monkeypatch):
    method = REINFORCE(**ONCE, baseline="none", max_grad_norm=1e3)
    solver = solver_of(method)
    rewards = np.array([[1.0, 2.0, 3.0], [1e308, -1e308, 1e308]])
    # Before the first update the gradient of 1e308 is finite in float64, and twice it is not.
    monkeypatch.setattr(
        REINFORCE, "loss", lambda self, s: -(s.logprobs[:, 0] * 1e10 * s.advantages)
    )
    message = learn(solver, rewards)
    assert "entry 1 of the batch (prompt '1')" in message
    assert "its largest input, advantages, is 1e+308 in size; scale the rewards down" in message
    assert "lower lr" not in message


def test_a_policy_that_its_updates_broke_is_named_with_the_learning_rate(monkeypatch):
    """The loss of a policy that an update moved is infinite."""
    solver = solver_of(DPO(**(ONCE | {"epochs": 3})))

    def loss(self, pairs):
        moved = pairs.chosen.detach() != pairs.reference_chosen
        return torch.where(moved, float("inf"), 1.0) * -pairs.chosen

    monkeypatch.setattr(DPO, "loss", loss)
    message = learn(solver)
    assert message.startswith("update 2 of 3 is not made: the loss of entry")
    assert message.endswith("lower lr (now 0.1)")


def test_a_finite_gradient_whose_squares_overflow_is_clipped():
    parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.float32))
    parameter.grad = torch.tensor([3e30, -4e30])
    norm = clip([parameter], 2.0)
    assert norm.item() == pytest.approx(5e30)
    assert parameter.grad.tolist() == pytest.approx([1.2, -1.6])
    for bad in (float("inf"), float("nan")):
        parameter.grad = torch.tensor([bad, 1.0])
        assert not clip([parameter], 2.0).isfinite()
    parameter.grad = torch.tensor([3.0, -4.0])
    assert clip([parameter], float("inf")).item() == 5
    assert parameter.grad.tolist() == [3, -4]
    parameter.grad = torch.tensor([3e30, -4e30])
    assert not clip([parameter], float("inf")).isfinite()  # AdamW's squares would overflow too


def test_an_update_with_a_huge_finite_gradient_is_an_ordinary_step():
    def trained(scale):
        policy = TablePolicy(np.zeros((1, 2)))
        policy.theta = torch.nn.Parameter(policy.theta.detach().float())

        def loss(items):
            return -scale * policy.logprobs([0] * len(items), [1] * len(items)), {}

        settings = OptimizerSettings(lr=0.1, batch_size=2)
        logs = optimise(policy, loss, np.ones(4, int), settings, np.random.default_rng(0))
        return policy.theta.detach(), logs

    huge, logs = trained(1e30)
    small, _ = trained(1e3)
    torch.testing.assert_close(huge, small)
    assert np.isfinite(logs["grad_norm"])
    assert logs["grad_norm"] > 1e29
