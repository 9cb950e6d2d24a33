"""Alarms: each is raised beyond its bound only, in runs that go wrong and in no others."""

import json
import math
from dataclasses import replace

import pytest

from agents.creators import Eva, Fresh, PolicyGradient, UniformEvolve
from agents.solvers import DPO, RLOO
from eva_env.tabular.world import TabularWorld
from experiments import cli
from experiments.run.alarms import Alarms, Watch, gold_fall, gold_loss, kl_speed, length
from experiments.run.config import describe
from experiments.run.records import Run
from experiments.run.settings import Settings
from experiments.run.train import train

ROUND = {
    "round": 2,
    "budget": {"prompts": 20},
    "proposed": 40,
    "distinct_prompts": 9,
    "entropy": math.log(30),
    "effective": 8.0,
    "cluster_share": 0.2,
    "no_gradient": 0.1,
}


def judged(round, suite="hard", **scores):
    start = {"gold": 0.5, "kl": 0.0, "length": 4.0, "proxy": 1.0}
    return {"round": round, "suite": suite, **start} | scores


HEALTHY = [judged(0), judged(2, kl=2.0, length=5.0, gold=0.6, proxy=2.0)]


def raised(row=ROUND, evaluations=HEALTHY, before=(), **bounds):
    return Watch(Alarms(**bounds), list(evaluations), before).raised(row)


def test_a_healthy_run_raises_nothing():
    assert raised() == {}


@pytest.mark.parametrize(
    ("alarm", "bound", "value", "change"),
    [
        ("distinct_prompts", "min_distinct", 0.2, {"distinct_prompts": 2}),  # of 10 drawn
        ("entropy", "min_entropy", 0.25, {"entropy": math.log(40) / 4}),
        ("effective", "min_effective", 0.2, {"effective": 2.0}),  # 10 drawn of 40 proposed
        ("effective", "min_effective", 0.2, {"effective": 1.0, "proposed": 5}),
        ("cluster_share", "max_cluster", 0.6, {"cluster_share": 0.6}),
        ("no_gradient", "max_no_gradient", 0.97, {"no_gradient": 0.97}),
        ("cut_off", "max_cut_off", 0.6, {"cut_off": 0.6}),
    ],
)
def test_prompts_raise_an_alarm_beyond_its_bound_only(alarm, bound, value, change):
    row = ROUND | change
    (found,) = raised(row).values()
    text = found.pop("text")
    threshold = getattr(Alarms(), bound)
    assert found == {
        "round": 2,
        "alarm": alarm,
        "value": pytest.approx(value),
        "threshold": threshold,
        "begins": True,
    }
    assert len(text) < 80
    sign = 1 if value > threshold else -1
    assert raised(row, **{bound: value + sign * 0.01}) == {}
    assert [*raised(row, **{bound: value - sign * 0.01})] == [alarm]
    assert not raised(row, before=[alarm])[alarm]["begins"]
    assert raised(row, before=["other"])[alarm]["begins"]


@pytest.mark.parametrize(
    ("alarm", "bound", "value", "last"),
    [
        ("kl_speed", "max_kl_speed", 4.0, {"kl": 8.0}),
        ("kl_speed", "max_kl_speed", 4.0, {"kl": -8.0}),
        ("length", "max_length", 2.5, {"length": 10.0}),
    ],
)
def test_the_policy_raises_an_alarm_on_the_worst_suite(alarm, bound, value, last):
    rows = [*HEALTHY, judged(0, "easy"), judged(2, "easy", **last)]
    (found,) = raised(evaluations=rows).values()
    assert (found["alarm"], found["value"]) == (alarm, pytest.approx(value))
    assert found["text"].endswith("(easy suite)")
    assert raised(evaluations=rows, **{bound: value + 0.01}) == {}
    assert raised(evaluations=[*rows, judged(4, "easy", **last, gold=0.6)], max_length=9) == {}


def test_speed_is_by_the_round():
    assert kl_speed([judged(0), judged(4, kl=2.0), judged(8, kl=10.0)]) == 2.0
    assert kl_speed([judged(0), judged(4, kl=None)]) == 0
    assert length([judged(0, length=None), judged(4, length=None)]) == 0
    assert length([judged(0, length=2.0), judged(1, length=8.0), judged(2, length=3.0)]) == 1.5


def course(*points):
    return [judged(i, gold=gold, proxy=proxy) for i, (gold, proxy) in enumerate(points)]


