"""The differences that a comparison can detect, from its first cells."""

import numpy as np
import pytest

from eva_env.statistics.power import detectable, seeds_needed
from eva_env.wordlist import Wordlist
from experiments.comparison.arms import pair
from experiments.comparison.cells import Cell
from experiments.comparison.power import estimate_power, pilot
from experiments.comparison.settings import Comparison

ARMS = pair(["fresh", "eva"], ["dpo", "rloo"], "hard", Wordlist())


def scores(fresh, oracle, seeds=6, start=0.5):
    """(S, L, 1) with both solvers equal; only the first seeds have been played."""
    values = np.full((seeds, len(ARMS) + 1, 1), np.nan)
    values[:, -1] = start
    for i, arm in enumerate(ARMS):
        if arm.ceiling or arm.creator == "fresh":
            played = oracle if arm.ceiling else fresh
            values[: len(played), i, 0] = played
    return values


def test_the_oracle_and_the_first_creator_are_played_first():
    setting = Comparison(seeds=10)
    cells = [Cell(a.name, s, setting.settings(a, s), None) for s in range(10) for a in ARMS]
    first = pilot(cells, ARMS, 10)
    names = {"fresh-dpo", "fresh-rloo", "oracle-dpo", "oracle-rloo"}
    assert {(cell.arm, cell.seed) for cell in first} == {(a, s) for a in names for s in (0, 1)}
    assert {cell.seed for cell in pilot(cells, ARMS, 20)} == {0, 1, 2, 3}


def test_the_estimate_by_hand():
    """Oracle - fresh is .1, .2, .3: standard deviation .1; both solvers are equal."""
    estimated = estimate_power(scores([0.6, 0.5, 0.5], [0.7, 0.7, 0.8]), ARMS, 6, "win_rate")
    assert estimated["start"] == 0.5
    assert estimated["headroom"] == pytest.approx(np.mean([0.7, 0.7, 0.8]) - 0.5)
    assert (estimated["of"], estimated["seeds"], estimated["comparisons"]) == (
        "oracle - fresh",
        3,
        2,
    )
    assert estimated["sd"] == pytest.approx(0.1)
    assert estimated["detectable"] == pytest.approx(detectable(0.1, 6, 2))


def test_the_start_is_that_of_the_same_seeds():
    """Worlds differ: .1 above a start of .2 in one, of .4 in another; .9 is not played yet."""
    values = scores([0.2, 0.4], [0.3, 0.5], seeds=3)
    values[:, -1, 0] = [0.2, 0.4, 0.9]
    assert estimate_power(values, ARMS, 3, "win_rate")["headroom"] == pytest.approx(0.1)


def test_what_has_been_played_of_the_competitors_decides():
    """Eva - fresh varies by .2, rloo - dpo by nothing, oracle - fresh does not matter."""
    values = scores([0.5, 0.5, 0.5], [0.9, 0.5, 0.1], seeds=3)
    values[:, [arm.creator == "eva" for arm in ARMS] + [False]] = np.array([0.4, 0.6, 0.8])[
        :, None, None
    ]
    estimated = estimate_power(values, ARMS, 3, "win_rate")
    assert (estimated["of"], estimated["sd"]) == ("eva - fresh", pytest.approx(0.2))
    assert estimated["detectable"] == pytest.approx(detectable(0.2, 3, 2))


def test_what_never_varies_gives_no_power():
    estimated = estimate_power(scores([0.5, 0.5], [0.6, 0.6]), ARMS, 6, "win_rate")
    assert not estimated["enough"]
    assert estimated["sentences"] == [
        "Power cannot be estimated: oracle - fresh is the same with every seed."
    ]


def test_an_oracle_of_the_users_own_is_neither_the_first_nor_the_ceiling():
    arms = pair(["oracle:suite=easy", "fresh"], ["dpo"], "hard", Wordlist())
    values = np.array([[0.9, 0.6, 0.7, 0.5], [0.1, 0.5, 0.7, 0.5]])[..., None]
    estimated = estimate_power(values, arms, 6, "win_rate")
    assert estimated["headroom"] == pytest.approx(0.2)
    assert estimated["sentences"] == [
        "Power cannot be estimated from one creator and one solver."
    ]
    setting = Comparison(seeds=2)
    cells = [Cell(a.name, 0, setting.settings(a, 0), None) for a in arms]
    assert [cell.arm for cell in pilot(cells, arms, 2)] == ["fresh-dpo", "oracle-dpo"]


