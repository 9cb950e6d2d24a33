"""Sentences claim what the data support, and no more."""

import pytest

from experiments.comparison.caveats import record_caveats, tuning_caveats
from experiments.comparison.conclusions import (
    conclusions,
    contrast,
    equilibrium,
    findings,
    head_room,
    headline,
    minimax,
    within,
)
from experiments.comparison.contrasts import decided
from experiments.comparison.next_step import next_seeds, next_step
from experiments.run.judging import SAME


def row(a="eva", b="fresh", mean=0.05, low=0.03, high=0.07, **more):
    given = {"a": a, "b": b, "mean": mean, "low": low, "high": high, "p_corrected": 0.01}
    given |= {"seeds": 3, "comparisons": 1, "family": "main", "within": None}
    return given | {"seeds_needed": 14} | more


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
        (row(mean=0.01, low=-0.01, high=0.03), "3 seeds: the data cannot distinguish them."),
        (row(comparisons=4), "p = 0.01 (both corrected for 4 comparisons), 3 seeds"),
        (
            row(low=None, high=None, p_corrected=None, seeds=1),
            "+5.0 points on 1 seed: one seed shows not",
        ),
        (
            row(mean=None, low=None, high=None, p_corrected=None, seeds=0),
            "eva and fresh cannot be compar",
        ),
    ],
)
def test_a_contrast_claims_no_more_than_its_interval(given, says):
    sentence = contrast(given, "win_rate")
    if given["mean"] and given["mean"] < 0:
        assert sentence.endswith("fresh is ahead of eva.")
    else:
        assert says in sentence


def test_gold_reward_has_its_own_units():
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
    sentence = headline(summary())
    assert sentence == (
        "eva-dpo comes first of 2 with a win rate against the starting policy on hard of "
        "70.0 % (95 % interval 69.0 to 71.0 %); eva beats fresh."
    )
    split = headline(summary(comparisons=[row(), row(family="within", within="dpo")]))
    assert split.endswith("; averaged over the other player, eva beats fresh.")
    open_ = headline(summary(comparisons=[row(low=-0.01)]))
    assert open_.endswith("; the data cannot distinguish eva from fresh.")
    assert "beats" not in open_


def test_comparisons_within_a_player_are_counted():
    rows = [row(within="dpo"), row(within="rloo", low=-0.01)]
    assert within(rows).endswith("together, 1 is decided: eva beats fresh with dpo.")
    assert within(rows[1:]).endswith("corrected together, none is decided.")


def test_untuned_settings_and_edges_are_admitted():
    assert "not tuned (--tune 0)" in tuning_caveats(summary())[0]
    tuned = {
        "eva-dpo": {"edges": ["solver.lr"], "sweep": [{"mean": 1.0}] * 3},
        "fresh-dpo": {"edges": [], "sweep": [{"mean": 1.0}]},
        "fresh-rloo": {"edges": [], "sweep": [{"mean": 1.0}, {"mean": None}, {"mean": 2.0}]},
    }
    edge, fewer, failed = tuning_caveats(summary(tune=3, tuning=tuned))
    assert "at the edge of the tried values for eva-dpo (solver.lr)" in edge
    assert fewer.startswith("The grid of fresh-dpo has fewer than 3 configurations")
    assert failed.startswith("Configurations of fresh-rloo failed")
    whole = {"a": {"edges": [], "sweep": [{"mean": 1.0}]}}
    assert tuning_caveats(summary(tune=1, tuning=whole)) == []


def game(probability, support):
    strategy = {
        "eva-dpo": {"probability": probability, "support": support},
        "fresh-dpo": {"probability": 1 - probability, "support": support and 1 - support},
    }
    value = {"mean": 0.2, "low": 0.1, "high": 0.3}
    return summary(games={"crossplay": {"value": value, "row": strategy, "column": strategy}})


def test_a_support_is_settled_only_if_the_bootstrap_agrees():
    value, rows, columns = equilibrium(game(1.0, 0.96))
    assert "with a regret of 0.200 (95 % interval 0.100 to 0.300)" in value
    assert "play eva-dpo with probability 1.00 (in 96 % of bootstrap draws): the" in rows
    assert rows.endswith("the data settle the support.")
    assert "solvers" in columns
    assert "do not settle" in equilibrium(game(1.0, 0.9))[1]
    assert equilibrium(summary(games={})) == []
    few = equilibrium(game(1.0, 1.0) | {"seeds": [0, 1, 2]})
    assert few[1].endswith(": 3 seeds cannot settle the support.")
    drawn = equilibrium(game(1.0, None) | {"seeds": [*range(20)]})
    assert drawn[1] == (
        "In it creators play eva-dpo with probability 1.00: 20 seeds cannot settle the support."
    )


