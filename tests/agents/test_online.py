"""Online methods as solvers: their samples, memory, weights and limits."""

import numpy as np
import pytest
import torch

from agents.policies.causal_lm import CausalLM
from agents.policies.table import TablePolicy
from agents.solvers import (
    DAPO,
    GRPO,
    GSPO,
    OAIF,
    PPO,
    RAE,
    REINFORCE,
    RLOO,
    XPO,
    DrGRPO,
    NashMD,
    PolicySolver,
    ReMax,
)
from agents.solvers.optimise import OptimizerSettings
from agents.solvers.reinforce import roles_of
from eva_env.wordlist import Gold, Wordlist
from tests.support.online_rounds import advantages_of, distance_to_gibbs, round_of, table_solver

LONG = {"lr": 0.05, "batch_size": 800, "clip": 10.0, "max_grad_norm": 10.0, "beta": 0.5}


@pytest.mark.parametrize(
    "method", [REINFORCE(**LONG), RAE(**LONG), ReMax(**LONG), PPO(**LONG, epochs=1)]
)
def test_samples_lead_to_the_gibbs_policy(method):
    assert distance_to_gibbs(method, rounds=50, late=10) < 0.01


def test_reinforce_by_hand():
    rewards, kl = [[1.0, 2.0], [3.0, 6.0]], [[0.0, 2.0], [0.0, 0.0]]
    plain = advantages_of(REINFORCE(beta=0.5, baseline="none"), rewards, kl)
    assert plain.tolist() == [[1.0, 1.0], [3.0, 6.0]]
    batch = advantages_of(REINFORCE(beta=0.5), rewards, kl)
    assert batch.tolist() == [[-1.75, -1.75], [0.25, 3.25]]


def test_remax_compares_with_the_greedy_response_which_comes_last():
    assert advantages_of(ReMax(beta=0.5), [[1.0, 4.0, 3.0]], [[0.0, 4.0, 2.0]]).tolist() == [
        [-1.0, 0.0, 0.0]
    ]
    solver = table_solver(ReMax(), [[0.0, 2.0, 0.0], [0.0, 0.0, 0.1]])
    drawn = solver.respond([0, 1, 0], 50, np.random.default_rng(0))
    assert drawn[:, -1].tolist() == [1, 2, 1]
    assert solver.tokens == 150
    sampled = solver.policy.sample([0, 1, 0], 49, np.random.default_rng(0))
    assert (drawn[:, :-1] == sampled).all()


OPERATORS = {"operators": (None, "deepen", "deepen", "mix")}


def test_roles_are_read_off_the_proposal():
    prompts = ["a", "b", "c", "d"]
    round = round_of(prompts, [["x"] * 2] * 4, np.zeros((4, 2)), **OPERATORS)
    assert roles_of(round, "operator") == ["human", "deepen", "deepen", "mix"]
    assert roles_of(round, "origin") == ["human", "evolved", "evolved", "evolved"]
    assert roles_of(round, "all") == ["all"] * 4
    fresh = round_of(prompts, [["x"] * 2] * 4, np.zeros((4, 2)))
    assert roles_of(fresh, "origin") == ["human"] * 4


def test_role_baselines_are_those_of_earlier_rounds():
    method = RAE(decay=0.75, beta=0.0)
    solver = table_solver(method)

    def play(human, evolved):
        rewards = torch.tensor([human, evolved], dtype=torch.float64)
        kwargs = {"operators": (None, "mix")}
        round = round_of(np.array([0, 1]), np.zeros((2, 2), int), rewards.numpy(), **kwargs)
        return method.advantages(rewards, torch.zeros(2, 2).double(), round, solver).tolist()

    assert play([1.0, 3.0], [0.0, 10.0]) == [[-1.0, 1.0], [-5.0, 5.0]]
    assert play([4.0, 8.0], [5.0, 9.0]) == [[2.0, 6.0], [0.0, 4.0]]
    # Means 0.75 * 2 + 0.25 * 6 = 3 and 0.75 * 5 + 0.25 * 7 = 5.5; variances 1, 4 -> 1.75.
    assert play([3.0, 3.0], [5.5, 6.5]) == [[0.0, 0.0], [0.0, 1.0]]
    assert solver.memory["roles"]["human"] == (3.0, pytest.approx(0.75 * 1.75))


def test_role_advantages_may_be_scaled():
    method = RAE(role="all", scale=True, beta=0.0)
    solver = table_solver(method)
    solver.memory["roles"] = {"all": (1.0, 4.0)}
    assert advantages_of(method, [[5.0, 1.0]], solver=solver).tolist() == [[2.0, 0.0]]


def test_the_critic_is_a_ridge_regression_on_earlier_rounds():
    features = np.array([[1.0], [-2.0]])
    solver = PolicySolver(TablePolicy(np.zeros((2, 3)), features), PPO())
    method = PPO(beta=0.0, whiten=False, decay=0.5, ridge=0.1)
    first, second = [[1.0, 2.0], [5.0, 4.0]], [[0.0, 1.0], [2.0, 2.0]]
    assert advantages_of(method, first, solver=solver).tolist() == first  # nothing known yet
    inputs = np.array([[1.0, 1.0], [1.0, 1.0], [-2.0, 1.0], [-2.0, 1.0]])
    targets = np.ravel(first)
    weights = np.linalg.solve(inputs.T @ inputs + 0.1 * np.eye(2), inputs.T @ targets)
    value = np.array([[1.0, 1.0], [-2.0, 1.0]]) @ weights
    actual = advantages_of(method, second, solver=solver).numpy()
    np.testing.assert_allclose(actual, second - value[:, None], atol=1e-12)
    gram, moment = solver.memory["critic"]
    np.testing.assert_allclose(gram, 1.5 * inputs.T @ inputs, atol=1e-12)
    expected = 0.5 * inputs.T @ targets + inputs.T @ np.ravel(second)
    np.testing.assert_allclose(moment, expected, atol=1e-12)


