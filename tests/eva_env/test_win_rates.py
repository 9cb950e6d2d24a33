"""Pairwise judges reduced to win rates, by brute force and by hand."""

import math

import numpy as np
import pytest

from eva_env.rewards import (
    PairwiseWinRate,
    win_rates,
)
from eva_env.tabular.reward import TabularReward
from tests.support.reward_cases import TABLE


def by_brute_force(rewards, temperature, bias, include_self):
    """Return win rates by two loops and the definition of the two orders."""

    def first_wins(a, b):
        return 1 / (1 + math.exp(-((a - b) / temperature + bias)))

    rates = []
    for i, reward in enumerate(rewards):
        wins = [0.5] if include_self else []
        for j, opponent in enumerate(rewards):
            if i != j:
                wins.append(
                    (first_wins(reward, opponent) + 1 - first_wins(opponent, reward)) / 2
                )
        rates.append(sum(wins) / len(wins))
    return rates


@pytest.mark.parametrize("n", range(2, 9))
@pytest.mark.parametrize("include_self", [True, False])
def test_win_rates_by_brute_force(n, include_self):
    rng = np.random.default_rng(n)
    table, bias = TabularReward(rng.normal(size=(3, n))), 0.7
    model = PairwiseWinRate(0.4, bias, include_self).over(table)
    responses = np.array([rng.permutation(n) for _ in range(3)])
    rates, rewards = model([2, 0, 1], responses), table([2, 0, 1], responses)
    expected = [by_brute_force(row, 0.4, bias, include_self) for row in rewards]
    assert rates == pytest.approx(np.array(expected))
    assert rates.mean(-1) == pytest.approx([0.5] * 3)
    assert (rates.argsort() == rewards.argsort()).all()


def test_two_responses_by_hand():
    """sigmoid(log 3) = 3/4; with itself (3/4 + 1/2) / 2 = 5/8."""
    model = TabularReward(np.array([[math.log(3), 0.0]]))
    without = PairwiseWinRate(include_self=False).over(model)
    assert without([0], [[0, 1]])[0].tolist() == pytest.approx([3 / 4, 1 / 4])
    assert PairwiseWinRate().over(model)([0], [[0, 1]])[0].tolist() == pytest.approx(
        [5 / 8, 3 / 8]
    )


def test_both_orders_cancel_position_bias():
    first = np.broadcast_to(np.where(np.eye(5, dtype=bool), 0.5, 1.0), (2, 5, 5))
    assert (win_rates(first) == 0.5).all()
    judge = PairwiseWinRate(position_bias=2.0).over(TABLE)
    seen = judge.compare([0], [[0, 1, 2]])[0]
    assert seen[0, 1] + seen[1, 0] > 1.1
    wins = (seen + 1 - seen.T) / 2
    assert wins + wins.T == pytest.approx(np.ones((3, 3)))


def test_the_best_of_six_is_chosen_and_the_worst_rejected():
    """The authors' code took the last five of six scores for the first five responses."""
    rewards = np.random.default_rng(0).normal(size=(500, 6))
    judge = PairwiseWinRate().over(TabularReward(rewards))
    rates = judge(list(range(500)), np.tile(np.arange(6), (500, 1)))
    assert (rates.argmax(-1) == rewards.argmax(-1)).all()
    assert (rates.argmin(-1) == rewards.argmin(-1)).all()


def test_a_judge_of_your_own_is_a_subclass_or_a_function():
    def longer(prompts, responses):
        length = np.array([[len(response) for response in row] for row in responses])
        return (np.sign(length[:, :, None] - length[:, None, :]) + 1) / 2

    class Longer(PairwiseWinRate):
        def compare(self, prompts, responses):
            return longer(prompts, responses)

    expected = [[1 / 6, 1 / 2, 5 / 6]]
    assert win_rates(longer(["p"], [["a", "bb", "ccc"]])) == pytest.approx(np.array(expected))
    assert Longer()(["p"], [["a", "bb", "ccc"]]) == pytest.approx(np.array(expected))
    with pytest.raises(ValueError, match=r"shape \(B, n, n\)"):
        win_rates(np.zeros((2, 3)))