def test_gold_falls_while_the_training_reward_rises():
    """Means of two: gold 0.5, 0.6, 0.5, paid 1, 2, 3."""
    assert gold_fall(course((0.4, 0.5), (0.6, 1.5), (0.6, 2.5), (0.4, 3.5))) == pytest.approx(
        0.1
    )
    falling = course((0.4, 0.5), (0.6, 1.5), (0.6, 2.5), (0.4, 0.5))
    assert gold_fall(falling) == 0, "both fall: nothing is being exploited"
    assert gold_fall(course((0.4, 0.5), (0.6, 1.5), (0.7, 2.5))) == 0
    assert gold_fall(course((0.4, 0.5))) == 0
    assert gold_fall([judged(0, proxy=None), judged(1, proxy=None)]) == 0


def test_over_optimisation_is_named():
    rows = course((0.4, 0.5), (0.6, 1.5), (0.6, 2.5), (0.4, 3.5))
    (found,) = raised(evaluations=rows).values()
    assert found["alarm"] == "over_optimisation"
    assert found["threshold"] == Alarms().max_gold_fall
    assert raised(evaluations=rows, max_gold_fall=0.11, max_gold_loss=1.0) == {}


SMALL = course((0.50, 0.5), (0.50, 1.0), (0.54, 1.5), (0.58, 2.0), (0.54, 2.5), (0.50, 3.0))
"""Means of two: gold 0.50, 0.52, 0.56, 0.56, 0.52: a gain of 0.06, of which 0.04 is lost."""


def test_the_loss_is_a_share_of_the_gain():
    assert gold_fall(SMALL) == pytest.approx(0.04)
    assert gold_loss(SMALL) == pytest.approx(0.04 / 0.06)
    assert gold_loss(SMALL[:5]) == 0, "the mean is still at its best"
    both_fall = [*SMALL[:5], judged(5, gold=0.5, proxy=0.0)]
    assert gold_loss(both_fall) == 0, "both fall: nothing is being exploited"
    flipped = [row | {"gold": 1 - row["gold"]} for row in SMALL]
    assert gold_loss(flipped) == pytest.approx(0.02 / 0.05), "a gain of 0 counts as 0.05"
    sunk = [judged(i, gold=0.9 - 0.1 * i, proxy=i) for i in range(4)]
    assert gold_loss(sunk) == 1, "more than the whole gain is still 1"
    assert gold_loss(SMALL[:1]) == 0


def test_a_fall_that_is_small_in_points_but_large_against_the_gain_fires():
    (found,) = raised(evaluations=SMALL).values()
    assert found["alarm"] == "over_optimisation"
    assert found["value"] == pytest.approx(2 / 3)
    assert found["threshold"] == Alarms().max_gold_loss
    assert found["text"].startswith("over-optimisation: 67% of the gold gain is lost")
    assert raised(evaluations=SMALL, max_gold_loss=0.67) == {}
    large_gain = [row | {"gold": 0.0} for row in SMALL[:2]] + SMALL[2:]
    assert raised(evaluations=large_gain) == {}, "0.04 of a gain of 0.54"


RECORDED = [
    (0.0840, 0.0322),
    (0.0835, 0.1453),
    (0.0746, 0.0795),
    (0.0672, 0.1311),
    (0.0618, 0.0611),
    (0.0690, 0.0377),
    (0.0726, 0.0513),
    (0.0708, 0.0928),
    (0.0889, 0.1273),
    (0.0941, 0.0306),
    (0.0908, 0.0291),
]
"""Gold and training reward of Eva with RLOO in TabularWorld(noise=1.0), hard suite, seed 0: the
healthy run that comes nearest to the bound."""


def test_noise_without_a_gain_raises_nothing():
    losses = [gold_loss(course(*RECORDED[:end])) for end in range(2, len(RECORDED) + 1)]
    assert max(losses) == pytest.approx(0.385, abs=1e-3)
    assert all(raised(evaluations=course(*RECORDED[:end])) == {} for end in range(2, 12))


def test_records_of_an_older_version_raise_nothing():
    old = [{"round": k, "suite": "hard", "gold": 0.5} for k in (0, 1)]
    assert raised(evaluations=old) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_entropy": 50.0}, r"min_entropy must lie in \[0, 1\], got 50"),
        ({"max_no_gradient": -0.1}, r"max_no_gradient must lie in \[0, 1\], got -0.1"),
        ({"max_kl_speed": -1.0}, "max_kl_speed must be at least 0, got -1"),
        ({"max_gold_fall": math.nan}, "max_gold_fall must be at least 0, got nan"),
    ],
)
def test_bounds_without_meaning_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Alarms(**change)


