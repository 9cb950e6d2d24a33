"""Responses without a reward (NaN): methods leave them out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.policies.table import TablePolicy
from agents.solvers import GRPO, OAIF, PPO, RLOO, SPPO, BestOfN, PolicySolver
from agents.solvers.pairs import BUILDERS, build, win_rates
from tests.support.online_rounds import round_of
from tests.support.rounds import a_round

NAN = float("nan")


def named(preferences):
    prompts = [preferences.prompts[i] for i in preferences.item]
    return list(zip(prompts, preferences.chosen, preferences.rejected, strict=True))


@pytest.mark.parametrize("pairs", BUILDERS)
def test_pairs_with_missing_rewards_are_those_of_the_scored_responses(pairs):
    rewards = np.random.default_rng(0).random((6, 3))
    padded = np.insert(rewards, 1, NAN, axis=1)
    full, missing = (
        build(a_round(table), pairs, rng=np.random.default_rng(1))
        for table in (rewards, padded)
    )
    renamed = {f"x{i}y{j}": f"x{i}y{j + (j >= 1)}" for i in range(6) for j in range(3)}
    if pairs == "best_random":  # another draw, but never of the missing response
        assert not any(response.endswith("y1") for response in missing.rejected)
        assert [renamed[response] for response in full.chosen] == missing.chosen
    else:
        expected = [
            (x, renamed[chosen], renamed[rejected]) for x, chosen, rejected in named(full)
        ]
        assert named(missing) == expected
        assert np.array_equal(full.wins[:, 0], missing.wins[:, 0])
    assert (missing.ties, missing.narrow) == (0, 0)


def test_a_prompt_with_one_reward_or_none_is_neither_a_pair_nor_a_tie():
    rewards = [[0.4, NAN, NAN], [NAN, NAN, NAN], [0.5, 0.5, NAN]]
    for pairs in BUILDERS:
        preferences = build(a_round(rewards), pairs, rng=np.random.default_rng(0))
        assert len(preferences.item) == 0
        assert preferences.ties == 1


def test_best_against_random_draws_scored_responses_equally_often():
    round = a_round(np.tile([0.1, 0.9, NAN, 0.2], (2000, 1)))
    rejected = build(round, "best_random", rng=np.random.default_rng(0)).rejected
    shares = [np.mean([text.endswith(f"y{j}") for text in rejected]) for j in range(4)]
    assert shares == pytest.approx([0.5, 0, 0, 0.5], abs=4 * np.sqrt(0.25 / 2000))


def test_win_rates_count_scored_opponents_only():
    rates = win_rates(np.array([[1.0, NAN, 0.0]]))
    assert np.array_equal(rates[:, [0, 2]], win_rates(np.array([[1.0, 0.0]])))
    assert np.isnan(rates[0, 1])


def rewards_with_a_missing_one():
    rewards = np.array([[0.0, 1.0], [0.2, 0.7], [1.0, 0.0]])
    missing = rewards.copy()
    missing[1, 0] = NAN
    return missing, np.delete(rewards, 1, 0)


@pytest.mark.parametrize("method", [RLOO(lr=0.1), GRPO(lr=0.1), PPO(lr=0.1)])
def test_an_online_method_learns_as_if_the_prompt_were_not_in_the_round(method):
    thetas = []
    for prompts, rewards in zip(
        (np.array([0, 1, 2]), np.array([0, 2])), rewards_with_a_missing_one(), strict=True
    ):
        solver = PolicySolver(TablePolicy(np.zeros((3, 2))), method)
        responses = np.tile([0, 1], (len(prompts), 1))
        solver.learn(round_of(prompts, responses, rewards), np.random.default_rng(0))
        thetas.append(solver.policy.theta.detach())
    assert torch.equal(*thetas)
    assert thetas[0].abs().max() > 0


def test_a_round_without_rewards_moves_nothing():
    for method in (RLOO(), OAIF(), SPPO()):
        solver = PolicySolver(TablePolicy(np.zeros((2, 2))), method)
        round = round_of(np.array([0, 1]), np.array([[0, 1], [0, 1]]), np.full((2, 2), NAN))
        assert solver.learn(round, np.random.default_rng(0))["gradient_steps"] == 0


def test_online_pairs_leave_out_missing_rewards_and_do_not_count_them_as_ties():
    round = a_round([[0.2, NAN, 0.9], [NAN, NAN, 0.3], [0.5, 0.5, NAN]])
    preferences = OAIF().compare(round, np.random.default_rng(0))
    assert named(preferences) == [("x0", "x0y2", "x0y0")]
    assert preferences.ties == 1
    first_two = replace(OAIF(), pair="first_two").compare(round, np.random.default_rng(0))
    assert (len(first_two.item), first_two.ties) == (0, 1)


def test_the_best_of_n_is_a_scored_candidate():
    rewards = [[None, 0.1, None, 0.4]]
    solver = PolicySolver(TablePolicy(np.zeros((1, 50))), BestOfN(4), lambda x, y: rewards)
    chosen = solver.respond([0], 1, np.random.default_rng(0))
    stream = np.random.default_rng(np.random.default_rng(0).integers(2**63))
    assert chosen[0, 0] == solver.policy.sample([0], 4, stream)[0, 3]


def test_sppo_takes_win_rates_with_a_missing_one():
    round = round_of(np.array([0]), np.array([[0, 1, 1]]), np.array([[0.8, NAN, 0.2]]))
    assert SPPO(pairwise=True).wins(round) is round.rewards
    with pytest.raises(ValueError, match=r"0.2 ... 1.8"):
        SPPO(pairwise=True).wins(replace(round, rewards=np.array([[1.8, NAN, 0.2]])))