def solved(lower_bound, upper):
    estimates = {
        name: {"mean": mean, "low": None, "high": None}
        for name, mean in (("worst_regret", 0.5), ("distance", 0.3), ("nash_conv", 0.4))
    }
    value = {"mean": 0.0 if upper == 0 else 0.2, "low": None, "high": None}
    oracle = estimates | {"distance": {"mean": 0.1, "low": None, "high": None}}
    arms = {
        name: numbers | {"lower_bound": lower_bound}
        for name, numbers in (("oracle-dpo", oracle), ("eva-dpo", estimates))
    }
    return summary(exact={"value": value, "upper": {"mean": upper}, "arms": arms})


def test_a_lower_bound_is_called_one():
    (sentence,) = minimax(solved(lower_bound=True, upper=0.2))
    assert "eva-dpo comes nearest" in sentence  # the oracle does not compete
    assert "with a worst case at least 0.300 above it" in sentence
    assert "a lower bound on its NashConv is 0.400" in sentence
    (sentence,) = minimax(solved(lower_bound=False, upper=0.2))
    assert "lower bound" not in sentence
    assert "its NashConv is 0.400" in sentence
    assert "--task.blind variant" in minimax(solved(lower_bound=False, upper=0.0))[0]
    assert minimax(summary(exact=None)) == []


def test_alarms_failures_and_unequal_budgets_are_named():
    alarms = {"eva-dpo/seed-0000": [{"alarm": "entropy"}, {"alarm": "entropy"}]}
    alarmed, failed = record_caveats(
        summary(alarms=alarms, cells=6, failures={"b": "x", "a": "y"})
    )
    assert alarmed == "Alarms (entropy) were raised in 1 of 6 cells."
    alarms["fresh-dpo/seed-0001"] = [{"alarm": "entropy"}, {"alarm": "cut_off"}]
    each, *_ = record_caveats(summary(alarms=alarms, cells=6, failures={}))
    assert each == "Alarms were raised: cut_off in 1 and entropy in 2 of 6 cells."
    assert failed == "2 cells failed and are left out: a and b."
    (sentence,) = record_caveats(summary(alarms={}, failures={}, reward_calls=100))
    assert sentence == (
        "Budgets are not equal: of 100 reward calls per seed, fresh-dpo used 97."
    )


def test_the_next_step_names_the_seeds_that_the_easiest_open_comparison_needs():
    easy = row(mean=0.02, low=-0.01, high=0.05, seeds_needed=14)
    hard = row(b="static", mean=0.01, low=-0.02, high=0.04, seeds_needed=57)
    given = summary(comparisons=[hard, easy, row()], failures={})
    assert next_step(given) == [
        "Next: to distinguish eva from fresh with 80 % power you need about 14 seeds "
        "(--seeds 14), if the true difference is the measured 2.0 points."
    ]
    assert next_seeds(given) == 14
    assert next_seeds(summary(comparisons=[easy], failures={}, seeds=[*range(20)])) == 21


@pytest.mark.parametrize("needed", [None, 1001])
def test_a_difference_too_small_to_detect_gets_no_impossible_advice(needed):
    tiny = row(mean=0.001, low=-0.01, high=0.012, seeds_needed=needed)
    given = summary(comparisons=[tiny], failures={})
    given["power"] |= {"seeds_needed": 25, "headroom": 0.3}
    (sentence,) = next_step(given)
    half = "add seeds (--seeds 25) to detect a difference of half the head-room (15.0 points);"
    assert half in sentence
    assert next_seeds(given) == 25
    given["power"]["seeds_needed"] = None
    (sentence,) = next_step(given)
    assert sentence.startswith("Next: take the intervals as the result, or use a larger suite")
    assert next_seeds(given) is None


def test_other_next_steps():
    failed = summary(failures={"a/seed-0000": "x"})
    assert next_step(failed) == ["Next: play the failed cells again (--resume)."]
    single = row(low=None, high=None, seeds=1, seeds_needed=None)
    alone = summary(comparisons=[single], failures={}, seeds=[0])
    assert "one seed shows nothing (--seeds 5)" in next_step(alone)[0]
    assert "--tune 6" in next_step(summary(failures={}))[0]
    assert next_step(summary(failures={}, tuning={"eva-dpo": {}})) == []
    assert next_step(summary(failures={}, comparisons=[])) == []
    assert next_seeds(summary(failures={})) is None


def test_without_an_oracle_the_head_room_is_unknown():
    given = summary()
    assert head_room(given) == "The starting policy scores 50.0 %; oracle-dpo reaches 80.0 %."
    del given["arms"]["oracle-dpo"]
    assert head_room(given).endswith("; without the oracle's runs the head-room is unknown.")


