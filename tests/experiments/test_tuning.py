"""Equal tuning: every arm gets the same number of configurations, on data of its own."""

from collections import Counter

import pytest

from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from experiments.comparison.arms import pair
from experiments.comparison.settings import Comparison
from experiments.comparison.tuning import (
    SEEDS,
    Trial,
    chosen,
    configurations,
    configured,
    middle_out,
    trials,
)

WORLD = TabularWorld(topics=2, levels=4, variants=2, responses=6)
ARMS = pair(["fresh", "uniform-evolve", "eva"], ["dpo", "rloo"], "hard", WORLD)


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_every_arm_gets_as_many_and_the_learning_rate_is_always_in_them(arm):
    tried = configurations(arm, 6)
    assert len(tried) == 6
    assert len({tuple(factors.items()) for factors in tried}) == 6
    assert set(tried[0].values()) == {1.0}, "the first is the arm as given"
    rates = [factors["solver.lr"] for factors in tried]
    assert Counter(rates).most_common(1)[0][1] == 2
    assert rates == [1.0, 0.5, 2.0, 0.25, 4.0, 1.0]
    assert tried == configurations(arm, 6)


def test_what_else_a_strategy_declares_varies():
    tried = configurations(ARMS[4], 12)
    for name in ("creator.depth", "creator.fraction", "creator.old_share", "solver.beta"):
        assert len({factors[name] for factors in tried}) > 1, name
    assert "creator.depth" not in configurations(ARMS[0], 2)[0]


def test_factors_multiply_the_settings_as_given():
    arm = configured(ARMS[4], {"solver.lr": 2.0, "creator.fraction": 1 / 3, "solver.beta": 1.0})
    creator, solver = arm.players
    assert (creator.fraction, solver.lr, solver.beta) == (0.25 / 3, 2 * 400 * 6e-4, 0.3)
    assert arm.name == ARMS[4].name


def test_settings_that_a_strategy_refuses_are_not_tried():
    """Three times a fraction of 0.5 would be more than the whole."""
    arm = pair(["eva:fraction=0.5"], ["dpo"], "hard", Wordlist())[0]
    assert {factors["creator.fraction"] for factors in configurations(arm, 20)} == {1 / 3, 1.0}


def test_a_grid_may_hold_fewer_than_asked_for():
    arm = pair(["fresh"], ["fixed"], "hard", Wordlist())[0]
    assert configurations(arm, 4) == [{}]
    assert middle_out((0.25, 0.5, 1.0, 2.0)) == [1.0, 0.5, 2.0, 0.25]


def test_trials_use_seeds_and_prompts_of_their_own():
    setting = Comparison.suited(WORLD, tune=2, tune_seeds=3, rounds=1, prompts=4, samples=2)
    planned = trials(setting, setting.arms)
    assert len(planned) == len(setting.arms) * 2 * 3
    assert {trial.seed for trial in planned} == {SEEDS, SEEDS + 1, SEEDS + 2}
    assert min(trial.settings.task.world_seed for trial in planned) == SEEDS
    (row,) = planned[0].play()
    assert (row["arm"], row["seed"]) == ("fresh-dpo", SEEDS)
    assert 0 < row["gold"] < 1
    assert list(planned[0].play()) == [row]


def test_validation_prompts_are_hard_and_in_no_suite(monkeypatch):
    """A trial's score is the mean gold reward on 256 prompts of the hard distribution."""
    scored = []
    monkeypatch.setattr(
        "experiments.comparison.tuning.evaluate",
        lambda player, prompts, gold, n, seed, limits: (
            scored.append(prompts) or gold(prompts, [["x"]] * 256)
        ),
    )
    task = Wordlist(suite_size=8)
    setting = Comparison.suited(task, rounds=1, prompts=2, samples=2)
    arm = setting.arms[0]
    trial = Trial(arm.name, 0, {}, SEEDS, setting.settings(arm, SEEDS), "hard")
    list(trial.play())
    assert len(set(scored[0])) == 256
    assert not set(scored[0]) & {prompt for suite in task.suites.values() for prompt in suite}
    assert min(len(prompt.split(", ")) for prompt in scored[0]) >= 3


def trial(configuration, lr, *scores):
    return [
        {"arm": "eva-dpo", "configuration": configuration, "factors": {"solver.lr": lr}}
        | {"seed": seed, "gold": score}
        for seed, score in enumerate(scores)
    ]


def test_the_best_mean_is_chosen_and_an_edge_is_flagged():
    arm = ARMS[4]
    rows = trial(0, 1.0, 0.5, 0.7) + trial(1, 0.5, 0.6, 0.5) + trial(2, 2.0, 0.9, 0.2)
    choice = chosen(arm, rows)
    assert (choice["configuration"], choice["factors"], choice["edges"]) == (
        0,
        {"solver.lr": 1.0},
        [],
    )
    assert [row["mean"] for row in choice["sweep"]] == pytest.approx([0.6, 0.55, 0.55])
    higher = chosen(arm, [*rows, *trial(3, 4.0, 0.9, 0.9)])
    assert (higher["configuration"], higher["edges"]) == (3, ["solver.lr"])
    lower = chosen(arm, [*rows, *trial(3, 0.25, 0.9, 0.9)])
    assert lower["edges"] == ["solver.lr"]


def test_a_trial_that_failed_may_be_played_again():
    rows = trial(0, 1.0, 0.5, 0.5) + trial(1, 0.5, 0.9, None)
    assert chosen(ARMS[4], rows)["configuration"] == 0
    again = chosen(ARMS[4], [*rows, trial(1, 0.5, 0.9, 0.9)[1]])
    assert (again["configuration"], again["sweep"][1]["gold"]) == (1, [0.9, 0.9])
    late = chosen(ARMS[4], [*reversed(trial(0, 1.0, 0.1, 0.2, 0.3))])
    assert late["sweep"][0]["gold"] == [0.1, 0.2, 0.3], "by seed, not as workers had time"


def test_a_configuration_that_failed_with_a_seed_is_out():
    rows = trial(0, 1.0, 0.5, 0.5) + trial(1, 0.5, 0.6, 0.5) + trial(2, 2.0, 0.9, None)
    choice = chosen(ARMS[4], rows)
    assert (choice["configuration"], choice["edges"]) == (1, ["solver.lr"])
    assert choice["sweep"][2]["mean"] is None
    assert chosen(ARMS[4], trial(0, 1.0, None))["configuration"] is None
    assert chosen(ARMS[0], rows)["sweep"] == []
