"""From a round to pairs: pairing, and which pairs are dropped and counted."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.solvers import SPPO
from agents.solvers.pairs import BUILDERS, Preferences, build, win_rates
from eva_env.types import Proposal, Round
from tests.support.rounds import a_round

ROUND = a_round([[0.2, 0.9, 0.1], [0.5, 0.5, 0.5], [0.1, 0.0, 0.9]])


def named(preferences):
    prompts = [preferences.prompts[i] for i in preferences.item]
    return list(zip(prompts, preferences.chosen, preferences.rejected, strict=True))


def test_best_against_worst_drops_and_counts_ties():
    pairs = build(ROUND)
    assert named(pairs) == [("x0", "x0y1", "x0y2"), ("x2", "x2y2", "x2y1")]
    assert pairs.prompts == ["x0", "x2"]
    assert (pairs.ties, pairs.narrow) == (1, 0)
    rates = win_rates(ROUND.rewards)
    assert pairs.wins.tolist() == [rates[0, [1, 2]].tolist(), rates[2, [2, 1]].tolist()]


def test_all_pairs_by_hand():
    pairs = build(a_round([[0.2, 0.9, 0.2], [0.3, 0.3, 0.3]]), "all")
    assert named(pairs) == [("x0", "x0y1", "x0y0"), ("x0", "x0y1", "x0y2")]
    assert (pairs.ties, pairs.narrow) == (1 + 3, 0)
    assert pairs.responses == [["x0y0", "x0y1", "x0y2"]]


def test_a_margin_drops_and_counts_pairs_that_are_too_close():
    pairs = build(ROUND, "all", margin=0.25)
    kept = {("x0", "x0y1", "x0y0"), ("x0", "x0y1", "x0y2")}
    kept |= {("x2", "x2y2", "x2y0"), ("x2", "x2y2", "x2y1")}
    assert set(named(pairs)) == kept
    assert (pairs.ties, pairs.narrow) == (3, 2)
    assert len(build(a_round([[0.0, 0.25]]), margin=0.25).prompts) == 1
    assert len(build(a_round([[0.0, 0.24]]), margin=0.25).prompts) == 0


def test_best_against_random_draws_each_other_response_equally_often():
    round = a_round(np.tile([0.1, 0.9, 0.3, 0.2], (3000, 1)))
    pairs = build(round, "best_random", rng=np.random.default_rng(0))
    assert {text[-2:] for text in pairs.chosen} == {"y1"}
    counts = Counter(text[-2:] for text in pairs.rejected)
    assert set(counts) == {"y0", "y2", "y3"}
    assert all(abs(count - 1000) < 4 * np.sqrt(3000 * 2 / 9) for count in counts.values())
    with pytest.raises(ValueError, match="give it a generator"):
        build(round, "best_random")


@given(st.sampled_from(list(BUILDERS)), st.integers(0, 10**6), st.integers(2, 8))
def test_chosen_is_better_and_candidates_add_up(builder, seed, n):
    rng = np.random.default_rng(seed)
    round = a_round(rng.integers(4, size=(5, n)) / 4)
    pairs = build(round, builder, margin=0.5, rng=rng)
    reward = {
        y: r
        for ys, rs in zip(round.responses, round.rewards, strict=True)
        for y, r in zip(ys, rs, strict=True)
    }
    assert all(reward[c] >= reward[r] + 0.5 for _, c, r in named(pairs))
    assert all(c.startswith(x) and r.startswith(x) for x, c, r in named(pairs))
    candidates = 5 * (n * (n - 1) // 2 if builder == "all" else 1)
    assert len(pairs.item) + pairs.ties + pairs.narrow == candidates
    if builder == "all":
        brute = sum(
            abs(row[i] - row[j]) >= 0.5
            for row in round.rewards
            for i, j in combinations(range(n), 2)
        )
        assert len(pairs.item) == brute


def test_pairs_of_several_rounds_are_joined():
    first, second = build(ROUND, "all"), build(a_round([[0.0, 0.5, 1.0]], prompts=["z"]), "all")
    both = Preferences.join([first, second])
    assert named(both) == named(first) + named(second)
    assert both.wins.shape == (3, 3)
    empty = build(a_round([[0.5, 0.5, 0.5]]), "all")
    assert named(Preferences.join([empty, second])) == named(second)


def test_mismatched_responses_are_another_prompts():
    pairs = build(a_round(np.random.default_rng(0).random((4, 3)))).mismatched()
    assert all(not c.startswith(x) and not r.startswith(x) for x, c, r in named(pairs))


def test_sppo_takes_rewards_as_win_rates_if_pairwise():
    rewards = np.array([[0.9, 0.1, 0.5]])
    round = Round(0, Proposal(["x"], np.zeros(1)), ["x"], [["a", "b", "c"]], rewards, None, {})
    assert SPPO(pairwise=True).wins(round) is rewards
    assert SPPO().wins(round) == pytest.approx(win_rates(rewards))
    assert build(round, wins=rewards).wins.tolist() == [[0.9, 0.1]]
    with pytest.raises(ValueError, match=r"win rates in \[0, 1\], got 0.1 \.\.\. 2"):
        SPPO(pairwise=True).wins(replace(round, rewards=np.array([[0.1, 2.0]])))