def test_ppo_whitens_over_the_round():
    actual = advantages_of(PPO(beta=0.0), [[1.0, 2.0], [5.0, 8.0]])
    assert actual.mean().item() == pytest.approx(0)
    assert actual.std(correction=0).item() == pytest.approx(1)
    assert advantages_of(PPO(beta=0.0), [[0.1] * 5, [0.1] * 5]).abs().max() == 0


def test_groups_without_a_difference_are_left_out_of_dapo_and_kept_for_a_penalty():
    responses = np.array([[0, 1], [0, 1], [2, 1]])
    rewards = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 1.0]])
    prompts, rng = np.array([0, 1, 1]), np.random.default_rng(0)
    for method, moved in ((DAPO(lr=0.1), False), (GRPO(lr=0.1, beta=0.5), True)):
        solver = table_solver(method)
        with torch.no_grad():
            solver.policy.theta[1, 0] = 1.0  # away from the reference
        before = solver.policy.probabilities()[1]
        logs = solver.learn(round_of(prompts, responses, rewards), rng)
        assert logs["no_gradient"] == pytest.approx(0.0 if moved else 2 / 3)
        assert (np.abs(solver.policy.probabilities()[1] - before).max() > 1e-3) == moved


LM = [RLOO, PPO, GRPO, DrGRPO, DAPO, GSPO, NashMD, OAIF, XPO]


@pytest.fixture(scope="module")
def played():
    task, gold, rng = Wordlist(), Gold(), np.random.default_rng(0)
    policy = CausalLM.load("wordlist")
    prompts = task.seed(16, rng)
    responses = policy.sample(prompts, 4, rng)
    return round_of(prompts, responses, gold(prompts, responses))


@pytest.mark.parametrize("method", LM)
def test_micro_batches_make_the_same_update(method, played):
    """Also where a response's weight is its tokens: they are counted over the whole update."""
    rows = []
    for tokens in (OptimizerSettings.micro_batch_tokens, 60):
        solver = PolicySolver(CausalLM.load("wordlist"), method(micro_batch_tokens=tokens))
        logs = solver.learn(played, np.random.default_rng(0))
        rows.append((logs["loss"], logs["grad_norm"]))
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-4, atol=1e-6)


def test_dapo_divides_by_the_tokens_of_all_responses(played):
    """On the policy that sampled the loss is -sum A |y| / sum |y|, worked out here."""
    solver = PolicySolver(CausalLM.load("wordlist"), DAPO())
    rewards = played.rewards
    kept = rewards.std(1) > 0
    sizes = solver.policy.lengths([y for row in played.responses for y in row]).view(16, 4)
    spread = rewards.std(1, keepdims=True) + 1e-4
    actual = (rewards - rewards.mean(1, keepdims=True)) / spread * sizes.numpy()
    logs = solver.learn(played, np.random.default_rng(0))
    assert logs["no_gradient"] == pytest.approx(1 - kept.mean())
    expected = -actual[kept].sum() / sizes.numpy()[kept].sum()
    assert logs["loss"] == pytest.approx(expected, abs=1e-5)
    assert abs(expected) > 1e-3


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        (REINFORCE, {"baseline": "mean"}, "baseline must be none or batch, got 'mean'"),
        (RAE, {"role": "topic"}, "role must be all, origin or operator, got 'topic'"),
        (RAE, {"decay": 1.0}, r"decay must lie in \[0, 1\), got 1.0"),
        (PPO, {"decay": -0.1}, r"decay must lie in \[0, 1\], got -0.1"),
        (PPO, {"ridge": 0.0}, "ridge must be positive and finite, got 0.0"),
        (GRPO, {"ddof": 2}, "ddof must be 0 or 1, got 2"),
        (GRPO, {"eps": -1.0}, "eps must be at least 0 and finite, got -1.0"),
        (DrGRPO, {"length": 0.0}, "length must be positive and finite, got 0.0"),
        (DAPO, {"clip_high": 0.0}, "clip_high must be positive, got 0.0"),
        (NashMD, {"mixture": 1.5}, r"mixture must lie in \[0, 1\], got 1.5"),
        (NashMD, {"mixture": float("nan")}, r"mixture must lie in \[0, 1\], got nan"),
        (OAIF, {"beta": 0.0}, "beta must be positive and finite, got 0.0"),
        (OAIF, {"pair": "all"}, "pair must be first_two or best_worst, got 'all'"),
        (XPO, {"labels": "soft"}, "labels must be greater or drawn, got 'soft'"),
        (XPO, {"alpha": -1.0}, "alpha must be at least 0 and finite, got -1.0"),
    ],
)
def test_settings_out_of_range_are_named(method, settings, message):
    with pytest.raises(ValueError, match=message):
        method(**settings)
