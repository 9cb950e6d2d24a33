"""Comparisons by a judge, and a matrix that is fitted to them."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from eva_env.rewards import (
    Comparisons,
    Retrained,
)
from eva_env.tabular.reward import TabularReward, fit
from eva_env.wordlist import Wordlist
from experiments.run.rewards import training_reward
from tests.support.reward_cases import TABLE, WORLD, played


def test_one_comparison_moves_both_scores_equally():
    """With s = 20 r and s_a = s_b before: tie d = sigmoid(-2 d) for the change d of each."""
    before, tie = np.full((2, 3), 0.5), 0.3
    after = fit(before, Comparisons([1], [2], [0], 20.0), tie)
    change: Any = optimize.brentq(lambda d: tie * d - 1 / (1 + math.exp(2 * d)), 0, 10)
    expected = before.copy()
    expected[1, 2] += change / 20
    expected[1, 0] -= change / 20
    assert after == pytest.approx(expected, abs=1e-10)
    assert (before == 0.5).all()


def test_the_fit_is_the_minimum_that_scipy_finds():
    rng = np.random.default_rng(0)
    before, sharpness, tie = rng.random((3, 5)), 8.0, 0.05
    prompts, chosen = rng.integers(3, size=60), rng.integers(5, size=60)
    rejected = (chosen + rng.integers(1, 5, size=60)) % 5
    comparisons = Comparisons(prompts.tolist(), chosen.tolist(), rejected.tolist(), sharpness)

    def objective(flat):
        scores, start = flat.reshape(3, 5), sharpness * before
        margin = scores[prompts, chosen] - scores[prompts, rejected]
        return np.logaddexp(0, -margin).sum() + tie / 2 * ((scores - start) ** 2).sum()

    minimum = optimize.minimize(objective, before.ravel(), method="BFGS", tol=1e-9).x
    fitted = fit(before, comparisons, tie)
    assert fitted == pytest.approx(minimum.reshape(3, 5) / sharpness, abs=1e-5)


def test_many_comparisons_recover_the_differences_of_gold():
    gold = np.array([[0.1, 0.4, 0.3, 0.9]])
    judge = Retrained(comparisons=60_000, sharpness=5.0)
    responses = np.tile(np.arange(4), (20_000, 1))
    drawn = judge.draw_comparisons(
        TabularReward(gold), [0] * 20_000, responses, np.random.default_rng(0)
    )
    fitted = fit(np.zeros((1, 4)), drawn, 1e-3)
    assert np.diff(fitted) == pytest.approx(np.diff(gold), abs=0.02)


def test_a_judge_compares_different_responses_once_and_errs_as_often_as_it_should():
    judge = Retrained(comparisons=1000, sharpness=4.0)
    gold, rng = TabularReward(np.array([[0.0, 0.5]])), np.random.default_rng(0)
    responses = np.tile([0, 1, 1], (300, 1))
    drawn = judge.draw_comparisons(gold, [0] * 300, responses, rng)
    assert len(drawn) == 600
    assert all(a != b for a, b in zip(drawn.chosen, drawn.rejected, strict=True))
    assert np.mean(drawn.chosen) == pytest.approx(1 / (1 + math.exp(-2)), abs=0.04)
    assert len(judge.draw_comparisons(gold, [0], [[1, 1]], rng)) == 0
    few = Retrained(comparisons=50).draw_comparisons(gold, [0] * 300, responses, rng)
    assert (len(few), sum(few.chosen)) == (50, 50)


def test_retraining_happens_every_few_rounds_and_only_when_the_model_is_called():
    calls = []

    def gold(prompts, responses):
        calls.append(len(prompts))
        return TABLE(prompts, responses)

    model = Retrained(every=2, comparisons=4).over(TabularReward(np.zeros((2, 3))), gold)
    responses = np.tile(np.arange(3), (2, 1))
    first = model.advance(played([0, 1], responses, 0))
    assert first is model
    second = first.advance(played([0, 1], responses, 1))
    assert calls == [2]
    assert "current" not in vars(second)
    assert (model([0, 1], responses) == 0).all()
    assert (second([0, 1], responses) != 0).any()
    third = second.advance(played([0, 1], responses, 2))
    assert (third([0, 1], responses) == second([0, 1], responses)).all()
    assert calls == [2]


def test_retraining_needs_a_base_that_can_be_refitted():
    with pytest.raises(ValueError, match="Gold has no method refit"):
        training_reward(Wordlist(), "gold", Retrained())


def test_retraining_removes_a_hack_from_the_proxy():
    """The last response has the proxy reward 1 and the gold reward 0, on every prompt."""
    model = Retrained(every=1).over(WORLD.reward_model(), WORLD.gold_reward())
    prompts, responses = list(range(8)), np.tile(np.arange(6), (8, 1))
    assert (model(prompts, responses).argmax(-1) == 5).all()
    for index in range(6):
        model = model.advance(played(prompts, responses, index))
    after, gold = model(prompts, responses), WORLD.gold
    assert (after.argmax(-1) < 5).all()
    assert (
        np.take_along_axis(gold, after.argmax(-1)[:, None], 1).mean()
        > gold.max(-1).mean() - 0.05
    )