def test_prompts_do_not_become_more_with_seeds():
    """Four prompts .2 off the mean: .2 / sqrt 3 of the standard error stays."""
    steady = np.repeat(scores([0.6, 0.5, 0.5], [0.7, 0.7, 0.8]), 4, axis=2)
    steady[:, [*(arm.ceiling for arm in ARMS), False]] += np.array([-0.2, 0.2, -0.2, 0.2])
    estimated = estimate_power(steady, ARMS, 6, "win_rate")
    assert estimated["sd"] == pytest.approx(0.1)
    assert estimated["floor"] == pytest.approx(0.2 / np.sqrt(3))
    assert estimated["detectable"] == pytest.approx(
        detectable(0.1, 6, 2, floor=0.2 / np.sqrt(3)), rel=1e-9
    )
    assert estimated["sentences"][0].endswith(
        "The suite has too few prompts: no number of seeds detects half of it."
    )


def test_it_says_when_the_seeds_are_too_few():
    noisy = scores([0.4, 0.7, 0.5], [0.8, 0.6, 0.5], seeds=3)
    estimated = estimate_power(noisy, ARMS, 3, "win_rate")
    assert not estimated["enough"]
    wanted = seeds_needed(estimated["headroom"] / 2, estimated["sd"], 2)
    (says,) = estimated["sentences"]
    assert estimated["detectable"] > estimated["headroom"]
    assert says.startswith("3 seeds cannot detect even a difference as large as the head-room")
    assert says.endswith(f"To detect half of it takes about {wanted} seeds (--seeds {wanted}).")
    assert estimated["seeds_needed"] == wanted
    calm = estimate_power(
        scores([0.5, 0.51, 0.5], [0.8, 0.82, 0.8], seeds=3), ARMS, 3, "win_rate"
    )
    assert calm["enough"]
    assert calm["sentences"][0].endswith("the oracle is 30.7 points above the starting policy.")


def test_without_room_nothing_can_be_compared():
    estimated = estimate_power(scores([0.5, 0.6], [0.4, 0.45]), ARMS, 6, "win_rate")
    assert estimated["headroom"] < 0
    assert estimated["sentences"][0].endswith(
        "there is nothing to gain, so strategies cannot be compared here."
    )


def test_too_few_seeds_for_an_estimate():
    estimated = estimate_power(scores([0.5], [0.7]), ARMS, 6, "win_rate")
    assert estimated["detectable"] is None
    assert estimated["sentences"] == [
        "Power cannot be estimated from fewer than two seeds of oracle and fresh."
    ]
    alone = pair(["fresh"], ["dpo"], "hard", Wordlist())
    values = np.array([[0.5, 0.7, 0.5], [0.5, 0.8, 0.5]])[..., None]
    estimated = estimate_power(values, alone, 2, "win_rate")
    assert "from one creator and one solver" in estimated["sentences"][0]


WITHOUT = [arm for arm in ARMS if not arm.ceiling]


def test_without_an_oracle_the_first_two_creators_are_played_first():
    setting = Comparison(seeds=10)
    arms = pair(["static", "fresh", "eva"], ["dpo"], None, Wordlist())
    cells = [Cell(a.name, s, setting.settings(a, s), None) for s in range(10) for a in arms]
    first = pilot(cells, arms, 10)
    assert {(cell.arm, cell.seed) for cell in first} == {
        (name, seed) for name in ("static-dpo", "fresh-dpo") for seed in (0, 1)
    }


def test_without_an_oracle_there_is_power_but_no_head_room():
    values = np.full((3, len(WITHOUT) + 1, 1), 0.5)
    values[:, 2:4] = np.array([0.4, 0.6, 0.8])[:, None, None]
    estimated = estimate_power(values, WITHOUT, 3, "win_rate")
    assert (estimated["headroom"], estimated["enough"]) == (None, False)
    assert estimated["seeds_needed"] is None
    assert estimated["detectable"] == pytest.approx(detectable(0.2, 3, 2))
    (sentence,) = estimated["sentences"]
    assert sentence.startswith("3 seeds detect a difference of ")
    assert sentence.endswith("(estimated from eva - fresh over 3 seeds; 2 comparisons).")
    estimated = estimate_power(values[:1], WITHOUT, 3, "win_rate")
    assert estimated["sentences"] == [
        "Power cannot be estimated from fewer than two seeds of two creators."
    ]
