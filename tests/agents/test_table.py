"""The softmax table: exact probabilities, sampling, gradients, transfer, checkpoints."""

from itertools import product

import numpy as np
import pytest
import torch

from agents.policies.base import Policy
from agents.policies.table import TablePolicy
from eva_env import distributions
from eva_env.game import softmax
from eva_env.tabular import exact
from eva_env.tabular.world import TabularWorld

WORLD = TabularWorld(topics=2, levels=4, variants=2, responses=6)


def table(features=True, seed=None):
    policy = TablePolicy(WORLD.reference_logits, WORLD.features if features else None)
    if seed is not None:
        torch.manual_seed(seed)
        torch.nn.init.normal_(policy.theta)
    return policy


def logits_gradient(policy, objective):
    """Gradient of a plain table's logits at the objective."""
    (gradient,) = torch.autograd.grad(objective, policy.theta)
    return gradient.numpy()


def test_a_fresh_table_is_the_reference():
    for features in (False, True):
        policy: Policy = table(features)
        np.testing.assert_allclose(
            policy.probabilities(), np.exp(WORLD.reference_logits), atol=1e-14
        )


def test_probabilities_and_logprobs_by_the_formula():
    policy = table(seed=0)
    theta = policy.theta.detach().numpy()
    expected = softmax(WORLD.reference_logits + WORLD.features @ theta)
    np.testing.assert_allclose(policy.probabilities(), expected, atol=1e-14)
    prompts, responses = np.array([3, 0, 3, 15]), [5, 0, 5, 2]
    logprobs = policy.logprobs(prompts, responses)
    assert logprobs.dtype == torch.float64
    np.testing.assert_allclose(
        logprobs.detach().numpy(), np.log(expected[prompts, responses]), atol=1e-13
    )
    assert policy.lengths(responses).tolist() == [1, 1, 1, 1]


class EvenDraws:
    """Stands in for a generator: uniforms on an even grid, so that shares are exact to 1/n."""

    def random(self, shape):
        return np.broadcast_to((np.arange(shape[-1]) + 0.5) / shape[-1], shape)


@pytest.mark.parametrize("features", [False, True])
def test_samples_follow_the_probabilities(features):
    policy, n = table(features, seed=1), 40_000
    drawn = policy.sample([7, 2], n, EvenDraws())
    assert drawn.shape == (2, n)
    assert policy.tokens == 2 * n
    share = np.array([np.bincount(row, minlength=6) for row in drawn]) / n
    np.testing.assert_allclose(share, policy.probabilities()[[7, 2]], atol=1 / n)
    random = policy.sample([7, 7], 100, np.random.default_rng(0))
    assert (random[0] != random[1]).any()


def test_samples_are_the_generators():
    first, second = (
        table(seed=2).sample([1, 2], 50, np.random.default_rng(9)) for _ in range(2)
    )
    assert (first == second).all()
    state = torch.get_rng_state()
    table(seed=None).sample([1], 3, np.random.default_rng(0))
    assert (torch.get_rng_state() == state).all()


def test_impossible_responses_are_never_drawn():
    logits = np.array([[-1e4, 0.0, -1e4, 1.0, -1e4]])
    drawn = TablePolicy(logits).sample([0], 2000, np.random.default_rng(0))
    assert set(drawn[0]) == {1, 3}


@pytest.mark.parametrize("features", [False, True])
def test_value_gradient_against_central_differences(features):
    """T24: policy gradient through low-rank theta, to 1e-9."""
    policy = table(features, seed=3)
    prompts = np.arange(WORLD.size)

    def value():
        total = torch.zeros((), dtype=torch.float64)
        for y in range(6):
            logprobs = policy.logprobs(prompts, np.full(WORLD.size, y))
            total = total + (logprobs.exp() * torch.tensor(WORLD.gold[:, y])).sum()
        return total

    gradient = torch.autograd.grad(value(), policy.theta)[0].numpy()
    assert np.abs(gradient).max() > 0.01
    step = 1e-5
    for d, y in product((0, 5, 15), (0, 3)):
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                policy.theta[d, y] += sign * step
            ends.append(exact.value(policy.probabilities(), WORLD.gold).sum())
            with torch.no_grad():
                policy.theta[d, y] -= sign * step
        assert gradient[d, y] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-9)


def test_reinforce_with_leave_one_out_baseline_is_the_value_gradient():
    rng = np.random.default_rng(4)
    policy, rewards, n = TablePolicy(rng.normal(size=(1, 3))), rng.normal(size=3), 3
    pi = policy.probabilities()[0]
    objective = torch.zeros((), dtype=torch.float64)
    for draw in product(range(3), repeat=n):
        seen = rewards[list(draw)]
        advantage = (seen - seen.mean()) * n / (n - 1)
        logprobs = policy.logprobs([0] * n, draw)
        objective = objective + pi[list(draw)].prod() * (logprobs @ torch.tensor(advantage)) / n
    expected = pi * (rewards - pi @ rewards)
    np.testing.assert_allclose(logits_gradient(policy, objective)[0], expected, atol=1e-12)


def dpo(policy, chances, beta, labels=None):
    """Population DPO objective on one prompt; ``chances`` (M, M) of pairs (winner, loser)."""
    pairs = [(a, b) for a in range(len(chances)) for b in range(len(chances)) if a != b]
    best, worst = (list(side) for side in zip(*pairs, strict=True))
    reference = policy.reference_logits.log_softmax(-1)[0]
    ratio = policy.logprobs([0] * len(best), best) - reference[best]
    ratio = ratio - policy.logprobs([0] * len(worst), worst) + reference[worst]
    weight = torch.tensor(np.array([chances[a, b] for a, b in pairs]))
    return (weight * torch.nn.functional.logsigmoid(beta * ratio)).sum()


