"""Sentences say what the data support, and no more."""

import pytest

from experiments.comparison.caveats import trouble, tuning
from experiments.comparison.conclusions import (
    contrast,
    decided,
    equilibrium,
    exact,
    headline,
    within,
)


def row(a="eva", b="fresh", mean=0.05, low=0.03, high=0.07, **more):
    given = {"a": a, "b": b, "mean": mean, "low": low, "high": high, "p": 0.01}
    return given | {"seeds": 3, "comparisons": 1, "family": "main", "within": None} | more


def summary(**more):
    scores = {"eva-dpo": 0.7, "fresh-dpo": 0.65, "oracle-dpo": 0.8}
    arms = {
        name: {
            "ceiling": name.startswith("oracle"),
            "budget": {"reward_calls": 97 if name == "fresh-dpo" else 99},
            "suites": {
                "hard": {"win_rate": {"mean": score, "low": score - 0.01, "high": score + 0.01}}
            },
        }
        for name, score in scores.items()
    }
    given = {
        "votes": None,
        "arms": arms,
        "metric": "win_rate",
        "suite": "hard",
        "tune": 0,
        "tuning": None,
        "seeds": [*range(10)],
        "reward_calls": 98,
    }
    return given | {"comparisons": [row()], "power": {"start": 0.5}} | more


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            row(),
            "eva - fresh: +5.0 points, 95 % interval +3.0 to +7.0, p = 0.01, 3 seeds: eva is",
        ),
        (row(mean=-0.05, low=-0.07, high=-0.03), "+3.0 to"),
        (row(mean=0.01, low=-0.01, high=0.03), "these data do not tell which of the two is ah"),
        (row(comparisons=4), "p = 0.04 (both corrected for 4 comparisons), 3 seeds"),
        (
            row(low=None, high=None, p=None, seeds=1),
            "+5.0 points on 1 seed: one seed shows not",
        ),
        (
            row(mean=None, low=None, high=None, p=None, seeds=0),
            "eva and fresh cannot be compar",
        ),
    ],
)
def test_a_contrast_claims_no_more_than_its_interval(given, says):
    told = contrast(given, "win_rate")
    if given["mean"] and given["mean"] < 0:
        assert told.endswith("fresh is ahead of eva.")
    else:
        assert says in told


def test_gold_reward_is_told_in_its_own_units():
    assert contrast(row(), "gold").startswith("eva - fresh: +0.0500, 95 % interval +0.0300 to")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (row(), ("eva", "fresh")),
        (row(mean=-0.05, low=-0.07, high=-0.03), ("fresh", "eva")),
        (row(mean=0.03, low=0.0, high=0.06), (None, None)),
        (row(low=None, high=None), (None, None)),
    ],
)
def test_who_is_ahead(given, expected):
    assert decided(given) == expected


def test_the_headline_names_the_first_of_the_competitors():
    told = headline(summary())
    assert told == (
        "eva-dpo comes first of 2 with a win rate against the start on hard of 70.0 % (95 % "
        "interval 69.0 to 71.0 %); eva beats fresh."
    )
    split = headline(summary(comparisons=[row(), row(family="within", within="dpo")]))
    assert split.endswith("; averaged over the other player, eva beats fresh.")
    open_ = headline(summary(comparisons=[row(low=-0.01)]))
    assert open_.endswith("; these data do not tell eva from fresh.")
    assert "beats" not in open_


def test_comparisons_within_a_player_are_counted():
    rows = [row(within="dpo"), row(within="rloo", low=-0.01)]
    assert within(rows).endswith("together, 1 holds: eva beats fresh with dpo.")
    assert within(rows[1:]).endswith("corrected together, none holds.")


def test_untuned_settings_and_edges_are_admitted():
    assert "not tuned (--tune 0)" in tuning(summary())[0]
    tuned = {
        "eva-dpo": {"edges": ["solver.lr"], "sweep": [{"mean": 1.0}] * 3},
        "fresh-dpo": {"edges": [], "sweep": [{"mean": 1.0}]},
        "fresh-rloo": {"edges": [], "sweep": [{"mean": 1.0}, {"mean": None}, {"mean": 2.0}]},
    }
    edge, fewer, failed = tuning(summary(tune=3, tuning=tuned))
    assert "edge of what was tried for eva-dpo (solver.lr)" in edge
    assert fewer.startswith("The grid of fresh-dpo holds fewer configurations")
    assert failed.startswith("Configurations of fresh-rloo failed")
    whole = {"a": {"edges": [], "sweep": [{"mean": 1.0}]}}
    assert tuning(summary(tune=1, tuning=whole)) == []


def game(probability, support):
    law = {
        "eva-dpo": {"probability": probability, "support": support},
        "fresh-dpo": {"probability": 1 - probability, "support": support and 1 - support},
    }
    value = {"mean": 0.2, "low": 0.1, "high": 0.3}
    return summary(games={"crossplay": {"value": value, "row": law, "column": law}})


def test_a_support_is_settled_only_if_the_bootstrap_agrees():
    value, rows, columns = equilibrium(game(1.0, 0.96))
    assert "at a regret of 0.200 (95 % interval 0.100 to 0.300)" in value
    assert "play eva-dpo with probability 1.00 (in 96% of bootstrap draws): these" in rows
    assert rows.endswith("these data settle the support.")
    assert "solvers" in columns
    assert "do not settle" in equilibrium(game(1.0, 0.9))[1]
    assert equilibrium(summary(games={})) == []
    few = equilibrium(game(1.0, 1.0) | {"seeds": [0, 1, 2]})
    assert few[1].endswith(": 3 seeds cannot settle the support.")
    drawn = equilibrium(game(1.0, None) | {"seeds": [*range(20)]})
    assert drawn[1] == (
        "There the creators play eva-dpo with probability 1.00: 20 seeds cannot settle the "
        "support."
    )


def known(lower_bound, upper):
    figures = {
        name: {"mean": mean, "low": None, "high": None}
        for name, mean in (("worst_regret", 0.5), ("distance", 0.3), ("nash_conv", 0.4))
    }
    value = {"mean": 0.0 if upper == 0 else 0.2, "low": None, "high": None}
    oracle = figures | {"distance": {"mean": 0.1, "low": None, "high": None}}
    arms = {
        name: own | {"lower_bound": lower_bound}
        for name, own in (("oracle-dpo", oracle), ("eva-dpo", figures))
    }
    return summary(exact={"value": value, "upper": {"mean": upper}, "arms": arms})


def test_a_lower_bound_is_called_one():
    (told,) = exact(known(lower_bound=True, upper=0.2))
    assert "eva-dpo comes nearest" in told  # the oracle does not compete
    assert "with a worst case at least 0.300 above it" in told
    assert "a lower bound on its NashConv is 0.400" in told
    (told,) = exact(known(lower_bound=False, upper=0.2))
    assert "lower bound" not in told
    assert "its NashConv is 0.400" in told
    assert "--task.blind variant" in exact(known(lower_bound=False, upper=0.0))[0]
    assert exact(summary(exact=None)) == []


def test_trouble_is_told():
    alarms = {"eva-dpo/seed-0000": [{"alarm": "entropy"}, {"alarm": "entropy"}]}
    one, two = trouble(summary(alarms=alarms, cells=6, failures={"b": "x", "a": "y"}))
    assert one == "Alarms (entropy) rang in 1 of 6 cells."
    assert two == "2 cells failed and are left out: a and b."
    (told,) = trouble(summary(alarms={}, failures={}, reward_calls=100))
    assert told == "Budgets are not equal: of 100 reward calls a seed, fresh-dpo 97 were spent."
