"""The contracts of methods and solvers."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from agents.base import Solver
from agents.policies.table import TablePolicy
from agents.solvers.base import Method, PolicySolver
from agents.solvers.optimise import OptimizerSettings
from agents.testing.rules import require_finite, require_rule
from eva_env.types import Floats, Proposal, Round

TABLE_REWARDS: Floats = np.array([[0.0, 1.0, 0.3], [0.9, 0.1, 0.5]])
"""Rewards of the 3 responses to each of the 2 prompts that methods are checked on."""


def check_solver(solver: Solver | Method, prompts: Sequence[Any] = (0, 1)) -> None:
    """Check the responses, the learning and the state of a method or of a solver.

    A method plays a softmax table of 2 prompts and 3 responses; one with optimiser settings is
    checked with lr=0.05, which suits that table.

    Args:
        solver: a method, or a solver that has not played yet; it is copied.
        prompts: what a solver is asked; of no use with a method.
    """
    if isinstance(solver, Method):
        method = replace(solver, lr=0.05) if isinstance(solver, OptimizerSettings) else solver
        check_solver(table_solver(method))
        _check_method(method)
        return
    require_rule(
        isinstance(solver, Solver),
        f"give an object of a class derived from agents.base.Solver or "
        f"agents.solvers.Method, got {solver!r}",
    )
    _check_responses(solver, prompts)
    _check_solver_state(solver, prompts)


def table_solver(method: Method) -> PolicySolver:
    """Return a solver whose policy is a uniform softmax table of 2 prompts and 3 responses."""
    policy = TablePolicy(np.zeros(TABLE_REWARDS.shape))
    try:
        return PolicySolver(policy, method)
    except ValueError:  # the method needs a reward model, or a way to improve responses
        return PolicySolver(
            policy,
            method,
            lambda prompts, responses: TABLE_REWARDS[np.asarray(prompts)[:, None], responses],
            lambda prompts, responses, rng: responses,
        )


def table_round(solver: Solver, batch: int, n: int, rng: np.random.Generator) -> Round:
    """Return a round of ``batch`` prompts of the table, with n responses to each."""
    prompts: Any = rng.integers(len(TABLE_REWARDS), size=batch)
    responses = solver.respond(prompts, n, rng)
    rewards = TABLE_REWARDS[prompts[:, None], responses]
    proposal = Proposal(prompts, np.zeros(batch))
    return Round(0, proposal, prompts, responses, rewards, rewards.max(1), {})


def _check_responses(solver: Solver, prompts: Sequence[Any]) -> None:
    for call in ("respond", "respond_for_evaluation"):
        first, again = (
            getattr(solver.twin(), call)(prompts, 4, np.random.default_rng(0)) for _ in range(2)
        )
        require_rule(
            len(first) == len(prompts) and all(len(row) == 4 for row in first),
            f"{call}(prompts, 4, rng) must give 4 responses to each of {len(prompts)} prompts, "
            f"got {first!r}",
        )
        kinds = {type(response) for row in first for response in row}
        require_rule(
            all(issubclass(kind, str | int | float | np.number) for kind in kinds),
            f"{call} must give strings or numbers, got {first[0][0]!r}",
        )
        require_rule(
            _rows(first) == _rows(again),
            f"{call} must draw from the rng it is given alone: same rng, same responses",
        )


def _check_solver_state(solver: Solver, prompts: Sequence[Any]) -> None:
    played, rng = solver.twin(), np.random.default_rng(3)
    _learn(played, prompts, rng)
    try:
        saved = pickle.dumps((played.state_dict(), rng))
    except Exception as error:
        raise AssertionError(f"state_dict must be picklable: {error}") from error
    rest = _learn(played, prompts, rng)
    state, rng = pickle.loads(saved)
    second = solver.twin()
    second.load_state_dict(state)
    require_rule(
        _learn(second, prompts, rng) == rest,
        "load_state_dict(state_dict()) must continue identically, or twin shares what learns",
    )
    require_rule(
        min(played.tokens, played.reward_calls) >= 0, "tokens and reward_calls only ever grow"
    )


def _learn(solver: Solver, prompts: Sequence[Any], rng: np.random.Generator) -> list[Any]:
    """Learn from two rounds of random rewards; return the responses before and after."""
    seen = []
    for index in range(2):
        responses = solver.respond(prompts, 4, rng)
        rewards = rng.random((len(prompts), 4))
        proposal = Proposal(prompts, np.zeros(len(prompts)))
        round = Round(index, proposal, prompts, responses, rewards, rewards.max(1), {})
        require_finite(solver.learn(round, rng))
        seen += _rows(responses)
    return seen + _rows(solver.respond(prompts, 4, rng))


def _rows(responses: Any) -> list[list[Any]]:
    return [list(row) for row in responses]


def _check_method(method: Method) -> None:
    rng, solver = np.random.default_rng(0), table_solver(method)
    before, steps = _mean_rewards(solver), 0
    for _ in range(20):
        logs = solver.learn(table_round(solver, 64, 6, rng), rng)
        steps += logs.get("gradient_steps", 0)
    require_rule(
        steps > 0 or not isinstance(method, OptimizerSettings),
        "update must return the number of its steps as gradient_steps",
    )
    rise = _mean_rewards(solver) - before
    require_rule(
        steps == 0 or bool((rise > 0.2).all()),
        f"a method that takes gradient steps must raise the rewards of a table by 0.2 in 20 "
        f"rounds, got {rise.round(3)} for two prompts",
    )
    require_rule(solver.tokens >= 20 * 64 * 6, "responses must come from solver.policy.sample")
    flat_rng, untrained = np.random.default_rng(0), table_solver(method)
    flat = table_round(untrained, 8, 4, flat_rng)
    logs = untrained.learn(replace(flat, rewards=np.full((8, 4), 0.5)), flat_rng)
    require_rule(
        logs.get("gradient_steps", 0) == 0
        and np.allclose(_probabilities(untrained), 1 / TABLE_REWARDS.shape[1]),
        "a round without any difference in reward must change nothing, and return "
        "gradient_steps 0",
    )
    whole, halves = table_solver(method), table_solver(method)
    _train(whole, rng := np.random.default_rng(3), 4)
    _train(halves, rng := np.random.default_rng(3), 2)
    state, rng = pickle.loads(pickle.dumps((halves.state_dict(), rng)))
    resumed = table_solver(method)
    resumed.load_state_dict(state)
    _train(resumed, rng, 2)
    require_rule(
        np.array_equal(_probabilities(resumed), _probabilities(whole)),
        "a method must continue identically from its solver's state: keep what changes in "
        "solver.memory, not in the method",
    )


def _train(solver: PolicySolver, rng: np.random.Generator, rounds: int) -> None:
    for _ in range(rounds):
        solver.learn(table_round(solver, 32, 4, rng), rng)


def _probabilities(solver: PolicySolver) -> Floats:
    policy = solver.policy
    assert isinstance(policy, TablePolicy)
    return policy.probabilities()


def _mean_rewards(solver: PolicySolver) -> Floats:
    """The expected reward to each of the 2 prompts, (2,)."""
    return (_probabilities(solver) * TABLE_REWARDS).sum(1)
