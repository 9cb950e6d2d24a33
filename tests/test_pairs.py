"""From a round to pairs, and from pairs to an update: who is paired, who is asked."""

from collections import Counter
from itertools import combinations
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.causal_lm import CausalLM
from agents.losses import pairs as losses
from agents.losses.pairs import Pairs
from agents.reward_lm import LearnedReward
from agents.solvers import DPO, KTO, Anchored, AnyMethod, Offline, PolicySolver
from agents.solvers.lookup import Lookup
from agents.solvers.pairs import BUILDERS, Preferences, build, win_rates
from agents.table import TablePolicy
from eva_env.types import Proposal, Round
from eva_env.wordlist import Wordlist

METHODS = [method for method in get_args(AnyMethod) if issubclass(method, Offline)]


def a_round(rewards, responses=None, prompts=None):
    rewards = np.array(rewards, dtype=float)
    prompts = [f"x{i}" for i in range(len(rewards))] if prompts is None else prompts
    if responses is None:
        responses = [[f"{x}y{j}" for j in range(rewards.shape[1])] for x in prompts]
    proposal = Proposal(prompts, np.zeros(len(prompts)))
    return Round(0, proposal, prompts, responses, rewards, rewards.max(1), {})


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
    assert pairs.answers == [["x0y0", "x0y1", "x0y2"]]


def test_a_margin_drops_and_counts_pairs_that_are_too_close():
    pairs = build(ROUND, "all", margin=0.25)
    kept = {("x0", "x0y1", "x0y0"), ("x0", "x0y1", "x0y2")}
    kept |= {("x2", "x2y2", "x2y0"), ("x2", "x2y2", "x2y1")}
    assert set(named(pairs)) == kept
    assert (pairs.ties, pairs.narrow) == (3, 2)
    assert len(build(a_round([[0.0, 0.25]]), margin=0.25).prompts) == 1
    assert len(build(a_round([[0.0, 0.24]]), margin=0.25).prompts) == 0


def test_best_against_random_draws_each_other_response_alike():
    round = a_round(np.tile([0.1, 0.9, 0.3, 0.2], (3000, 1)))
    pairs = build(round, "best_random", rng=np.random.default_rng(0))
    assert {text[-2:] for text in pairs.chosen} == {"y1"}
    counts = Counter(text[-2:] for text in pairs.rejected)
    assert set(counts) == {"y0", "y2", "y3"}
    assert all(abs(count - 1000) < 4 * np.sqrt(3000 * 2 / 9) for count in counts.values())
    with pytest.raises(ValueError, match="hand it a generator"):
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
    one, two = build(ROUND, "all"), build(a_round([[0.0, 0.5, 1.0]], prompts=["z"]), "all")
    both = Preferences.join([one, two])
    assert named(both) == named(one) + named(two)
    assert both.wins.shape == (3, 3)
    empty = build(a_round([[0.5, 0.5, 0.5]]), "all")
    assert named(Preferences.join([empty, two])) == named(two)


def test_mismatched_responses_are_another_prompts():
    pairs = build(a_round(np.random.default_rng(0).random((4, 3)))).mismatched()
    assert all(not c.startswith(x) and not r.startswith(x) for x, c, r in named(pairs))


# From pairs to an update


class Counting(TablePolicy):
    """Counts how many responses it is asked about, with and without a gradient."""

    asked = 0
    looked_up = 0

    def logprobs(self, prompts, responses):
        self.asked += len(responses) * torch.is_grad_enabled()
        return super().logprobs(prompts, responses)

    def token_logprobs(self, prompts, responses):
        self.looked_up += len(responses)
        return TablePolicy.logprobs(self, prompts, responses)[:, None]


def table_round(batch=24, n=4, seed=0):
    rng = np.random.default_rng(seed)
    prompts = rng.permutation(batch) % 3
    responses = np.array([rng.permutation(6)[:n] for _ in range(batch)])
    rewards = rng.random((3, 6))[prompts[:, None], responses]
    return a_round(rewards, responses, prompts)


def solver_of(method):
    logits = np.random.default_rng(9).normal(size=(3, 6))
    return PolicySolver(Counting(logits), method)


@pytest.mark.parametrize("method", METHODS)
def test_only_anchored_methods_ask_the_reference_and_they_ask_once(method):
    solver = solver_of(method(lr=0.05, epochs=5))
    solver.learn(table_round(), np.random.default_rng(0))
    once = 2 * 24 * (2 if method is KTO else 1)
    assert solver.policy.looked_up == (once if issubclass(method, Anchored) else 0)
    assert solver.policy.asked == 5 * 2 * 24
    assert hasattr(method(), "reference") == issubclass(method, Anchored)


def test_all_pairs_read_each_response_once_an_epoch():
    solver = solver_of(DPO(lr=0.05, epochs=3, pairs="all", batch_size=36))
    logs = solver.learn(table_round(), np.random.default_rng(0))
    assert logs["pairs"] == 24 * 6
    assert logs["gradient_steps"] == 3 * 24 * 6 / 36
    assert solver.policy.asked == 3 * 24 * 4
    assert solver.policy.looked_up == 24 * 4