TABULAR = Settings(
    creator=Fresh(),
    solver=DPO(lr=0.1),
    task=TabularWorld(),
    prompts=32,
    evaluation_samples=16,
    reward="proxy",
    checkpoint_every=100,
)
COLLAPSING = replace(TABULAR, creator=PolicyGradient(step=300.0))
HACKED = TabularWorld(hackable=2, world_seed=1)


def play(folder, settings):
    run = Run.create(folder, describe(settings, []))
    return run, list(train(run, settings))


@pytest.mark.parametrize("creator", [Eva(), UniformEvolve(), Fresh()])
@pytest.mark.parametrize("solver", [DPO(lr=0.1), RLOO(lr=0.1)])
def test_healthy_runs_raise_nothing(tmp_path, creator, solver):
    settings = replace(TABULAR, creator=creator, solver=solver, rounds=15, evaluate_every=5)
    run, rows = play(tmp_path / "run", settings)
    assert run.rows("alarms") == []
    assert all(row["alarms"] == {} for row in rows)


def test_a_collapsed_creator_raises_alarms_until_the_end(tmp_path):
    run, rows = play(tmp_path / "run", replace(COLLAPSING, rounds=8, evaluate_every=8))
    written = run.rows("alarms")
    assert {"distinct_prompts", "entropy", "effective", "cluster_share"} <= {
        row["alarm"] for row in written
    }
    assert written == [alarm for row in rows for alarm in row["alarms"].values()]
    fired = {(row["round"], row["alarm"]) for row in written}
    assert {(k, "entropy") for k in (4, 5, 6, 7, 8)} <= fired
    for row in written:
        assert row["begins"] == ((row["round"] - 1, row["alarm"]) not in fired)


def test_a_proxy_that_can_be_hacked_is_over_optimised(tmp_path):
    settings = replace(TABULAR, creator=UniformEvolve(), task=HACKED, evaluate_every=3)
    run, rows = play(tmp_path / "run", replace(settings, rounds=45))
    fired = [row for row in run.rows("alarms") if row["alarm"] == "over_optimisation"]
    last = rows[-1]["evaluations"]["hard"]
    assert last["proxy"] > last["gold"] + 0.3
    assert fired[-1]["round"] == 45
    assert fired[0]["begins"]
    gold = replace(settings, rounds=45, reward="gold", checkpoint_every=100)
    honest, rows = play(tmp_path / "gold", gold)
    assert "over_optimisation" not in {row["alarm"] for row in honest.rows("alarms")}
    assert rows[-1]["evaluations"]["hard"]["proxy"] is None


def test_stop_ends_a_run_that_can_be_resumed(tmp_path):
    """Stopped where the first alarm begins, then where others do; in the end, the same run."""
    settings = replace(COLLAPSING, rounds=6, evaluate_every=4)
    whole, rows = play(tmp_path / "whole", settings)
    begins = [
        k
        for row in rows
        for k in [row["round"]]
        if any(alarm["begins"] for alarm in row["alarms"].values())
    ]
    stopping = replace(settings, alarms=Alarms(stop=True))
    run, played = play(tmp_path / "stopped", stopping)
    ends = [played[-1]["round"]]
    assert ends == begins[:1] != [6]
    assert run.checkpoints == ends
    assert run.rows("evaluations")[-1]["round"] == ends[0]
    while ends[-1] < 6:
        ends.append([*train(run, run.settings(Settings))][-1]["round"])
    assert ends == sorted({*begins, 6})

    def of(record, name):
        return [row | {"seconds": 0} for row in record.rows(name)]

    assert of(run, "rounds") == of(whole, "rounds")
    assert of(run, "alarms") == of(whole, "alarms")


def test_the_command_reports_an_alarm_once_and_how_to_continue(tmp_path, capsys):
    out = tmp_path / "run"
    command = "train creator:fresh solver:rloo task:tabular-world --rounds 3 --prompts 8"
    bounds = ["--alarms.max-no-gradient", "0", "--alarms.min-distinct", "1"]
    assert cli.main([*command.split(), *bounds, "--out", str(out)]) == 0
    shown = [line for line in capsys.readouterr().out.splitlines() if "alarm" in line]
    fired = [json.loads(line) for line in (out / "alarms.jsonl").read_text().splitlines()]
    assert len(fired) > len(shown) == sum(row["begins"] for row in fired) > 0
    assert shown[0].startswith(f"fresh-rloo, seed 0, round {fired[0]['round']}: alarm, ")
    out = tmp_path / "stopped"
    assert cli.main([*command.split(), *bounds, "--alarms.stop", "--out", str(out)]) == 0
    assert f"continue with: eva train --resume {out}" in capsys.readouterr().out
    assert len(Run.open(out).rows("rounds")) == fired[0]["round"] < 3
