"""Comparisons by a judge, and a table that learns from them."""

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
from experiments.run.setup import training_reward
from tests.support.reward_cases import TABLE, WORLD, played


def test_one_comparison_moves_both_scores_alike():
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

    found = optimize.minimize(objective, before.ravel(), method="BFGS", tol=1e-9).x
    fitted = fit(before, comparisons, tie)
    assert fitted == pytest.approx(found.reshape(3, 5) / sharpness, abs=1e-5)


def test_many_comparisons_recover_the_differences_of_gold():
    gold = np.array([[0.1, 0.4, 0.3, 0.9]])
    judge = Retrained(comparisons=60_000, sharpness=5.0)
    answers = np.tile(np.arange(4), (20_000, 1))
    asked = judge.ask(TabularReward(gold), [0] * 20_000, answers, np.random.default_rng(0))
    fitted = fit(np.zeros((1, 4)), asked, 1e-3)
    assert np.diff(fitted) == pytest.approx(np.diff(gold), abs=0.02)


def test_a_judge_compares_different_responses_once_and_errs_as_often_as_it_should():
    judge = Retrained(comparisons=1000, sharpness=4.0)
    gold, rng = TabularReward(np.array([[0.0, 0.5]])), np.random.default_rng(0)
    answers = np.tile([0, 1, 1], (300, 1))
    asked = judge.ask(gold, [0] * 300, answers, rng)
    assert len(asked) == 600
    assert all(a != b for a, b in zip(asked.chosen, asked.rejected, strict=True))
    assert np.mean(asked.chosen) == pytest.approx(1 / (1 + math.exp(-2)), abs=0.04)
    assert len(judge.ask(gold, [0], [[1, 1]], rng)) == 0
    few = Retrained(comparisons=50).ask(gold, [0] * 300, answers, rng)
    assert (len(few), sum(few.chosen)) == (50, 50)


def test_retraining_comes_every_few_rounds_and_only_when_asked():
    asked = []

    def gold(prompts, responses):
        asked.append(len(prompts))
        return TABLE(prompts, responses)

    model = Retrained(every=2, comparisons=4).over(TabularReward(np.zeros((2, 3))), gold)
    answers = np.tile(np.arange(3), (2, 1))
    first = model.advance(played([0, 1], answers, 0))
    assert first is model
    second = first.advance(played([0, 1], answers, 1))
    assert asked == [2]
    assert "current" not in vars(second)
    assert (model([0, 1], answers) == 0).all()
    assert (second([0, 1], answers) != 0).any()
    third = second.advance(played([0, 1], answers, 2))
    assert (third([0, 1], answers) == second([0, 1], answers)).all()
    assert asked == [2]


def test_retraining_needs_a_base_that_learns():
    with pytest.raises(ValueError, match="Gold has no method refit"):
        training_reward(Wordlist(), "gold", Retrained())


def test_retraining_takes_a_hack_out_of_the_proxy():
    """The last response is worth 1 by the proxy and 0 by gold, on every prompt."""
    model = Retrained(every=1).over(WORLD.reward_model(), WORLD.gold_reward())
    prompts, answers = list(range(8)), np.tile(np.arange(6), (8, 1))
    assert (model(prompts, answers).argmax(-1) == 5).all()
    for index in range(6):
        model = model.advance(played(prompts, answers, index))
    after, gold = model(prompts, answers), WORLD.gold
    assert (after.argmax(-1) < 5).all()
    assert (
        np.take_along_axis(gold, after.argmax(-1)[:, None], 1).mean()
        > gold.max(-1).mean() - 0.05
    )
