"""Ensembles: numbers by hand, and the optimism that they remove."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eva_env.rewards import (
    Ensemble,
    LengthBiased,
    Noisy,
)
from eva_env.tabular.reward import TabularReward
from eva_env.wordlist import Gold
from tests.support.reward_cases import IDS, PROMPTS, TABLE, WORDS, WORLD, played

REDUCTIONS: Any = ("mean", "min", "mean_minus_spread")


def members(*tables):
    return [TabularReward(np.array([table])) for table in tables]


def test_ensembles_by_hand():
    """Columns (1, 3, 5) and (2, 2, 2): mean 3 and 2, minimum 1 and 2, std sqrt(8/3) and 0."""
    three = members([1.0, 2.0], [3.0, 2.0], [5.0, 2.0])
    expected: dict[Any, list[float]] = {
        "mean": [3.0, 2.0],
        "min": [1.0, 2.0],
        "mean_minus_spread": [3 - 2 * math.sqrt(8 / 3), 2.0],
    }
    for reduce, rewards in expected.items():
        model = Ensemble(reduce=reduce, coefficient=2.0).over(three)
        assert model([0], [[0, 1]])[0].tolist() == pytest.approx(rewards)
        assert model.best([0])[0] == pytest.approx(max(rewards))


def errors(count, std=0.4):
    return [Noisy(std=std, fixed=True, seed=seed).over(TABLE) for seed in range(count)]


@given(st.integers(1, 6), st.floats(0, 2))
def test_pessimistic_ensembles_give_at_most_the_mean(count, std):
    every = np.broadcast_to(np.arange(3), (2, 3))
    mean, least, careful = (
        Ensemble(reduce=reduce).over(errors(count, std))([0, 1], every) for reduce in REDUCTIONS
    )
    assert (least <= mean + 1e-12).all()
    assert (careful <= mean + 1e-12).all()
    if count <= 2:  # half the difference of two numbers is their standard deviation
        assert least == pytest.approx(careful)


def test_pessimistic_ensembles_overestimate_less_where_members_do_not_share_errors():
    """Best of 64 by reward: each model's reward minus the gold reward, the winner's curse."""
    gold = TabularReward(np.random.default_rng(0).random((300, 64)))
    noisy = [Noisy(std=0.3, fixed=True, seed=seed).over(gold) for seed in range(4)]
    prompts, every = list(range(300)), np.tile(np.arange(64), (300, 1))

    def overestimate(model):
        rewards = model(prompts, every)
        chosen = rewards.argmax(-1)[:, None]
        promised = np.take_along_axis(rewards, chosen, 1)
        return (promised - gold(prompts, chosen)).mean(), gold(prompts, chosen).mean()

    single, truth = overestimate(noisy[0])
    results = {
        reduce: overestimate(Ensemble(reduce=reduce).over(noisy)) for reduce in REDUCTIONS
    }
    assert single > results["mean"][0] > results["mean_minus_spread"][0] > results["min"][0]
    assert min(value for _, value in results.values()) > truth + 0.04


def test_the_minimum_of_noisy_members_has_no_known_mean():
    noisy = [Noisy(seed=seed).over(TABLE) for seed in range(3)]
    assert hasattr(Ensemble(reduce="mean").over(noisy), "best")
    assert not hasattr(Ensemble(reduce="min").over(noisy), "best")
    assert hasattr(Ensemble(reduce="min").over(errors(3)), "best")
    assert not hasattr(Ensemble().over([Gold(), LengthBiased().over(Gold())]), "best")
    later = Ensemble().over(noisy).advance(played([0], [[0, 1]], 6))
    assert [model.index for model in later.base] == [7, 7, 7]


def test_bootstrapped_members_differ_only_on_the_prompts_of_the_comparisons():
    gold, proxy = WORLD.reward_model("gold"), WORLD.reward_model("proxy")
    settings = Ensemble(members=3, comparisons=20)
    ensemble = settings.bootstrap(proxy, gold, [1, 3, 5, 7], IDS)
    tables = np.stack([model.matrix for model in ensemble.base])
    assert (tables[:, ::2] == proxy.matrix[::2]).all()
    assert (tables.std(0)[1::2] > 1e-3).mean() > 0.5
    again = settings.bootstrap(proxy, gold, [1, 3, 5, 7], IDS)
    assert (np.stack([model.matrix for model in again.base]) == tables).all()
    with pytest.raises(ValueError, match="Gold has no method refit"):
        settings.bootstrap(Gold(), Gold(), PROMPTS, WORDS)
    with pytest.raises(ValueError, match="needs at least one member"):
        settings.over([])
