"""Methods of learning: contracts for all of them, fixed points and bookkeeping for each."""

from dataclasses import fields, replace
from typing import get_args

import numpy as np
import pytest

from agents.policies.causal_lm import CausalLM
from agents.policies.table import TablePolicy
from agents.solvers import (
    CPO,
    DPO,
    IPO,
    KTO,
    ORPO,
    RLOO,
    RPO,
    SPPO,
    AnyMethod,
    PolicySolver,
    RePO,
    RobustDPO,
    SimPO,
    SLiC,
)
from agents.solvers.optimise import OptimizerSettings, optimise
from agents.testing import check_solver
from agents.testing.solvers import TABLE_REWARDS as REWARDS
from agents.testing.solvers import table_round as play_round
from agents.testing.solvers import table_solver
from eva_env.types import Proposal, Round
from eva_env.wordlist import Gold, Wordlist

METHODS = [
    kind for kind in get_args(AnyMethod) if issubclass(kind, OptimizerSettings)
]  # that learn


@pytest.mark.parametrize("method", get_args(AnyMethod))
def test_every_method_passes_the_check_that_users_call(method):
    check_solver(method())


@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_steps_and_tokens_of_a_table_are_counted(method):
    solver, rng = table_solver(method(lr=0.05)), np.random.default_rng(0)
    for _ in range(20):
        logs = solver.learn(play_round(solver, 64, 6, rng), rng)
    assert logs["gradient_steps"] > 0
    assert solver.tokens == 20 * 64 * 6


@pytest.mark.parametrize("method", METHODS)
def test_every_method_raises_the_gold_reward_of_the_language_model(method):
    task, gold, rng = Wordlist(), Gold(), np.random.default_rng(0)
    solver = PolicySolver(CausalLM.load("wordlist"), method())
    prompts = task.seed(256, rng)
    responses = solver.respond(prompts, 6, rng)
    rewards = gold(prompts, responses)
    proposal = Proposal(prompts, np.zeros(256, dtype=np.float32))
    solver.learn(Round(0, proposal, prompts, responses, rewards, rewards.max(1), {}), rng)
    after = gold(prompts, solver.respond(prompts, 6, np.random.default_rng(1)))
    assert after.mean() > rewards.mean() + 0.01


def test_dpo_reference_is_the_round_start_or_the_run_start():
    rng = np.random.default_rng(0)
    for reference, expected in (("round", 0.0), ("initial", None)):
        solver = table_solver(DPO(lr=0.05, reference=reference))
        solver.learn(play_round(solver, 64, 6, rng), rng)
        now = solver.policy.logprobs([0], [1]) - solver.reference(reference).logprobs([0], [1])
        assert (now.item() == expected) if expected is not None else now.item() > 0.05


@pytest.mark.parametrize("method", METHODS)
def test_a_round_of_equal_rewards_reports_no_gradient_step(method):
    solver, rng = table_solver(method()), np.random.default_rng(0)
    equal = replace(play_round(solver, 8, 4, rng), rewards=np.full((8, 4), 0.5))
    assert solver.learn(equal, rng)["gradient_steps"] == 0


def test_restart_trains_the_starting_model_on_all_pairs():
    rng = np.random.default_rng(0)
    solver = table_solver(DPO(lr=1e-3, epochs=1, restart=True))
    steps = [
        solver.learn(play_round(solver, 64, 6, rng), rng)["gradient_steps"] for _ in range(3)
    ]
    assert steps[1] == pytest.approx(2 * steps[0], abs=1)
    assert steps[2] == pytest.approx(3 * steps[0], abs=1)


def test_rloo_settles_where_the_kl_penalty_says():
    """Fixed point of the penalised objective: pi ~ pi_ref exp(r / beta)."""
    beta = 0.5
    solver = table_solver(RLOO(lr=0.02, beta=beta, clip=10.0, max_grad_norm=10.0))
    rng = np.random.default_rng(0)
    late = []
    for i in range(150):
        solver.learn(play_round(solver, 256, 6, rng), rng)
        if i >= 75:
            late.append(solver.policy.probabilities())
    optimum = np.exp(REWARDS / beta) / np.exp(REWARDS / beta).sum(1, keepdims=True)
    assert np.abs(np.mean(late, axis=0) - optimum).max() < 0.03


