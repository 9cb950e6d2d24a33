"""The update loop: accumulation, weights, optimisers."""

import numpy as np
import pytest
import torch

from agents.policies.table import TablePolicy
from agents.solvers.optimise import OptimizerSettings, optimise

TARGETS = torch.tensor([[1.0, -1.0, 0.5], [0.0, 2.0, 0.3]], dtype=torch.float64)


def trained(rng=0, weights=None, lengths=None, **settings):
    policy = TablePolicy(np.zeros((2, 3)))

    def loss(index):
        rows = torch.as_tensor(index % 2)
        values = ((policy.theta - TARGETS) ** 2).sum(-1)[rows] * torch.as_tensor(1.0 + index)
        return values, {"item": torch.as_tensor(index, dtype=torch.float64)}

    lengths = np.full(12, 5) if lengths is None else lengths
    settings = {"lr": 0.05, "batch_size": 6, "max_grad_norm": 1e9} | settings
    logs = optimise(
        policy,
        loss,
        lengths,
        OptimizerSettings(**settings),
        np.random.default_rng(rng),
        weights=weights,
    )
    return policy.theta.detach().numpy(), logs


@pytest.mark.parametrize("tokens", [1, 7, 12, 20])
def test_accumulated_parts_make_the_same_update(tokens):
    lengths = np.arange(1, 13)
    whole, logs = trained(lengths=lengths, epochs=3)
    parts, same = trained(lengths=lengths, epochs=3, micro_batch_tokens=tokens)
    np.testing.assert_allclose(parts, whole, atol=1e-12)
    assert same == pytest.approx(logs)
    assert logs["item"] == pytest.approx(5.5)
    assert logs["gradient_steps"] == 6


def test_the_loss_is_the_sum_over_the_sum_of_weights():
    weights = np.full(12, 4.0)
    _, logs = trained(lr=1e-12)
    _, weighed = trained(lr=1e-12, weights=weights)
    assert weighed["loss"] == pytest.approx(logs["loss"] / 4)
    expected = ((TARGETS**2).sum(-1).numpy()[np.arange(12) % 2] * np.arange(1, 13)).mean()
    assert logs["loss"] == pytest.approx(expected)


def test_both_optimisers_descend_and_clipping_bounds_the_reported_step():
    for algorithm in ("adamw", "rmsprop"):
        theta, logs = trained(algorithm=algorithm, epochs=60, schedule="constant")
        assert np.abs(theta - TARGETS.numpy()).max() < 0.1
        assert logs["grad_norm"] > 0


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="micro_batch_tokens must be at least 1, got 0"):
        OptimizerSettings(micro_batch_tokens=0)