def test_the_findings_come_first_and_the_next_step_last():
    given = summary(games={}, exact=None, alarms={}, failures={})
    given["power"]["sentences"] = ["3 seeds detect a difference of 5.0 points."]
    sentences = conclusions(given)
    assert sentences[:2] == findings(given) == [headline(given), contrast(row(), "win_rate")]
    assert sentences[-1:] == next_step(given)
    assert given["power"]["sentences"][0] in sentences


def test_tiny_p_values_are_bounds_and_shares_differ_by_at_most_one():
    assert ", p < 0.0001, 3 seeds" in contrast(row(p_corrected=1e-9), "win_rate")
    wide = contrast(row(low=-0.2, high=1.3), "win_rate")
    assert "95 % interval -20.0 to +100.0 (clipped), p" in wide
    assert "95 % interval -0.2000 to +1.3000, p" in contrast(row(low=-0.2, high=1.3), "gold")


def test_a_win_rate_in_a_sentence_stays_below_100():
    given = summary()
    given["arms"]["eva-dpo"]["suites"]["hard"]["win_rate"] |= {"low": 0.36, "high": 1.04}
    assert "of 70.0 % (95 % interval 36.0 to 100.0 %, clipped);" in headline(given)


def tied(score, start=0.5, **more):
    given = summary(
        comparisons=[row(mean=0.0, low=0.0, high=0.0, p_corrected=1.0, seeds_needed=None)],
        power={"start": start, "seeds_needed": 25, "headroom": 0.3},
        failures={},
        **more,
    )
    for name in ("eva-dpo", "fresh-dpo"):
        same = {"mean": score, "low": score, "high": score}
        given["arms"][name]["suites"]["hard"]["win_rate"] = same
    return given


def test_an_exact_tie_has_no_winner_and_no_advice_on_seeds():
    unchanged = tied(0.5)
    assert headline(unchanged) == (
        "All 2 arms tie exactly on hard, at 50.0 %, the score of the starting policy: the "
        "policies did not change measurably."
    )
    (step,) = next_step(unchanged)
    assert "more rounds" in step
    assert "larger learning rate" in step
    assert "--seeds" not in step
    assert next_seeds(unchanged) is None
    assert headline(tied(0.7)).endswith(
        "at 70.0 %: this suite and judge cannot tell them apart."
    )
    assert "learning rate" not in next_step(tied(0.7))[0]


@pytest.mark.parametrize("changes", [{"high": 0.02}, {"low": -0.02}, {"mean": 0.01}])
def test_equal_means_with_an_interval_are_no_exact_tie(changes):
    given = tied(0.5)
    given["comparisons"][0] |= changes
    assert "comes first of 2" in headline(given)
    assert next_seeds(given) == 25


def test_the_judge_is_named_without_folders_and_gold_is_not():
    def caveats(judged_by, **conditions):
        settings = {"conditions": conditions}
        given = summary(alarms={}, failures={}, judged_by=judged_by, settings=settings)
        return record_caveats(given | {"reward_calls": 98})

    def judged(*arguments, **conditions):
        return next(line for line in caveats(*arguments, **conditions) if "udged by" in line)

    assert judged("/home/me/score.py:judge") == "Judged by score.py:judge."
    assert judged("pairwise:/home/me/ranker") == "Judged by pairwise:ranker."
    assert judged(SAME, reward="/home/me/score.py:judge").startswith(
        "Judged by score.py:judge, the reward that trains: a gain may be"
    )
    own = judged(SAME, reward="gold", reward_model={"type": "/home/me/own.py:Mine"})
    assert own.startswith("Judged by own.py:Mine, the reward that trains")
    assert not any("udged by" in line for line in caveats("gold"))


def test_an_estimated_regret_is_called_so():
    estimated = game(1.0, 0.96) | {"crossplay": {"unit": "estimated regret"}}
    assert "an equilibrium with an estimated regret of 0.200" in equilibrium(estimated)[0]
    (sentence, *_) = record_caveats(
        estimated | {"alarms": {}, "failures": {}, "judged_by": "/home/me/score.py:judge"}
    )
    assert sentence.startswith("The judge does not know the best response, so cross-play is")


def test_a_judge_other_than_gold_has_no_gold_reward():
    given = summary(metric="gold", judged_by="/home/me/score.py:judge")
    for arm in given["arms"].values():
        arm["suites"]["hard"]["gold"] = arm["suites"]["hard"]["win_rate"]
    assert "with a judge's reward on hard of" in headline(given)
    assert "with a gold reward on hard of" in headline(given | {"judged_by": "gold"})