def test_schedule_warms_up_and_decays():
    training = OptimizerSettings(lr=1.0, warmup=0.1, schedule="cosine")
    factors = [training.factor(step, 100) for step in range(100)]
    assert factors[0] < factors[5] < factors[9] < 1
    assert factors[10] == 1
    assert factors[55] == pytest.approx(0.5)
    assert factors[99] < 0.01
    linear = replace(training, schedule="linear", warmup=0.0)
    assert linear.factor(25, 100) == 0.75
    assert replace(linear, schedule="constant").factor(99, 100) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": -1.0}, "lr must be positive and finite, got -1"),
        ({"lr": float("nan")}, "lr must be positive and finite, got nan"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"max_grad_norm": 0.0}, "max_grad_norm must be positive"),
        ({"warmup": 1.5}, r"warmup must lie in \[0, 1\], got 1.5"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0 and finite"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_settings_out_of_range_are_named(method, changes, message):
    with pytest.raises(ValueError, match=message):
        method(**changes)


@pytest.mark.parametrize("wrong", ["loss", "gradient"])
def test_a_step_that_is_not_finite_is_not_made(wrong):
    policy = TablePolicy(np.zeros((1, 2)))

    def loss(index):
        value = policy.logprobs([0] * len(index), [1] * len(index))
        # The square root's slope at zero is infinite, its value is not.
        return value * float("nan") if wrong == "loss" else (value - value).sqrt() + value, {}

    cause = {"loss": "is nan", "gradient": "is finite, and its gradient is not"}[wrong]
    with pytest.raises(
        FloatingPointError, match=rf"update 1 of 2 .* entry \d .*{cause}"
    ) as error:
        optimise(
            policy,
            loss,
            np.ones(4, int),
            OptimizerSettings(batch_size=2),
            np.random.default_rng(0),
        )
    assert "lower lr" not in str(error.value)  # no update has changed the policy
    assert np.array_equal(policy.probabilities(), [[0.5, 0.5]])


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        (DPO, {"beta": -1.0}, "beta must be positive and finite, got -1.0"),
        (DPO, {"beta": float("inf")}, "beta must be positive and finite, got inf"),
        (
            RobustDPO,
            {"label_smoothing": 0.5},
            r"label_smoothing must lie in \[0, 0.5\)",
        ),
        (RPO, {"alpha": -0.1}, "alpha must be at least 0 and finite, got -0.1"),
        (IPO, {"tau": 0.0}, "tau must be positive and finite, got 0.0"),
        (SPPO, {"eta": 0.0}, "eta must be positive and finite, got 0.0"),
        (KTO, {"undesirable": 0.0}, "undesirable must be positive and finite, got 0.0"),
        (SimPO, {"gamma": -0.1}, "gamma must be at least 0 and finite, got -0.1"),
        (RePO, {"gamma": 0.0}, "gamma must be positive and finite, got 0.0"),
        (CPO, {"alpha": -0.1}, "alpha must be at least 0 and finite, got -0.1"),
        (ORPO, {"weight": 0.0}, "weight must be positive and finite, got 0.0"),
        (SLiC, {"weight": -0.1}, "weight must be at least 0 and finite, got -0.1"),
        (RLOO, {"beta": -0.1}, "beta must be at least 0 and finite, got -0.1"),
        (RLOO, {"clip": 0.0}, "clip must be positive, got 0.0"),
    ],
)
def test_methods_name_the_setting_that_is_out_of_range(method, settings, message):
    with pytest.raises(ValueError, match=message):
        method(**settings)


@pytest.mark.parametrize("method", METHODS)
def test_no_setting_of_a_method_is_not_a_number(method):
    for field in fields(method):
        if isinstance(field.default, float):
            with pytest.raises(ValueError, match=rf"^{field.name} must .*, got nan"):
                method(**{field.name: float("nan")})
