"""Trained creators: gradients, closed forms, collapse and its remedy."""

import itertools

import numpy as np
import pytest

from agents.creators import Gibbs, MirrorDescent, PolicyGradient
from agents.creators.ascent import filled, kl_gradient, reinforce
from eva_env.distributions import gibbs, softmax
from eva_env.tabular.exact import optimal_value
from eva_env.types import Round
from tests.support.rounds import Finite

SCORES = np.array([0.9, 0.1, 0.5, 0.3, 0.7])


def objective(logits, scores, alpha):
    mu = softmax(logits)
    return mu @ scores - alpha * (mu @ np.log(mu * len(mu)))


def test_reinforce_is_unbiased_by_enumeration_of_all_draws():
    mu, size = softmax(np.array([0.4, -0.3, 0.1])), 3
    scores = SCORES[:3]
    expected = np.zeros(3)
    for draw in itertools.product(range(3), repeat=size):
        index = np.array(draw)
        expected += mu[index].prod() * reinforce(mu, index, scores[index])
    np.testing.assert_allclose(expected, mu * (scores - mu @ scores), atol=1e-12)


def test_gradient_of_the_objective_agrees_with_central_differences():
    """The exact gradient, with its KL term, to 1e-9."""
    logits, alpha, h = np.array([0.4, -0.3, 0.1, 1.0, -1.2]), 0.37, 1e-5
    mu = softmax(logits)
    exact = mu * (SCORES - mu @ SCORES) - alpha * kl_gradient(mu)
    steps = h * np.eye(5)
    numeric = [
        (objective(logits + e, SCORES, alpha) - objective(logits - e, SCORES, alpha)) / (2 * h)
        for e in steps
    ]
    np.testing.assert_allclose(exact, numeric, atol=1e-9)


def run(creator, scores, rounds, batch=64, seed=0):
    """Rounds on a pool of a few prompts whose payoff is known; entropies by round."""
    rng = np.random.default_rng(seed)
    world = Finite(len(scores))
    entropies = []
    for _ in range(rounds):
        proposal = creator.propose(world, len(scores), rng)
        drawn = rng.choice(proposal.prompts, batch, p=softmax(proposal.logits))
        rewards = np.stack([2 * scores[drawn], np.zeros(batch)], -1)
        round = Round(0, proposal, drawn, rewards, rewards, scores[drawn], {})
        logs = creator.learn(round, rng)
        mu = creator.mu
        assert logs["creator_entropy"] == pytest.approx(
            -(mu * np.log(np.maximum(mu, 1e-300))).sum()
        )
        assert logs["creator_kl"] == pytest.approx(np.log(len(mu)) - logs["creator_entropy"])
        assert logs["effective_support"] == pytest.approx(np.exp(logs["creator_entropy"]))
        entropies.append(logs["creator_entropy"])
    return entropies


def test_gibbs_reaches_the_maximiser_and_its_value():
    """max_mu mu.s - alpha KL(mu || U) = alpha log mean exp(s / alpha)."""
    creator = Gibbs(alpha=0.2)
    run(creator, SCORES, 20)
    uniform = np.full(5, 0.2)
    np.testing.assert_allclose(creator.mu, gibbs(SCORES, uniform, 0.2), atol=1e-12)
    value = objective(creator.logits, SCORES, 0.2)
    assert value == pytest.approx(0.2 * np.log(np.exp(SCORES / 0.2).mean()), abs=1e-12)
    assert value == pytest.approx(float(optimal_value(SCORES, uniform, 0.2)), abs=1e-12)


def test_mirror_descent_approaches_the_gibbs_form_at_its_rate():
    creator = MirrorDescent(alpha=0.2, step=2.0)
    run(creator, SCORES, 60)
    np.testing.assert_allclose(creator.mu, gibbs(SCORES, np.full(5, 0.2), 0.2), atol=1e-6)
    slow = MirrorDescent(alpha=0.2, step=0.5, memory=1.0)
    slow.propose(Finite(5), 5, np.random.default_rng(0))
    slow.payoffs = SCORES.copy()
    slow.improve(np.zeros(0), np.zeros(0))
    target = (SCORES - SCORES.mean()) / 0.2
    np.testing.assert_allclose(slow.logits - slow.logits.mean(), 0.1 * target, atol=1e-12)


def test_policy_gradient_with_small_steps_climbs_to_the_gibbs_form():
    creator = PolicyGradient(alpha=0.2, step=0.5)
    run(creator, SCORES, 800, batch=256)
    np.testing.assert_allclose(creator.mu, gibbs(SCORES, np.full(5, 0.2), 0.2), atol=0.06)


def test_policy_gradient_with_a_large_step_collapses_for_good_and_the_others_keep_entropy():
    scores = np.random.default_rng(1).random(96)
    collapsed = PolicyGradient(alpha=0.3, step=3000.0)
    entropies = run(collapsed, scores, 40)
    assert entropies[-1] < 1e-6
    moved = 1 - scores  # what is worth publishing turns round, and it cannot follow
    assert run(collapsed, moved, 100)[-1] < 1e-6
    for creator in (Gibbs(alpha=0.3), MirrorDescent(alpha=0.3, step=2.0)):
        assert run(creator, scores, 40)[-1] > 0.5 * np.log(96)
        before = creator.mu
        assert run(creator, moved, 60)[-1] > 0.5 * np.log(96)
        assert before @ scores > scores.mean() > creator.mu @ scores


def test_the_novelty_bonus_spreads_the_policy():
    plain, novel = Gibbs(alpha=0.05), Gibbs(alpha=0.05, novelty=1.0)
    assert run(novel, SCORES, 1)[-1] < np.log(5) + 1e-9
    for creator in (plain, novel):
        rng = np.random.default_rng(0)
        proposal = creator.propose(Finite(5), 5, rng)
        drawn = np.array([0] * 50 + [1, 2, 3, 4])
        rewards = np.stack([2 * SCORES[drawn], np.zeros(54)], -1)
        creator.learn(Round(0, proposal, drawn, None, rewards, SCORES[drawn], {}), rng)
    assert novel.mu[0] < plain.mu[0]


def test_prompts_without_an_estimate_count_as_the_mean_of_the_others():
    assert filled(np.array([2.0, np.nan, 4])).tolist() == [2, 3, 4]
    assert filled(np.full(2, np.nan)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gibbs(alpha=0.0), "alpha must be positive, got 0.0"),
        (lambda: MirrorDescent(alpha=1.0, step=2.0), r"step \* alpha must lie in \(0, 1\)"),
        (lambda: PolicyGradient(memory=0.0), r"memory must lie in \(0, 1\], got 0.0"),
        (lambda: Gibbs(signal="x"), "unknown signal 'x'"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
