"""From pairs to an update: which policy is asked, how often, and what does not matter."""

from typing import get_args

import numpy as np
import pytest
import torch

from agents.losses import pairs as losses
from agents.losses.pairs import Pairs
from agents.policies.causal_lm import CausalLM
from agents.policies.learned_reward import LearnedReward
from agents.policies.table import TablePolicy
from agents.solvers import (
    CPO,
    DPO,
    KTO,
    ORPO,
    AnyMethod,
    Offline,
    PolicySolver,
    ReferenceBased,
    RePO,
    SimPO,
    SLiC,
)
from agents.solvers.pair_logprobs import PairLogprobs
from agents.solvers.pairs import build, win_rates
from eva_env.wordlist import Wordlist
from tests.support.rounds import a_round

METHODS = [method for method in get_args(AnyMethod) if issubclass(method, Offline)]


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
def test_only_reference_based_methods_ask_the_reference_and_they_ask_once(method):
    reference_free = method in (SimPO, RePO, ORPO, CPO, SLiC)
    solver = solver_of(method(lr=0.05, epochs=5))
    solver.learn(table_round(), np.random.default_rng(0))
    once = 2 * 24 * (2 if method is KTO else 1)
    assert solver.policy.looked_up == (0 if reference_free else once)
    assert solver.policy.asked == 5 * 2 * 24
    assert isinstance(method(), ReferenceBased) != reference_free


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
    logprobs = PairLogprobs(
        solver.policy, preferences, solver.method.reference_logprobs(solver, preferences)
    )
    items = np.array([5, 0, 3])
    selected = logprobs(items)
    expected = []
    for i in items:
        for j in np.flatnonzero(preferences.item == i):
            x, side = [preferences.prompts[i]], (preferences.chosen[j], preferences.rejected[j])
            now = [solver.policy.logprobs(x, [y]) for y in side]
            start = [solver.initial.logprobs(x, [y]) for y in side]
            expected.append(losses.dpo(Pairs(*now, *start), 0.3).item())
    assert sorted(losses.dpo(selected.pairs, 0.3).tolist()) == pytest.approx(sorted(expected))
    assert (items[selected.item] == preferences.item[selected.pair]).all()
    rates = win_rates(round.rewards)[preferences.item[selected.pair]]
    each = np.arange(len(rates))
    np.testing.assert_allclose(
        selected.pairs.chosen_wins.numpy(), rates[each, preferences.better[selected.pair]]
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
    first, second = solver_of(method(**settings)), solver_of(method(**settings))
    first.learn(round, np.random.default_rng(0))
    second.learn(shuffled, np.random.default_rng(5))
    np.testing.assert_allclose(
        first.policy.probabilities(), second.policy.probabilities(), atol=1e-9
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
        for y in preferences.responses[(i + 1) % 24]
    ]
    baseline = solver.method.baseline(solver, preferences)
    z = baseline(items)
    assert z.item() == pytest.approx(max(0.0, np.mean(ratios)), abs=1e-12)
    assert not z.requires_grad
    errors = [
        baseline(np.array([i])).item() - max(0.0, np.mean(ratios[2 * i : 2 * i + 2]))
        for i in items
    ]
    assert errors == pytest.approx([0.0] * 24, abs=1e-12)
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
        ({"margin": -0.1}, "margin must be at least 0 and finite, got -0.1"),
        ({"radius": float("nan")}, "radius must be at least 0 and finite, got nan"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_settings_of_pairs_out_of_range_are_named(method, settings, message):
    with pytest.raises(ValueError, match=message):
        method(**settings)