def test_first_step_of_dpo_on_best_and_worst():
    rng = np.random.default_rng(5)
    policy, rewards, beta, n = TablePolicy(rng.normal(size=(1, 5))), rng.normal(size=5), 0.1, 6
    pi = policy.probabilities()
    gradient = logits_gradient(
        policy, dpo(policy, exact.pair_distribution(pi, rewards[None], n)[0], beta)
    )
    best, worst = exact.best_of_n(pi, rewards[None], n), exact.worst_of_n(pi, rewards[None], n)
    np.testing.assert_allclose(gradient, beta / 2 * (best - worst), atol=1e-12)


def test_dpo_under_bradley_terry_labels_rests_at_the_optimum():
    rng = np.random.default_rng(6)
    policy, rewards, beta = TablePolicy(rng.normal(size=(1, 5))), rng.normal(size=5), 0.4
    shown = rng.random((5, 5))
    shown = shown + shown.T
    chances = shown / (1 + np.exp(rewards[None, :] - rewards[:, None]))
    at_reference = logits_gradient(policy, dpo(policy, chances, beta))
    with torch.no_grad():
        policy.theta[0] = torch.tensor(rewards / beta)
    best = distributions.optimal_policy(
        rewards[None], softmax(policy.reference_logits.numpy()), beta
    )
    np.testing.assert_allclose(policy.probabilities(), best, atol=1e-12)
    np.testing.assert_allclose(
        logits_gradient(policy, dpo(policy, chances, beta)), 0, atol=1e-12
    )
    assert np.abs(at_reference).max() > 1e-3


def test_learning_carries_to_neighbours_in_proportion_to_the_kernel():
    world = TabularWorld(topics=2, levels=4, variants=1, responses=4, lengthscale=2.0)
    for features, carried in (
        (world.features, np.exp(-np.arange(4) / 2)),
        (None, [1, 0, 0, 0]),
    ):
        policy = TablePolicy(world.reference_logits, features)
        policy.logprobs([4], [2]).sum().backward()
        step = (
            policy.theta.grad.numpy()
            if features is None
            else features @ policy.theta.grad.numpy()
        )
        direction = (np.arange(4) == 2) - policy.probabilities()[4]
        np.testing.assert_allclose(step[4:], np.outer(carried, direction), atol=1e-12)
        across = 0.3 * np.asarray(carried) if features is not None else np.zeros(4)
        np.testing.assert_allclose(step[:4], np.outer(across, direction), atol=1e-12)


def test_equal_features_alias_prompts():
    policy = TablePolicy(np.zeros((3, 4)), np.array([[1.0], [1.0], [0.0]]))
    with torch.no_grad():
        policy.theta[0, 1] = 2.0
    pi = policy.probabilities()
    assert (pi[0] == pi[1]).all()
    assert pi[0, 1] > 0.25
    assert (pi[2] == 0.25).all()


def test_a_frozen_copy_stays():
    policy = table(seed=7)
    copy = policy.frozen()
    before = copy.probabilities()
    assert (before == policy.probabilities()).all()
    assert not copy.logprobs([0], [0]).requires_grad
    assert policy.logprobs([0], [0]).requires_grad
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += torch.eye(*parameter.shape)
    assert (copy.probabilities() == before).all()
    assert (policy.probabilities() != before).any()


@pytest.mark.parametrize("features", [False, True])
def test_checkpoints_come_back_bit_for_bit(features, tmp_path):
    policy = table(features, seed=8)
    policy.save(tmp_path / "new")
    loaded = TablePolicy.load(tmp_path / "new")
    assert loaded.probabilities().tobytes() == policy.probabilities().tobytes()
    fresh = table(features)
    fresh.load_state_dict(policy.state_dict())
    assert fresh.probabilities().tobytes() == policy.probabilities().tobytes()


def test_bad_input_is_named(tmp_path):
    policy, rng = table(), np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"prompt ids must be in 0 \.\.\. 15, got 16"):
        policy.sample([0, 16], 2, rng)
    with pytest.raises(ValueError, match=r"prompt ids must be in 0 \.\.\. 15, got -1"):
        policy.logprobs([-1], [0])
    with pytest.raises(ValueError, match=r"response ids must be in 0 \.\.\. 5, got 6"):
        policy.logprobs([0], [6])
    with pytest.raises(ValueError, match="prompts must be a vector of integers"):
        policy.sample(["0"], 2, rng)
    with pytest.raises(ValueError, match="got 2 prompts but 1 responses"):
        policy.logprobs([0, 1], [0])
    with pytest.raises(ValueError, match="features must have 16 rows"):
        TablePolicy(WORLD.reference_logits, np.ones((3, 2)))
    with pytest.raises(ValueError, match="reference_logits must be a finite matrix"):
        TablePolicy(np.array([[0.0, -np.inf]]))
    with pytest.raises(ValueError, match=r"theta must be \(16, 6\), got \(2, 6\)"):
        policy.load_state_dict({"theta": torch.zeros(2, 6)})
    with pytest.raises(FileNotFoundError, match="no softmax table at"):
        TablePolicy.load(tmp_path)
