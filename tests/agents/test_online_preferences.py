"""Nash-MD, online DPO and XPO as solvers: their opponents, pairs and limits."""

import numpy as np
import pytest
import torch

from agents.solvers import OAIF, XPO, NashMD
from tests.support.online_rounds import advantages_of, distance_to_gibbs, round_of, table_solver

LONG = {"lr": 0.02, "batch_size": 256, "beta": 0.5, "max_grad_norm": 10.0, "labels": "drawn"}


@pytest.mark.parametrize("method", [OAIF(pair="first_two", **LONG), XPO(alpha=0.0, **LONG)])
def test_drawn_labels_lead_to_the_gibbs_policy(method):
    assert distance_to_gibbs(method, rounds=150, late=100) < 0.04


def test_nash_md_learns_from_its_own_half_against_the_mixture():
    rewards = [[0.0, 1.0, 0.5, 0.2, 0.8]]  # three of the policy's, two of the opponent's
    actual = advantages_of(NashMD(beta=0.1), rewards, [[0.5, 0.0, 0.0, 3.0, 3.0]])[0].numpy()
    against = np.array([0.2, 0.8])
    wins = [(1 / (1 + np.exp(against - r))).mean() for r in (0.0, 1.0, 0.5)]
    np.testing.assert_allclose(actual[:3], np.array(wins) - 0.5 - [0.05, 0, 0], atol=1e-12)
    assert actual[3:].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("method", "opponent"),
    [(NashMD(mixture=0.25), [0.25, 0.75]), (XPO(), [1.0, 0.0]), (NashMD(mixture=0.0), [0, 1])],
)
def test_half_of_the_responses_are_the_opponents(method, opponent):
    """Starting and current log-probabilities, mixed; the policy's half comes first."""
    solver = table_solver(method, [[0.0, 0.0, 0.0]])
    with torch.no_grad():
        solver.policy.theta += torch.tensor([[2.0, 0.0, -1.0]])
    n = 20_001
    drawn = solver.respond([0], n, np.random.default_rng(2))[0]
    ours, theirs = drawn[: n - n // 2], drawn[n - n // 2 :]
    assert len(theirs) == 10_000
    assert solver.tokens == n
    now = solver.policy.probabilities()[0]
    share = np.bincount(ours, minlength=3) / len(ours)
    np.testing.assert_allclose(share, now, atol=0.015)
    mixed = np.exp(opponent[1] * np.log(now))
    share = np.bincount(theirs, minlength=3) / len(theirs)
    np.testing.assert_allclose(share, mixed / mixed.sum(), atol=0.015)


def test_online_pairs_by_hand():
    rewards = np.array([[0.2, 0.9, 0.1, 0.4], [0.5, 0.5, 0.5, 0.5]])
    round = round_of(["x", "y"], [list("abcd"), list("efgh")], rewards)
    rng = np.random.default_rng(0)

    def pairs_of(method):
        pairs = method.compare(round, rng)
        return list(zip(pairs.prompts, pairs.chosen, pairs.rejected, strict=True)), pairs.ties

    assert pairs_of(OAIF()) == ([("x", "b", "c")], 1)
    assert pairs_of(OAIF(pair="first_two")) == ([("x", "b", "a")], 1)
    assert pairs_of(XPO()) == ([("x", "a", "c"), ("x", "b", "d")], 2)


def test_labels_are_drawn_by_bradley_terry():
    rewards = np.tile([[0.0, 1.5]], (20_000, 1))
    round = round_of([0] * 20_000, np.tile([[0, 1]], (20_000, 1)), rewards)
    pairs = OAIF(labels="drawn").compare(round, np.random.default_rng(0))
    assert np.mean(pairs.chosen) == pytest.approx(1 / (1 + np.exp(-1.5)), abs=0.01)


def test_the_bonus_of_xpo_is_on_the_response_of_the_starting_policy():
    """At the reference, DPO's part of a pair is symmetric: what's left is alpha."""
    method, rows = XPO(beta=0.4, alpha=0.2), []
    for better in (1, 2):  # the policy's response is 1, the starting policy's 2
        solver = table_solver(method, [[0.0, 0.0, 0.0]])
        rewards = np.array([[1.0, 0.0]]) if better == 1 else np.array([[0.0, 1.0]])
        solver.method.update(
            solver, round_of([0], np.array([[1, 2]]), rewards), np.random.default_rng(0)
        )
        rows.append(solver.policy.theta.grad[0].numpy())
    # The bonus lifts the others by alpha / 3 and pushes response 2 down by 2 alpha / 3.
    np.testing.assert_allclose(
        np.mean(rows, axis=0), 0.2 * np.array([-1 / 3, -1 / 3, 2 / 3]), atol=1e-12
    )