def test_all_pairs_of_an_update_have_the_mean_loss_of_the_pairs_one_by_one():
    round = table_round(7, 5)
    solver = solver_of(DPO(reference="initial"))
    with torch.no_grad():
        solver.policy.theta += torch.from_numpy(np.random.default_rng(1).normal(size=(3, 6)))
    preferences = build(round, "all")
    lookup = Lookup(
        solver.policy, preferences, solver.method.reference_logprobs(solver, preferences)
    )
    items = np.array([5, 0, 3])
    found = lookup(items)
    expected = []
    for i in items:
        for j in np.flatnonzero(preferences.item == i):
            x, side = [preferences.prompts[i]], (preferences.chosen[j], preferences.rejected[j])
            now = [solver.policy.logprobs(x, [y]) for y in side]
            start = [solver.initial.logprobs(x, [y]) for y in side]
            expected.append(losses.dpo(Pairs(*now, *start), 0.3).item())
    assert sorted(losses.dpo(found.pairs, 0.3).tolist()) == pytest.approx(sorted(expected))
    assert (items[found.place] == preferences.item[found.number]).all()
    rates = win_rates(round.rewards)[preferences.item[found.number]]
    each = np.arange(len(rates))
    np.testing.assert_allclose(
        found.pairs.chosen_wins.numpy(), rates[each, preferences.better[found.number]]
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pairs", ["best_worst", "all"])
def test_parts_of_an_update_add_up_to_it(method, pairs):
    """Also where the loss of one pair takes something from all: KTO's KL, SGPO's weights."""
    whole, parts = (
        solver_of(method(lr=0.05, pairs=pairs, radius=0.1, epochs=2, micro_batch_tokens=tokens))
        for tokens in (1000, 11)
    )
    for solver in (whole, parts):
        logs = solver.learn(table_round(), np.random.default_rng(0))
        assert logs["gradient_steps"] > 1
    np.testing.assert_allclose(
        parts.policy.probabilities(), whole.policy.probabilities(), atol=1e-9
    )


@pytest.mark.parametrize("method", METHODS)
def test_order_of_prompts_and_responses_does_not_matter_to_an_update(method):
    """One update over the whole round: a permutation of the round is the same round."""
    round = table_round()
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(24), rng.permutation(4)
    shuffled = a_round(
        round.rewards[rows][:, columns],
        np.asarray(round.responses)[rows][:, columns],
        np.asarray(round.prompts)[rows],
    )
    settings = {"lr": 0.05, "epochs": 1, "batch_size": 1000, "pairs": "all"}
    one, other = solver_of(method(**settings)), solver_of(method(**settings))
    one.learn(round, np.random.default_rng(0))
    other.learn(shuffled, np.random.default_rng(5))
    np.testing.assert_allclose(
        one.policy.probabilities(), other.policy.probabilities(), atol=1e-9
    )


def test_ktos_baseline_is_the_mean_log_ratio_of_mismatched_responses_and_not_negative():
    round = table_round()
    solver = solver_of(KTO(reference="initial"))
    with torch.no_grad():
        solver.policy.theta += torch.from_numpy(np.random.default_rng(1).normal(size=(3, 6)))
    preferences = build(round)
    items = np.arange(24)
    ratios = [
        (solver.policy.logprobs([x], [y]) - solver.initial.logprobs([x], [y])).item()
        for i, x in enumerate(preferences.prompts)
        for y in preferences.answers[(i + 1) % 24]
    ]
    baseline = solver.method.baseline(solver, preferences)
    z = baseline(items)
    assert z.item() == pytest.approx(max(0.0, np.mean(ratios)), abs=1e-12)
    assert not z.requires_grad
    found = [
        baseline(np.array([i])).item() - max(0.0, np.mean(ratios[2 * i : 2 * i + 2]))
        for i in items
    ]
    assert found == pytest.approx([0.0] * 24, abs=1e-12)
    assert np.mean(ratios[:2]) * np.mean(ratios) != 0


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_side_of_the_tokenizer_does_not_matter(side):
    prompts = list(Wordlist().suites["hard"][:6])
    policy, judge = CausalLM.load("wordlist"), LearnedReward.load("wordlist")
    responses = policy.sample(prompts, 2, np.random.default_rng(0))
    alone = [
        policy.logprobs([p], [row[0]]).item() for p, row in zip(prompts, responses, strict=True)
    ]
    policy.tokenizer.padding_side = judge.tokenizer.padding_side = side
    fresh = CausalLM(policy.model, policy.tokenizer)
    together = fresh.logprobs(prompts, [row[0] for row in responses])
    assert together.tolist() == pytest.approx(alone, abs=1e-4)
    scores = [judge([p], [row])[0] for p, row in zip(prompts, responses, strict=True)]
    np.testing.assert_allclose(judge(prompts, responses), scores, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pairs": "worst"}, "pairs must be one of best_worst, best_random, all, got 'worst'"),
        ({"margin": -0.1}, "margin must be finite and not negative, got -0.1"),
        ({"radius": float("nan")}, "radius must be finite and not negative, got nan"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_settings_of_pairs_out_of_range_are_named(method, settings, message):
    with pytest.raises(ValueError, match=message):
        method(**settings)
